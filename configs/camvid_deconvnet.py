r"""DeconvNet on CamVid (367 training, 101 validation images, 11 classes), from scratch.

python train.py --config=configs/camvid_fcn8s.py --workdir=runs/camvid_fcn8s_short \
    --config.data.root=DIR --config.num_steps=688
python train.py --config=configs/camvid_fcn32s.py --workdir=runs/camvid_fcn32s \
    --config.data.root=DIR --config.init_from=runs/camvid_fcn8s_short
python train.py --config=configs/camvid_deconvnet.py --workdir=runs/camvid_deconvnet \
    --config.data.root=DIR --config.init_from=runs/camvid_fcn32s
Whole images, by the protocol of camvid_fcn8s.py. Encoder and first scores come from
FCN-32s: the decoder starts as an upsampling of them. Modes: full (CPU: half width,
three quarters of the resolution), gpu (full width and resolution), smoke.
Published for scale, with ImageNet weights and 3,433 training images: DeconvNet 0.598
(Badrinarayanan et al. 2017, SegNet).
Ours, validation mean IU at the full 360x480: 0.452 after the three, in 144 min on two
cores; docs/results.md has its curve.
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config

camvid_fcn32s = named.load("camvid_fcn32s")

_EPOCH = 367 / 8  # Steps.

MODES = ("full", "gpu", "smoke")


def get_config(mode: str = "full"):
    config = base_config("deconvnet")
    protocol = camvid_fcn32s.get_config(mode)
    for part in ("data", "loss", "optim"):
        config[part] = protocol[part]
    for key in (
        "preprocessing", "batch_size", "eval_batch_size", "eval_scale", "log_every",
        "eval_every", "checkpoint_every",
    ):  # fmt: skip
        config[key] = protocol[key]
    config.model.num_classes = 11
    config.model.padding = "same"
    config.model.width = protocol.model.width
    config.model.fc_features = protocol.model.fc_features
    config.model.dtype = protocol.model.dtype
    config.model.bn_epsilon = 1e-5
    config.model.decoder_start = "upsampling"
    if mode == "full":
        # Smaller batches and a short warm-up: it is steps that the decoder is short of.
        # A low rate, for it starts as a net that is trained.
        config.batch_size = 4
        config.optim.learning_rate = 1e-3
        config.optim.schedule = "warmup_cosine"
        with config.unlocked():
            config.optim.schedule_options.warmup_steps = 50
        config.num_steps = round(35 * 2 * _EPOCH)
        config.eval_every = config.checkpoint_every = round(5 * 2 * _EPOCH)
    if mode == "gpu":
        config.num_steps = round(300 * _EPOCH)  # Twice the epochs of FCN-8s.
    if mode == "smoke":
        config.num_steps = 2
    return config
