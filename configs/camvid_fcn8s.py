r"""FCN-8s on CamVid (367 training, 101 validation images, 11 classes), from scratch.

python train.py --config=configs/camvid_fcn8s.py --workdir=runs/camvid_fcn8s \
    --config.data.root=DIR
Modes: full (CPU: half width, half resolution), gpu (full width and resolution), smoke;
and a net of 5 million parameters, half width and fc6 of 3x3, dilated, which is small
enough to be packed: light_first and, from it, light (CPU, half resolution; an hour),
light_gpu (full resolution).

python train.py --config=configs/camvid_fcn8s.py:light_first \
    --workdir=runs/camvid_light_first --config.data.root=DIR
python train.py --config=configs/camvid_fcn8s.py:light --workdir=runs/camvid_light \
    --config.data.root=DIR

Published for scale, with ImageNet weights and 3,433 training images: FCN 0.498
(Badrinarayanan et al. 2017, SegNet).
Ours, validation mean IU at the full 360x480: see README.md, "Results".
"""

from fcn_jax.config.base import base_config

_EPOCH = 367 / 8  # Steps.

MODES = ("full", "gpu", "light_first", "light", "light_gpu", "smoke")


def get_config(mode: str = "full"):
    config = base_config()
    config.data.name = "folder"
    config.data.root = "../shared/data/camvid"
    config.data.flip = True
    config.data.brightness = 0.2
    config.model.num_classes = 11
    config.model.padding = "same"
    config.model.batch_norm = True
    config.preprocessing = "imagenet"
    config.optim.name = "adamw"
    config.optim.learning_rate = 2e-3
    config.optim.weight_decay = 1e-2
    config.optim.schedule = "one_cycle"
    config.batch_size = 8
    config.eval_batch_size = 4
    config.log_every = 20
    if mode.endswith("gpu"):
        config.data.scale = (0.6, 1.8)
        config.data.crop = (352, 480)
        config.data.num_threads = 8
        config.data.cache = 1.0  # All of CamVid, decoded.
        config.model.dtype = "bfloat16"
        epochs, between = 150, 10
    else:
        # Half resolution: scales are relative to the 360x480 image.
        config.data.scale = (0.35, 0.8)
        config.data.crop = (176, 240)
        config.eval_scale = 0.5
        config.model.width = 0.5
        config.model.fc_features = 2048  # 1024 at this width.
        epochs, between = 46, 5
    if mode.startswith("light"):
        config.model.width = 0.5
        config.model.fc_features = 1024  # 512 at this width.
        config.model.fc6_dilation = 3
    if mode == "light_first":  # Small crops of small images: half the time a step.
        config.data.scale = (0.3, 0.7)
        config.data.crop = (128, 160)
        epochs = 25
    if mode == "light":
        config.init_from = "runs/camvid_light_first"
        config.optim.learning_rate = 1e-3
        epochs, between = 9, 3
    config.num_steps = round(epochs * _EPOCH)
    config.eval_every = config.checkpoint_every = round(between * _EPOCH)
    if mode == "smoke":
        config.model.width = 1 / 16
        config.batch_size = config.eval_batch_size = 2
        config.num_steps, config.log_every = 2, 1
    return config
