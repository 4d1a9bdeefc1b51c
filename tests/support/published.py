"""The nets as they were published: tables of layers copied out by hand, and no code.

FCN: Long et al. 2015 and the authors' net definitions (fcn.berkeleyvision.org,
voc-fcn*/train.prototxt); VGG-16 by Simonyan and Zisserman 2015, table 1, column D.
FCN-AlexNet: Krizhevsky et al. 2012, fig. 2 and sec. 3.5, with the authors'
voc-fcn-alexnet/train.prototxt (of two groups each sees half of the channels).
FCN-GoogLeNet: Szegedy et al. 2015, table 1, with the scores of Long et al. 2015.
DeconvNet: Noh et al. 2015, table 2 of the appendix, and the authors' net definitions;
its "deconv" ends with fewer channels where unpooling follows.
SegNet: Badrinarayanan et al. 2017 and the authors' net definition (SegNet-Tutorial,
Models/segnet_train.prototxt). DeepLab: Chen et al.
2015, table 2, and the authors' net definitions (deeplab-public, DeepLab*/train.prototxt
with "fc8_voc12" or "fc8_pascal" for "fc8_score"). Hypercolumn: Hariharan et al. 2015
and the authors' own net on VGG-16 (bharath272/sds, hypercolumn_train_pydata.prototxt,
its layers renamed by what they see). CFM: Dai et al. 2015 on VGG-16, and on the net of
SPP_net's Zeiler_conv5.prototxt. Zoom-out: Mostajabi et al. 2015, the 4,224 channels of
all convolutions and fc7 twice. Nothing of `fcn_jax` is imported
here.
"""

# Layer: side of the kernel, channels in, channels out.
VGG16 = {
    "conv1_1": (3, 3, 64),
    "conv1_2": (3, 64, 64),
    "conv2_1": (3, 64, 128),
    "conv2_2": (3, 128, 128),
    "conv3_1": (3, 128, 256),
    "conv3_2": (3, 256, 256),
    "conv3_3": (3, 256, 256),
    "conv4_1": (3, 256, 512),
    "conv4_2": (3, 512, 512),
    "conv4_3": (3, 512, 512),
    "conv5_1": (3, 512, 512),
    "conv5_2": (3, 512, 512),
    "conv5_3": (3, 512, 512),
    "fc6": (7, 512, 4096),
    "fc7": (1, 4096, 4096),
}
SCORE_FR = {"score_fr": (1, 4096, 21)}
SCORE_POOL4 = {"score_pool4": (1, 512, 21)}
SCORE_POOL3 = {"score_pool3": (1, 256, 21)}
FCN32S = VGG16 | SCORE_FR
FCN16S = FCN32S | SCORE_POOL4
FCN8S = FCN16S | SCORE_POOL3
DECONVNET = VGG16 | {
    "fc6-deconv": (7, 4096, 512),
    "deconv5_1": (3, 512, 512),
    "deconv5_2": (3, 512, 512),
    "deconv5_3": (3, 512, 512),
    "deconv4_1": (3, 512, 512),
    "deconv4_2": (3, 512, 512),
    "deconv4_3": (3, 512, 256),
    "deconv3_1": (3, 256, 256),
    "deconv3_2": (3, 256, 256),
    "deconv3_3": (3, 256, 128),
    "deconv2_1": (3, 128, 128),
    "deconv2_2": (3, 128, 64),
    "deconv1_1": (3, 64, 64),
    "deconv1_2": (3, 64, 64),
    "seg-score": (1, 64, 21),
}
SEGNET = {name: layer for name, layer in VGG16.items() if name.startswith("conv")} | {
    "conv5_3_D": (3, 512, 512),
    "conv5_2_D": (3, 512, 512),
    "conv5_1_D": (3, 512, 512),
    "conv4_3_D": (3, 512, 512),
    "conv4_2_D": (3, 512, 512),
    "conv4_1_D": (3, 512, 256),
    "conv3_3_D": (3, 256, 256),
    "conv3_2_D": (3, 256, 256),
    "conv3_1_D": (3, 256, 128),
    "conv2_2_D": (3, 128, 128),
    "conv2_1_D": (3, 128, 64),
    "conv1_2_D": (3, 64, 64),
    "conv1_1_D": (3, 64, 21),
}
FCN_ALEXNET = {
    "conv1": (11, 3, 96),
    "conv2": (5, 48, 256),
    "conv3": (3, 256, 384),
    "conv4": (3, 192, 384),
    "conv5": (3, 192, 256),
    "fc6": (6, 256, 4096),
    "fc7": (1, 4096, 4096),
    "score_fr": (1, 4096, 21),
}
# A row of table 1: channels in, #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
INCEPTION = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
FCN_GOOGLENET = {
    "conv1_7x7_s2": (7, 3, 64),
    "conv2_3x3_reduce": (1, 64, 64),
    "conv2_3x3": (3, 64, 192),
    "score_fr": (1, 1024, 21),
}
for _block, (_in, _1, _to3, _3, _to5, _5, _proj) in INCEPTION.items():
    FCN_GOOGLENET |= {
        f"inception_{_block}_1x1": (1, _in, _1),
        f"inception_{_block}_3x3_reduce": (1, _in, _to3),
        f"inception_{_block}_3x3": (3, _to3, _3),
        f"inception_{_block}_5x5_reduce": (1, _in, _to5),
        f"inception_{_block}_5x5": (5, _to5, _5),
        f"inception_{_block}_pool_proj": (1, _in, _proj),
    }
