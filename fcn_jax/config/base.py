"""Every key that a config can have, with its default; the other configs start here."""

import ml_collections

from fcn_jax.config.types import Config


def base_config(family: str = "fcn") -> Config:
    """A locked config: setting a key that does not stand here is an error.

    Args:
        family: A key of `FAMILIES`, whose options are then those of `model`.
    """
    config = Config()
    config.seed = 0  # Of weights, order, augmentation, dropout.
    config.num_steps = 1000  # Optimiser updates.
    config.batch_size = 8  # Images of one update, over all devices of all processes.
    config.accumulate = 1  # Micro-batches that one update's images are split into.

    # On a GPU: the same bits in every run, by algorithms that are slower. On a CPU they
    # are the same anyway.
    config.deterministic = False

    _add_data(config)
    config.model = FAMILIES[family]()
    config.preprocessing = "caffe"  # "caffe", "imagenet", or "sift_flow".
    # A run, weights of any format, or the name of some that `fcn_jax fetch` got.
    config.init_from = ""
    config.init_least = 0.5  # Share of the encoder that init_from must give.
    config.init_inputs = ""  # What their net was given, as preprocessing; "": told.
    _add_loss_and_optim(config)
    config.crf = ml_collections.ConfigDict()
    # Dense CRF after the network, in eval: a name of fcn_jax.crf.PARAMETERS, or the
    # JSON file of a search (fcn_jax crf_search); "": none. (model.crf is trained.)
    config.crf.parameters = ""
    config.crf.capacity = 0  # Vertices of the lattice; 0: 1 to 6 a pixel.

    config.log_every = 100  # Steps between two lines of the log.
    config.eval_every = 1000  # Steps between two evaluations.
    # Training ends after as many evaluations without a better mean IU; 0: it does not.
    config.early_stopping = 0
    config.checkpoint_every = 1000  # Steps between two checkpoints.
    config.keep_checkpoints = 2  # Of the newest; the best is kept beside them.
    config.num_pictures = 4  # Predictions drawn at each evaluation.
    # Several processes: seconds without a step after which all end; 0: they wait.
    config.hang_timeout = 600.0
    # Images that are scored together, over all devices of all processes.
    config.eval_batch_size = 8
    config.eval_scale = 1.0  # Input resolution; scores are taken at the image's own.
    # Training batches whose statistics BatchNorm uses in eval.py, averaged, as the
    # release of DeconvNet does; 0: the running averages of training.
    config.batch_stats_batches = 0

    # Training batches over which zoom-out features are standardised before the first
    # step; 0: as many as hold the training set once.
    config.standardize_batches = 0

    _add_inference(config)
    config.lock()
    return config


def _add_data(config: Config) -> None:
    config.data = ml_collections.ConfigDict()
    config.data.name = "shapes"  # A name of fcn_jax.data.DATASETS.
    config.data.train_split = "train"  # That is trained on.
    config.data.eval_split = "val"  # That is scored.
    config.data.eval_name = ""  # Data set that eval_split is of; "": data.name.
    # What is seen of training images, the rest being masked out: "foreground" (the
    # objects), "background", "shape" (the objects, white); "": all of them.
    config.data.train_cue = ""
    config.data.eval_cue = ""  # Likewise, of those that are scored.
    config.data.root = ""  # "folder": the one in VOC layout; of a tool: its files.
    config.data.palette = ""  # "folder": text file of RGB masks' colours; "": its own.
    # Of sets with depth: "rgb", "rgbd" (its logarithm), "hha" (made of depth) or
    # "rgbhha"; "": colours. config.preprocessing and model.channels must fit.
    config.data.channels = ""
    _add_folder(config)
    config.data.labels = ""  # Of a tool's files: the table of labels; "": its own.
    config.data.images = ""  # Of a tool's files: folder of images; "": to be found.
    config.data.masks = ""  # Of a tool's files: folder of masks likewise.
    config.data.classes = ""  # Label set of a data set with several: "60" or "59".
    # Data set that is trained on beside data.name, such as "coco_voc"; "": none.
    config.data.extra = ""
    config.data.extra_split = "train"  # Of that.
    config.data.extra_root = ""  # Where it is.
    config.data.data_dir = ""  # Where prepared data are; "": the default.
    config.data.manual_dir = ""  # Where archives are that you hold already.
    config.data.canvas = ()  # (H, W) that whole images are padded to; (): the maximum.
    config.data.with_replacement = False  # Draw images as the Caffe release does.
    config.data.num_threads = 2  # That make batches ahead, of each process that does.
    config.data.num_workers = 0  # Processes that make training batches; 0: this one.
    config.data.cache = 0.0  # GiB for training images that are decoded once and kept.

    # Augmentation, off as in the paper.
    config.data.flip = False  # Mirror half of the training images.
    config.data.scale = ()  # (LOWEST, HIGHEST) factor that images are resized by.
    config.data.crop = ()  # (H, W) that is cut out at random, pixels.
    config.data.jitter = 0  # Images are moved by as much at most, pixels.
    config.data.brightness = 0.0  # Changed by as much at most, as a fraction.
    config.data.contrast = 0.0  # About the mean, by as much at most, as a fraction.
    config.data.saturation = 0.0  # By as much at most, as a fraction; 1: to grey.
    config.data.hue = 0.0  # Turned by as much at most, degrees; 120: red to green.
    config.data.blur = 0.0  # Standard deviation at most, pixels.
    config.data.rotation = 0.0  # By as much at most, degrees; the corners are void.
    config.data.cutout = ()  # (H, W) of a box that is void, anywhere, pixels; (): none.
    # Share of training images over which half of another's classes are laid.
    config.data.class_mix = 0.0

    config.data.objects = ml_collections.ConfigDict()
    # DeconvNet's examples instead of whole images: "objects", then "proposals"
    # (fcn_jax.data.objects). Evaluation sees whole images.
    config.data.objects.stage = ""
    config.data.objects.size = 250  # Of an example, pixels; data.crop cuts 224 of it.
    config.data.objects.extension = 1.2  # Of boxes, for context.
    config.data.objects.min_area = 100  # Of an object, pixels.
    config.data.objects.min_iou = 0.5  # Of a proposal with an object.
    config.data.objects.balance = 10  # Copies of an example of a rare class, at most.
    config.data.objects.proposal_method = "edge_boxes"  # See fcn_jax.proposals.
    config.data.objects.num_proposals = 2000  # An image.
    config.data.objects.proposal_options = ml_collections.ConfigDict()  # Of the method.
    config.data.objects.cache_dir = ""  # Of proposals and of the index of examples.


