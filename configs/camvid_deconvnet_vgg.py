r"""DeconvNet on CamVid, from FCN-8s on a trunk of VGG-16.

python train.py --config=configs/camvid_deconvnet_vgg.py --workdir=runs/deconvnet_vgg \
    --config.data.root=DIR
Starts from the best checkpoint of runs/camvid_fcn8s_larger: its two commands, and the
data and the file that they need, are in the heads of camvid_fcn8s_vgg.py and
camvid_fcn32s_vgg.py. Trunk, fc6, fc7 and the scores of fc7 come from there: the decoder
starts as an upsampling of them, at three quarters of the resolution. BatchNorm of conv1
to conv5 stays as it starts, which changes nothing, so that the trunk is the one that
was trained; all others learn.
286 GFLOP a step: 64 min on two cores of an AMD EPYC with AVX-512, with two evaluations.
Goal: validation mean IU 0.58, in 160 minutes of two cores with those of FCN-8s.
Modes: full, gpu (full resolution, from camvid_fcn32s_vgg; not measured), smoke.
Published for scale, with ImageNet weights and 3,433 training images: DeconvNet 0.598
(Badrinarayanan et al. 2017, SegNet).
Ours: 0.618; 0.590 half way, after 131 of those minutes (docs/results.md).
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config

camvid_fcn32s_vgg = named.load("camvid_fcn32s_vgg")

MODES = ("full", "gpu", "smoke")


def get_config(mode: str = "full"):
    config = base_config("deconvnet")
    protocol = camvid_fcn32s_vgg.get_config(mode)
    for part in ("data", "loss", "optim"):
        config[part] = protocol[part]
    for key in (
        "preprocessing", "batch_size", "eval_batch_size", "eval_scale", "log_every",
        "num_steps", "eval_every", "checkpoint_every",
    ):  # fmt: skip
        config[key] = protocol[key]
    config.model.num_classes = 11
    config.model.padding = "same"
    config.model.width = protocol.model.width
    config.model.fc_features = protocol.model.fc_features
    config.model.dtype = protocol.model.dtype
    config.model.bn_epsilon = 1e-5
    config.model.decoder_start = "upsampling"
    # Averages of 0 and 1, a scale of 1 and (bn_shift) a shift of nothing.
    config.model.bn_shift = 0.0
    config.optim.frozen = ("conv1_*", "conv2_*", "bn[12345]_*")
    config.optim.learning_rate = 1e-3
    config.optim.slow_rate = 0.03
    config.optim.schedule = "warmup_cosine"
    with config.unlocked():
        config.optim.schedule_options.warmup_steps = 1 if mode == "smoke" else 50
    if mode == "gpu":
        config.init_from = "runs/camvid_fcn32s_vgg"
        config.num_steps = 3000
        config.eval_every = config.checkpoint_every = 1500
    if mode == "full":
        config.init_from = "runs/camvid_fcn8s_larger"
        # Small crops: it is steps that the decoder is short of.
        config.data.scale = (0.6, 1.1)
        config.data.crop = (144, 192)
        config.eval_scale = 0.75
        config.batch_size = 4
        config.optim.frozen = ("conv[123]_*", "bn[12345]_*")
        config.optim.learning_rate = 7e-4
        config.optim.slow_rate = 0.05
        config.loss.name = "cross_entropy+dice"  # It finds small classes early.
        # Square roots of the weights by median frequency.
        config.loss.class_weights = (
            0.53, 0.45, 2.2, 0.4, 1.0, 0.65, 2.0, 1.4, 0.9, 2.5, 3.0
        )  # fmt: skip
        config.num_steps = 2100
        config.eval_every = 1050
        config.checkpoint_every = 50
    return config
