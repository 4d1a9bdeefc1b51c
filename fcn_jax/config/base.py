"""Every key that a config can have, with its default; the other configs start here."""

import ml_collections

from fcn_jax.config.types import Config


def base_config(family: str = "fcn") -> Config:
    """A locked config: setting a key that does not stand here is an error.

    Args:
        family: "fcn" or "deconvnet", whose options are then those of `model`.
    """
    config = Config()
    config.seed = 0
    config.num_steps = 1000  # Optimiser updates.
    config.batch_size = 8  # Images of one update, over all devices.
    config.accumulate = 1  # Micro-batches that one update's images are split into.

    # On a GPU: the same bits in every run, by algorithms that are slower. On a CPU they
    # are the same anyway.
    config.deterministic = False

    _add_data(config)
    config.model = FAMILIES[family]()
    config.preprocessing = "caffe"  # Or "imagenet".
    config.init_from = ""  # A run, or weights of any format.
    config.init_least = 0.5  # Share of the encoder that init_from must give.
    config.init_inputs = ""  # What their net was given, as preprocessing; "": told.
    _add_loss_and_optim(config)
    # Dense CRF after the network, in eval.py: a name of fcn_jax.crf.PARAMETERS, or the
    # JSON file of a search (python -m fcn_jax crf_search); "": none. (model.crf is one
    # that is trained.)
    config.crf = ml_collections.ConfigDict()
    config.crf.parameters = ""
    config.crf.capacity = 0  # Vertices of the lattice; 0: 1 to 6 a pixel.

    config.log_every = 100
    config.eval_every = 1000
    config.checkpoint_every = 1000
    config.keep_checkpoints = 2  # Of the newest; the best is kept beside them.
    config.num_pictures = 4  # Predictions drawn at each evaluation.
    config.eval_batch_size = 8
    config.eval_scale = 1.0  # Input resolution; scores are taken at the image's own.
    # Training batches whose statistics BatchNorm uses in eval.py, averaged, as the
    # release of DeconvNet does; 0: the running averages of training.
    config.batch_stats_batches = 0

    _add_inference(config)
    config.lock()
    return config


def _add_data(config: Config) -> None:
    config.data = ml_collections.ConfigDict()
    config.data.name = "shapes"  # A name of fcn_jax.data.DATASETS.
    config.data.train_split = "train"
    config.data.eval_split = "val"
    config.data.eval_name = ""  # Where it is a split of; "": of data.name.
    config.data.root = ""  # "folder": the directory in VOC layout.
    config.data.palette = ""  # "folder": text file of RGB masks' colours; "": its own.
    _add_folder(config)
    config.data.data_dir = ""  # Where prepared TFDS data are; "": TFDS's own default.
    config.data.manual_dir = ""  # Where archives are that you hold already.
    config.data.canvas = ()  # (H, W) that whole images are padded to; (): the maximum.
    config.data.with_replacement = False  # Draw images as the Caffe release does.
    config.data.num_threads = 2
    config.data.cache = 0.0  # GiB for training images that are decoded once and kept.
    # Augmentation, off as in the paper: scale = (low, high), crop = (H, W) pixels,
    # jitter in pixels, brightness as a fraction.
    config.data.flip = False
    config.data.scale = ()
    config.data.crop = ()
    config.data.jitter = 0
    config.data.brightness = 0.0
    # DeconvNet's examples instead of whole images: stage "objects", then "proposals"
    # (fcn_jax.data.objects). Evaluation sees whole images.
    config.data.objects = ml_collections.ConfigDict()
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
    config.data.mask_dir = "SegmentationClass"
    config.data.missing_mask = "error"  # Or "background", "void".
    config.data.void_label = 255  # In masks; 255 is void beside it.
    config.data.reduce_zero_label = False  # In masks 0 is void, 1 the first class.
    config.data.mask_values = ()  # Of each class in masks; (): values are labels.
    config.data.apply_exif = False  # Turn photos as their EXIF orientation says.
    config.data.split = 0.0  # Share that "train" has where there are no lists.
    config.data.split_seed = 0


