"""Every key that a config can have, with its default; the other configs start here."""

import ml_collections

from fcn_jax.config.families import FAMILIES
from fcn_jax.config.types import Config


def base_config(family: str = "fcn") -> Config:
    """A locked config: setting a key that does not stand here is an error.

    Args:
        family: A key of `families.FAMILIES`, whose options are then those of `model`.
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
    config.preprocessing = "caffe"  # A name of fcn_jax.preprocessing.PREPROCESSING.
    # A run, weights of any format, or the name of some that `fcn_jax fetch` got.
    config.init_from = ""
    config.init_least = 0.5  # Share of the encoder that init_from must give.
    config.init_inputs = ""  # What their net was given, as preprocessing; "": told.
    _add_loss_and_optim(config)
    _add_weak_labels(config)
    _add_boxsup(config)
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

    _add_objects(config)


def _add_objects(config: Config) -> None:
    config.data.objects = ml_collections.ConfigDict()
    # DeconvNet's examples instead of whole images: "objects", then "proposals"
    # (fcn_jax.data.objects). Evaluation sees whole images.
    # Of networks of boxes: "regions", whole images with boxes (fcn_jax.data.regions).
    # Of CFM: "segments", whole images with masks (fcn_jax.data.segments).
    config.data.objects.stage = ""
    config.data.objects.size = 250  # Of an example, pixels; data.crop cuts 224 of it.
    config.data.objects.extension = 1.2  # Of boxes, for context.
    config.data.objects.min_area = 100  # Of an object, pixels.
    config.data.objects.min_iou = 0.5  # Of a proposal with an object.
    # Drawn an update: of "regions" on its object, of "segments" of all objects.
    config.data.objects.boxes = 5
    # Of "regions": drawn for their class alone, a quarter of all objects, the rest of
    # background.
    config.data.objects.class_boxes = 8
    config.data.objects.background_boxes = 5  # Of "segments": of background.
    # Of "segments": overlap with objects of one of background, from and to.
    config.data.objects.negative_iou = (0.1, 0.3)
    config.data.objects.stuff = ()  # Of "segments": classes without instances, by name.
    config.data.objects.mcg_dir = ""  # Of the method "mcg": its files, ID.mat.
    config.data.objects.balance = 10  # Copies of an example of a rare class, at most.
    config.data.objects.proposal_method = "edge_boxes"  # See fcn_jax.proposals.
    config.data.objects.num_proposals = 2000  # An image.
    config.data.objects.proposal_options = ml_collections.ConfigDict()  # Of the method.
    config.data.objects.cache_dir = ""  # Of proposals and of the index of examples.


def _add_boxsup(config: Config) -> None:
    # data.supervision "boxsup": masks are chosen for boxes anew before each epoch.
    config.data.boxsup = ml_collections.ConfigDict()
    # Candidate masks: "segments" (selective search's), "mcg" (files of it), "grabcut".
    config.data.boxsup.method = "segments"
    config.data.boxsup.num = 2000  # Candidates of an image, at most.
    config.data.boxsup.options = ml_collections.ConfigDict()  # Of the method.
    config.data.boxsup.mcg_dir = ""  # Of MCG's files, ID.mat each.
    config.data.boxsup.cache_dir = ""  # Where candidates are kept; "": in memory.
    config.data.boxsup.k = 5  # A box's mask is drawn among as many of the cheapest.
    config.data.boxsup.weight = 3.0  # Lambda, of the net's loss; 0: overlap decides.
    # "mean": one candidate's overlap, the loss a mean over pixels; "sum": as printed.
    config.data.boxsup.objective = "mean"
    config.data.boxsup.min_iou = 0.0  # A candidate for a box overlaps it by more.
    config.data.boxsup.silent_epochs = 1  # The first, in which the net has no say yet.
    config.data.boxsup.epoch_steps = 0  # Updates of an epoch; 0: every image once.


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


def _add_weak_labels(config: Config) -> None:
    # What is known of training images in place of masks: "image_labels" (the classes
    # of the image), "crop_labels" (those of what is seen of it), "boxes" (Bbox-Rect:
    # rectangles), "box_segments" (Bbox-Seg: a dense CRF in them), "boxsup" (BoxSup:
    # candidate masks, chosen for boxes); "": masks.
    config.data.supervision = ""
    config.data.strong_split = ""  # Split whose images keep their masks; "": none.
    config.data.strong_name = ""  # Data set that strong_split is of; "": data.name.
    # As many of them, drawn once for all; of data.train_split where there is no
    # data.strong_split. 0: all of that, or none.
    config.data.strong_images = 0
    config.data.strong_share = 0.0  # Of a batch, images with masks; 0: as they come.
    config.data.box_centre = 0.2  # "box_segments": share of a box that is its object.
    config.data.box_crf = "wssl"  # Likewise: parameters, as of crf.parameters.
    config.data.box_cache_dir = ""  # Likewise: where what the CRF found is kept.
    # What labels the pixels of weak labels, from the scores of each step: "em_fixed",
    # "em_adapt" (of images or crops), "em_boxes" (of boxes); "": nothing does.
    config.loss.estimation = ""
    # em_fixed, em_boxes: added to scores of classes of objects, and of background.
    config.loss.estimation_biases = (6.0, 5.0)
    # em_adapt: what a class of objects, and the background, has of an image.
    config.loss.estimation_portions = (0.2, 0.4)
    config.loss.estimation_sweeps = 5  # em_adapt: over the classes of an image.


def _add_loss_and_optim(config: Config) -> None:
    config.loss = ml_collections.ConfigDict()
    # "cross_entropy", "focal", "dice", "tversky", "lovasz"; of nets that look at
    # superpixels "superpixel_cross_entropy", of boxes "box_masks" and "box_classes"; or
    # a weighted sum such as "cross_entropy+0.5*dice".
    config.loss.name = "cross_entropy"
    config.loss.focal_gamma = 2.0  # focal: exponent; 0: cross-entropy.
    # tversky: what a false positive and a false negative count.
    config.loss.tversky = (0.3, 0.7)
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
    # size: "proposals" (those of data.objects), "tiles" or "window" (all of it). Of
    # networks of boxes: "regions", a class and a mask of each proposal, pasted; of CFM:
    # "segments", a class of each proposed mask, pasted.
    config.inference.method = "whole"
    config.inference.side = 224  # Of the windows as the network sees them, pixels.
    config.inference.aggregation = "max"  # Of windows' scores: "max", "mean" or "sum".
    config.inference.variant = "paper"  # What a window adds: "paper" or "released".
    config.inference.num_proposals = 50  # An image.
    config.inference.min_side = 0  # Of a proposal, pixels; the release has 112.
    config.inference.overlap = 0.5  # Of tiles.
    config.inference.boxes_at_once = 8  # Windows that the network sees together.
    # "regions": probability of its class above which one is painted over background;
    # `fcn_jax regions` tells that of a split.
    config.inference.background = 0.5
    config.inference.foreground = 0.4  # From which on a pixel of a box is the object's.
    config.inference.region_iou = 0.3  # Of a class, above which the worse is left out.
    config.inference.most_regions = 10  # That are painted in an image.
    # "segments": parts that an image's may tell apart; of more the last go.
    config.inference.segment_parts = 4096
