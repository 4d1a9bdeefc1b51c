r"""DeepLab from boxes in which a CRF found the object: Bbox-Seg, on VOC and SBD (WSSL).

python train.py --config=configs/voc_wssl_bbox_seg.py --workdir=runs/wssl_bbox_seg \
    --config.init_from=vgg16.npz --config.data.box_cache_dir=segments
Papandreou et al. 2015, arXiv:1502.02734: a fifth of each box is fixed, the rest of it
is left to a dense CRF with parameters of its own, before training.
Published: mean IU 53.68 on VOC 2012 val, 58.45 with the CRF; 60.4 on test with it. The
labels themselves have 72.6 with 20 % fixed, 71.8 with 40, 68.8 with 60, 65.6 with 80.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_deeplab = named.load("voc_deeplab")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_deeplab.get_config(mode)
    config.data.supervision = "box_segments"
    config.data.box_centre = 0.2
    config.data.box_crf = "wssl"
    return config