TRUNK = {name: layer for name, layer in VGG16.items() if name.startswith("conv")}
DEEPLAB_7X7 = TRUNK | {
    "fc6": (7, 512, 4096),
    "fc7": (1, 4096, 4096),
    "fc8_score": (1, 4096, 21),
}
DEEPLAB = DEEPLAB_7X7 | {"fc6": (4, 512, 4096)}
DEEPLAB_LARGEFOV = TRUNK | {
    "fc6": (3, 512, 1024),
    "fc7": (1, 1024, 1024),
    "fc8_score": (1, 1024, 21),
}
# DeepLab-MSc*: of the image and of pool1 to pool4, which have so many channels.
DEEPLAB_BRANCHES = {
    "data_conv": (3, 3, 128),
    "data_fc": (1, 128, 128),
    "data_ms": (1, 128, 21),
    "pool1_conv": (3, 64, 128),
    "pool1_fc": (1, 128, 128),
    "pool1_ms": (1, 128, 21),
    "pool2_conv": (3, 128, 128),
    "pool2_fc": (1, 128, 128),
    "pool2_ms": (1, 128, 21),
    "pool3_conv": (3, 256, 128),
    "pool3_fc": (1, 128, 128),
    "pool3_ms": (1, 128, 21),
    "pool4_conv": (3, 512, 128),
    "pool4_fc": (1, 128, 128),
    "pool4_ms": (1, 128, 21),
}
# Of 20 classes and 5x5 cells; the scores of boxes are those of Fast R-CNN.
HYPERCOLUMN = VGG16 | {
    "cls_score": (1, 4096, 21),
    "hyper_pool3": (3, 256, 500),
    "hyper_pool4": (1, 512, 500),
    "hyper_fc7": (1, 4096, 500),
}
# On the segment's path the box's layers again; each path ends with 4096 channels.
CFM = VGG16 | {
    "fc6_segment": VGG16["fc6"],
    "fc7_segment": VGG16["fc7"],
    "cls_score": (1, 8192, 21),
}
# A pyramid of 1 + 4 + 9 + 36 bins.
CFM_DESIGN_B = {
    "conv1": (7, 3, 96),
    "conv2": (5, 96, 256),
    "conv3": (3, 256, 384),
    "conv4": (3, 384, 384),
    "conv5": (3, 384, 256),
    "fc6": (1, 50 * 256, 4096),
    "fc7": (1, 4096, 4096),
    "cls_score": (1, 4096, 21),
}
CONVOLUTIONS = {
    "fcn32s": FCN32S,
    "fcn16s": FCN16S,
    "fcn8s": FCN8S,
    "fcn8s_atonce": FCN8S,
    "fcn_alexnet": FCN_ALEXNET,
    "fcn_googlenet": FCN_GOOGLENET,
    "deconvnet": DECONVNET,
    "segnet": SEGNET,
    "deeplab": DEEPLAB,
    "deeplab_7x7": DEEPLAB_7X7,
    "deeplab_largefov": DEEPLAB_LARGEFOV,
    "deeplab_msc": DEEPLAB | DEEPLAB_BRANCHES,
    "deeplab_msc_largefov": DEEPLAB_LARGEFOV | DEEPLAB_BRANCHES,
    "hypercolumn": HYPERCOLUMN,
    "cfm": CFM,
    "cfm_design_b": CFM_DESIGN_B,
    "zoomout": VGG16 | {"hidden": (1, 12416, 1024), "score": (1, 1024, 21)},
}
# Features that are standardised, by statistics that are not learned.
STANDARDIZED = {"zoomout": 12416}
# Layers that BatchNorm does not follow, in nets where it follows all others.
LAST = {"deconvnet": "seg-score", "segnet": "conv1_1_D"}
# Transposed convolutions without a bias, and the sides of their kernels.
UPSAMPLING = {
    "fcn32s": {"upscore": 64},
    "fcn16s": {"upscore2": 4, "upscore16": 32},
    "fcn8s": {"upscore2": 4, "upscore_pool4": 4, "upscore8": 16},
    "fcn8s_atonce": {"upscore2": 4, "upscore_pool4": 4, "upscore8": 16},
}
CLASSES = 21
# Recorded tables: the net, whether its upsampling is learned, and what has BatchNorm:
# in DeconvNet and SegNet every layer but the last; as a variant of ours the 3x3 ones of
# VGG-16.
TABLES = {
    f"{net}{suffix}": (net, learned, norm)
    for net in UPSAMPLING
    for suffix, learned, norm in (
        ("", False, ()),
        ("_learned", True, ()),
        ("_same_bn", False, tuple(x for x in VGG16 if x.startswith("conv"))),
    )
} | {
    net: (net, False, tuple(x for x in CONVOLUTIONS[net] if x != last))
    for net, last in LAST.items()
}
_OTHERS = ("deeplab", "fcn_alexnet", "fcn_googlenet", "hypercolumn", "cfm", "zoomout")
TABLES |= {net: (net, False, ()) for net in CONVOLUTIONS if net.startswith(_OTHERS)}


