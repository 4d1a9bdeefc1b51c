r"""DeconvNet on single objects of the built-in shapes, on a CPU.

python train.py --config=configs/shapes_deconvnet_stage1.py --workdir=runs/stage1
python train.py --config=configs/shapes_deconvnet_stage1.py:from_fcn32s \
    --workdir=runs/stage1
Objects are seen at 64x64 instead of 224x224, by a net of a quarter of the width.
Modes: full (from scratch), from_fcn32s (from runs/fcn32s_objects, its decoder an
upsampling of that net's scores: learns far sooner), any_size (that on the data set
shapes_any_size, from runs/fcn32s_objects_any_size), smoke.
Ours: see docs/results.md.
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config

voc2012_deconvnet_stage1 = named.load("voc2012_deconvnet_stage1")

MODES = ("full", "from_fcn32s", "any_size", "smoke")


def from_fcn32s(config: Config, mode: str):
    """A lower rate, and a decoder that upsamples, where the mode says so."""
    if mode in ("from_fcn32s", "any_size"):
        config.model.decoder_start = "upsampling"
        config.optim.learning_rate = 1e-3


def get_config(mode: str = "full"):
    config = base_config("deconvnet")
    config.data.name = "shapes_any_size" if mode == "any_size" else "shapes"
    config.data.flip = True
    config.data.objects.stage = "objects"
    config.data.objects.size = 72
    config.data.objects.min_area = 30
    config.data.crop = (64, 64)
    config.model.num_classes = 7
    config.model.padding = "same"
    config.model.width = 0.25
    config.model.fc_features = 1024  # 256 at this width.
    config.model.bn_epsilon = 1e-5
    config.preprocessing = "imagenet"
    config.optim.name = "adamw"
    config.optim.learning_rate = 3e-3
    config.optim.weight_decay = 1e-2
    config.optim.schedule = "one_cycle"
    config.batch_size = 32
    config.num_steps = 600
    config.log_every = 50
    config.inference.method = "window"
    config.inference.side = 64
    config.inference.boxes_at_once = 25
    config.eval_every = config.checkpoint_every = 300
    from_fcn32s(config, mode)
    if config.model.decoder_start == "upsampling":
        config.init_from = "runs/fcn32s_objects"
    if mode == "any_size":
        config.init_from += "_any_size"
    if mode == "smoke":
        voc2012_deconvnet_stage1.smoke(config)
    return config