def _add_folder(config: Config) -> None:
    # How the files of a "folder" are to be read: fcn_jax.data.options.FolderOptions.

    config.data.mask_dir = "SegmentationClass"  # Folder of a "folder"'s masks.
    config.data.missing_mask = (
        "error"  # For images without: "background", "void" or "error".
    )
    config.data.void_label = 255  # Of void in masks; 255 is void beside it.
    config.data.reduce_zero_label = False  # In masks 0 is void, 1 the first class.
    config.data.mask_values = ()  # Value of each class in masks; (): they are labels.
    config.data.apply_exif = False  # Turn photos as their EXIF orientation says.
    config.data.split = 0.0  # Share that "train" has where there are no lists.
    config.data.split_seed = 0  # By which images are drawn into it.


def _add_loss_and_optim(config: Config) -> None:
    config.loss = ml_collections.ConfigDict()
    # "cross_entropy", "focal", "dice", "tversky", "lovasz" or, of nets that look at
    # superpixels, "superpixel_cross_entropy"; or a weighted sum such as
    # "cross_entropy+0.5*dice".
    config.loss.name = "cross_entropy"
    config.loss.focal_gamma = 2.0  # focal: exponent; 0: cross-entropy.
    config.loss.tversky = (
        0.3,
        0.7,
    )  # What a false positive and a false negative count.
    # dice, tversky, lovasz: True: mean of the images; False: of all the batch's pixels.
    config.loss.per_image = False
    config.loss.reduction = "mean"  # "mean", or "sum": over pixels, by images.
    config.loss.class_weights = ()  # Of each class; (): all 1.
    # "median_frequency": weights from the masks; "inverse_frequency": from superpixels,
    # one over the share of a class; "": none.
    config.loss.balance = ""
    # What class_weights and balance do: "loss": they are factors of a pixel's loss;
    # "sampling": pixels count as often, the class that weighs most with
    # pixel_probability.
    config.loss.weigh_by = "loss"
    config.loss.pixel_probability = 1.0  # That a pixel counts in a step.
    config.loss.pixel_stride = 0  # Side of the cells sampled together; 0: of a pixel.
    # True: an update has batch_size / pixel_probability images, so that as many pixels
    # count as without sampling.
    config.loss.larger_batch = False
    # Pixels from one that the loss sees to the next; 8: those on which DeepLab's cells
    # lie; 1: all.
    config.loss.label_shrink = 1

    config.optim = ml_collections.ConfigDict()
    config.optim.name = "sgd"  # "sgd", which is Caffe's, or "adamw".
    config.optim.learning_rate = 1e-3  # Of weights, at its highest.
    # A name of fcn_jax.training.schedules.SCHEDULES.
    config.optim.schedule = "constant"
    config.optim.schedule_options = ml_collections.ConfigDict()  # Of that.
    config.optim.momentum = 0.9  # SGD.
    config.optim.weight_decay = 5e-4  # Of weights.
    config.optim.bias_lr = 2.0  # SGD: learning-rate multiplier of biases.
    config.optim.bias_decay = 0.0  # SGD: decay multiplier of biases.
    config.optim.bn_decay = 0.0  # SGD: decay multiplier of BatchNorm.
    config.optim.frozen = ()  # Layer-name patterns that do not learn.
    config.optim.slow = ()  # Patterns of layers that learn at slow_rate times the rate.
    config.optim.slow_rate = 0.1  # Factor on the rate (and decay) of optim.slow.
    config.optim.clip_norm = 0.0  # Of the whole gradient; 0: off.


def _add_inference(config: Config) -> None:
    config.inference = ml_collections.ConfigDict()
    # How eval looks at an image: "whole", or by windows that the network sees at one
    # size: "proposals" (those of data.objects), "tiles" or "window" (all of it).
    config.inference.method = "whole"
    config.inference.side = 224  # Of the windows as the network sees them, pixels.
    config.inference.aggregation = "max"  # Of windows' scores: "max", "mean" or "sum".
    config.inference.variant = "paper"  # What a window adds: "paper" or "released".
    config.inference.num_proposals = 50  # An image.
    config.inference.min_side = 0  # Of a proposal, pixels; the release has 112.
    config.inference.overlap = 0.5  # Of tiles.
    config.inference.boxes_at_once = 8  # Windows that the network sees together.


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
    "zoomout": _zoomout,
}


def family_of(model: str) -> str:
    """The family whose options a network has.

    Args:
        model: Its name, a key of `fcn_jax.models.MODELS`.
    """
    return next((name for name in FAMILIES if model.startswith(name)), "fcn")