def batch_norm_of(layer: str) -> str:
    """The name of a layer's BatchNorm: bn1_1, bnfc6, debn5_1, bn5_3_D."""
    if layer == "fc6-deconv":
        return "fc6-deconv-bn"
    return layer.replace("deconv", "debn").replace("conv", "bn").replace("fc", "bnfc")


def parameter_table(table: str) -> str:
    """A line for every variable of a net: its name, shape and dtype, in order.

    Args:
        table: A key of `TABLES`.
    """
    net, learned, normalised = TABLES[table]
    shapes = {}
    for layer, (side, given, made) in CONVOLUTIONS[net].items():
        shapes[f"params/{layer}/kernel"] = (side, side, given, made)
        shapes[f"params/{layer}/bias"] = (made,)
        if layer in normalised:
            norm = batch_norm_of(layer)
            for name in ("params/{}/scale", "params/{}/bias",
                         "batch_stats/{}/mean", "batch_stats/{}/var"):  # fmt: skip
                shapes[name.format(norm)] = (made,)
    for layer, side in UPSAMPLING.get(net, {}).items() if learned else ():
        shapes[f"params/{layer}/kernel"] = (side, side, CLASSES, CLASSES)
    if net in STANDARDIZED:
        for name in ("mean", "var"):
            shapes[f"batch_stats/standardize/{name}"] = (STANDARDIZED[net],)
    lines = (f"{n} {' '.join(map(str, shapes[n]))} float32\n" for n in sorted(shapes))
    return "".join(lines)
