"""What can be set of each family of networks: the keys of `config.model`."""

import ml_collections


def _fcn():
    model = ml_collections.ConfigDict()
    model.name = "fcn8s"  # A name of fcn_jax.models.MODELS.
    # A name of fcn_jax.models.encoders.ENCODERS; "": the net's own, vgg16 of most.
    model.encoder = ""
    model.num_classes = 21  # Or a number for each head, by name.
    model.channels = 0  # Of the images; 0: the 3 of RGB.
    model.width = 1.0  # Factor on the channels of every layer.
    model.fc_features = 4096  # Of fc6 and fc7, times width.
    model.fc6_dilation = 0  # 3: fc6 is 3x3, dilated to see 7x7 cells; 0: it is 7x7.
    model.padding = "caffe"  # "caffe": 100 pixels around an image; "same": none.
    model.norm_first = False  # AlexNet: LRN before pooling, as in bvlc_alexnet.
    model.batch_norm = False  # After each convolution of the encoder.
    model.batch_norm_fc = False  # After fc6 and fc7, as in DeconvNet's encoder.
    model.bn_momentum = 0.9  # Of the running averages.
    model.bn_epsilon = 1e-5  # Added to variances.
    model.freeze_batch_norm = False  # True: averages are kept, and used in training.
    model.dropout_rate = 0.5  # After fc6 and fc7.
    # Image pixels per cell of fc7, by dilation in place of strides; 1: dense; 0: 32.
    model.output_stride = 0
    # "fixed" (bilinear), "learned" or "learned_2x"; or resizing, "nearest", "bilinear".
    model.upsampling = "fixed"
    model.skip_scales = ()  # Of pool4 and pool3; (): the model's own.
    model.dtype = "float32"  # "float32" or "bfloat16".
    model.crf = ""  # Parameters at which a CRF starts that learns with the network.
    return model


def _deconvnet():
    model = ml_collections.ConfigDict()
    model.name = "deconvnet"
    model.num_classes = 21
    model.width = 1.0
    model.fc_features = 4096
    model.fc6_dilation = 0
    model.padding = "valid"
    model.bn_momentum = 0.9
    model.bn_epsilon = 1e-9
    model.bn_shift = 1e-3  # At which the shifts of BatchNorm start.
    model.decoder_start = "normal"  # Or "upsampling", which learns sooner from scratch.
    model.freeze_batch_norm = False
    model.dropout_rate = 0.0
    model.dtype = "float32"  # "float32" or "bfloat16".
    model.crf = ""  # Parameters at which a CRF starts that learns with the network.
    return model


def _segnet():
    model = ml_collections.ConfigDict()
    model.name = "segnet"
    model.num_classes = 21
    model.width = 1.0
    model.bn_momentum = 0.9
    model.bn_epsilon = 1e-9
    model.bn_shift = 1e-3
    model.freeze_batch_norm = False
    model.dtype = "float32"  # "float32" or "bfloat16".
    model.crf = ""  # Parameters at which a CRF starts that learns with the network.
    return model


def _deeplab():
    model = ml_collections.ConfigDict()
    model.name = "deeplab_largefov"
    model.num_classes = 21
    model.channels = 0
    model.width = 1.0
    model.fc_features = 0  # 0: those of the net, 1024 or 4096.
    model.batch_norm = False
    model.batch_norm_fc = False
    model.bn_momentum = 0.9
    model.bn_epsilon = 1e-5
    model.freeze_batch_norm = False
    model.dropout_rate = 0.5
    model.dtype = "float32"  # "float32" or "bfloat16".
    model.crf = ""  # Parameters at which a CRF starts that learns with the network.
    return model


def _hypercolumn():
    model = ml_collections.ConfigDict()
    model.name = "hypercolumn"
    model.num_classes = 21
    model.channels = 0
    model.width = 1.0
    model.fc_features = 4096
    model.grid = 5  # Classifiers of a class in each direction of a box's window.
    model.side = 50  # Of the window, pixels.
    model.extension = 227 / 195  # Factor on the sides of a box for its window.
    model.layer_scales = (0.0027, 0.063)  # On pool3 and pool4.
    model.batch_norm = False
    model.bn_momentum = 0.9
    model.bn_epsilon = 1e-5
    model.freeze_batch_norm = False
    model.dropout_rate = 0.5
    model.dtype = "float32"  # "float32" or "bfloat16".
    return model


def _cfm():
    model = ml_collections.ConfigDict()
    model.name = "cfm"  # Design A; "cfm_design_b": one path, the finest level masked.
    model.encoder = ""  # "zf5"; "": the net's own, vgg16 of design A.
    model.num_classes = 21
    model.channels = 0
    model.width = 1.0
    model.fc_features = 4096  # Of fc6 and fc7 of each path, times width.
    model.levels = ()  # Bins of a pyramid's levels; (): (7,) of VGG-16, 1, 2, 3, 6.
    model.inwards = 6.5  # Pixels by which boxes' edges move before cells are taken.
    model.batch_norm = False
    model.bn_momentum = 0.9
    model.bn_epsilon = 1e-5
    model.freeze_batch_norm = False
    model.dropout_rate = 0.5
    model.dtype = "float32"  # "float32" or "bfloat16".
    return model


def _zoomout():
    model = ml_collections.ConfigDict()
    model.name = "zoomout"
    model.num_classes = 21
    model.width = 1.0
    model.fc_features = 4096
    # Of regions: "valid", as VGG-16 was trained (side >= 193), or "same".
    model.padding = "valid"
    model.batch_norm = False
    model.batch_norm_fc = False
    model.bn_momentum = 0.9
    model.bn_epsilon = 1e-5
    model.levels = ()  # What is known of a superpixel; (): what the net has.
    model.hidden = 1024  # Units of the MLP; 0: linear.
    model.mlp_dropout = 0.0  # Of its units.
    model.num_superpixels = 500  # Of an image, asked for of SLIC.
    model.max_superpixels = 0  # That it may have; 0: half as many again.
    model.compactness = 10.0  # Of SLIC: what place counts against colour.
    model.side = 224  # Of a region as the encoder sees it, pixels.
    model.regions_at_once = 8  # That it sees together.
    model.dtype = "float32"  # "float32" or "bfloat16".
    model.crf = ""  # Parameters at which a CRF starts that learns with the network.
    return model


FAMILIES = {
    "fcn": _fcn,
    "deconvnet": _deconvnet,
    "segnet": _segnet,
    "deeplab": _deeplab,
    "hypercolumn": _hypercolumn,
    "cfm": _cfm,
    "zoomout": _zoomout,
}


def family_of(model: str) -> str:
    """The family whose options a network has.

    Args:
        model: Its name, a key of `fcn_jax.models.MODELS`.
    """
    return next((name for name in FAMILIES if model.startswith(name)), "fcn")
