"""Every key that a config can have, with its default; the other configs start here."""

import ml_collections


def base_config() -> ml_collections.ConfigDict:
    """A locked config: setting a key that does not stand here is an error."""
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.num_steps = 1000  # Optimiser updates.
    config.batch_size = 8  # Images of one update, over all devices.
    config.accumulate = 1  # Micro-batches that one update's images are split into.

    config.data = ml_collections.ConfigDict()
    config.data.name = "shapes"  # A name of fcn_jax.data.DATASETS.
    config.data.train_split = "train"
    config.data.eval_split = "val"
    config.data.root = ""  # "folder": the directory in VOC layout.
    config.data.palette = ""  # "folder": text file of RGB masks' colours; "": VOC's.
    config.data.data_dir = ""  # Where prepared TFDS data are; "": TFDS's own default.
    config.data.manual_dir = ""  # Where archives are that you hold already.
    config.data.canvas = ()  # (H, W) that whole images are padded to; (): the maximum.
    config.data.with_replacement = False  # Draw images as the Caffe release does.
    config.data.num_threads = 2
    # Augmentation, off as in the paper: scale = (low, high), crop = (H, W) pixels,
    # jitter in pixels, brightness as a fraction.
    config.data.flip = False
    config.data.scale = ()
    config.data.crop = ()
    config.data.jitter = 0
    config.data.brightness = 0.0

    config.model = ml_collections.ConfigDict()
    config.model.name = "fcn8s"  # A name of fcn_jax.models.MODELS.
    config.model.num_classes = 21
    config.model.width = 1.0
    config.model.fc_features = 4096
    config.model.padding = "caffe"
    config.model.batch_norm = False
    config.model.bn_momentum = 0.9
    config.model.bn_epsilon = 1e-5
    config.model.freeze_batch_norm = False
    config.model.dropout_rate = 0.5
    config.model.upsampling = "fixed"
    config.model.skip_scales = ()  # Of pool4 and pool3; (): the model's own.
    config.model.dtype = "float32"  # Or "bfloat16".
    config.preprocessing = "caffe"  # Or "imagenet".
    config.init_from = ""  # A run's directory, or an .npz of VGG-16.

    config.loss = ml_collections.ConfigDict()
    config.loss.reduction = "mean"  # Or "sum": over pixels, divided by the images.
    config.loss.class_weights = ()
    config.loss.pixel_probability = 1.0

    config.optim = ml_collections.ConfigDict()
    config.optim.name = "sgd"  # Caffe's; or "adamw".
    config.optim.learning_rate = 1e-3
    config.optim.schedule = "constant"  # A name of fcn_jax.optim.SCHEDULES.
    config.optim.schedule_options = ml_collections.ConfigDict()
    config.optim.momentum = 0.9
    config.optim.weight_decay = 5e-4
    config.optim.bias_lr = 2.0  # SGD: multipliers of biases.
    config.optim.bias_decay = 0.0
    config.optim.frozen = ()  # Layer-name patterns that do not learn.
    config.optim.clip_norm = 0.0  # Of the whole gradient; 0: off.

    config.log_every = 100
    config.eval_every = 1000
    config.checkpoint_every = 1000
    config.keep_checkpoints = 2  # Of the newest; the best is kept beside them.
    config.num_pictures = 4  # Predictions drawn at each evaluation.
    config.eval_batch_size = 8
    config.eval_scale = 1.0  # Input resolution; scores are taken at the image's own.

    config.lock()
    return config