def _add_loss_and_optim(config: Config) -> None:
    config.loss = ml_collections.ConfigDict()
    config.loss.name = "cross_entropy"  # A key of fcn_jax.config.build.LOSSES.
    config.loss.reduction = "mean"  # Or "sum": over pixels, divided by the images.
    config.loss.class_weights = ()
    config.loss.balance = ""  # Or "median_frequency": weights from the training masks.
    config.loss.pixel_probability = 1.0
    config.loss.pixel_stride = 0  # Side of the cells sampled together; 0: of a pixel.

    config.optim = ml_collections.ConfigDict()
    config.optim.name = "sgd"  # Caffe's; or "adamw".
    config.optim.learning_rate = 1e-3
    config.optim.schedule = (
        "constant"  # A name of fcn_jax.training.schedules.SCHEDULES.
    )
    config.optim.schedule_options = ml_collections.ConfigDict()
    config.optim.momentum = 0.9
    config.optim.weight_decay = 5e-4
    config.optim.bias_lr = 2.0  # SGD: multipliers of biases.
    config.optim.bias_decay = 0.0
    config.optim.bn_decay = 0.0  # SGD: decay multiplier of BatchNorm.
    config.optim.frozen = ()  # Layer-name patterns that do not learn.
    config.optim.clip_norm = 0.0  # Of the whole gradient; 0: off.


def _add_inference(config: Config) -> None:
    # How eval.py looks at an image: "whole", or by windows that the network sees at
    # one size: "proposals" (those of data.objects), "tiles" or "window" (all of it).
    config.inference = ml_collections.ConfigDict()
    config.inference.method = "whole"
    config.inference.side = 224  # Of the windows as the network sees them, pixels.
    config.inference.aggregation = "max"  # Or "mean", "sum".
    config.inference.variant = "paper"  # Or "released".
    config.inference.num_proposals = 50
    config.inference.min_side = 0  # Of a proposal, pixels; the release has 112.
    config.inference.overlap = 0.5  # Of tiles.
    config.inference.boxes_at_once = 8


def _fcn():
    model = ml_collections.ConfigDict()
    model.name = "fcn8s"  # A name of fcn_jax.models.MODELS.
    model.encoder = ""  # A name of fcn_jax.models.encoders.ENCODERS; "": vgg16.
    model.num_classes = 21
    model.channels = 0  # Of the images; 0: the 3 of RGB.
    model.width = 1.0
    model.fc_features = 4096
    model.padding = "caffe"
    model.batch_norm = False
    model.batch_norm_fc = False  # After fc6 and fc7, as in DeconvNet's encoder.
    model.bn_momentum = 0.9
    model.bn_epsilon = 1e-5
    model.freeze_batch_norm = False  # True: averages are kept, and used in training.
    model.dropout_rate = 0.5
    model.upsampling = "fixed"
    model.skip_scales = ()  # Of pool4 and pool3; (): the model's own.
    model.dtype = "float32"  # Or "bfloat16".
    model.crf = ""  # Parameters at which a CRF starts that learns with the network.
    return model


def _deconvnet():
    model = ml_collections.ConfigDict()
    model.name = "deconvnet"
    model.num_classes = 21
    model.width = 1.0
    model.fc_features = 4096
    model.padding = "valid"
    model.bn_momentum = 0.9
    model.bn_epsilon = 1e-9
    model.bn_shift = 1e-3
    model.decoder_start = "normal"  # Or "upsampling", which learns sooner from scratch.
    model.freeze_batch_norm = False
    model.dropout_rate = 0.0
    model.dtype = "float32"  # Or "bfloat16".
    model.crf = ""  # Parameters at which a CRF starts that learns with the network.
    return model


FAMILIES = {"fcn": _fcn, "deconvnet": _deconvnet}
