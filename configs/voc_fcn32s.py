r"""FCN-32s on PASCAL VOC with SBD, heavy learning (fcn.berkeleyvision.org, voc-fcn32s).

python train.py --config=configs/voc_fcn32s.py --workdir=runs/voc_fcn32s \
    --config.init_from=vgg16.npz
Published: mean IU 63.6 on seg11valid.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = base_config()
    config.data.name = "voc_segmentation/sbd"
    config.data.eval_split = "seg11valid"
    config.data.with_replacement = True  # As the release's Python layer draws.
    config.data.canvas = (500, 500)
    config.model.name = "fcn32s"
    config.batch_size = 1
    config.loss.reduction = "sum"  # Hence the tiny learning rate (solver.prototxt).
    config.optim.learning_rate = 1e-10
    config.optim.momentum = 0.99
    config.optim.weight_decay = 5e-4
    config.num_steps = 100_000
    config.eval_every = config.checkpoint_every = 4000
    config.eval_batch_size = 4
    config.init_from = "vgg16.npz"
    if mode == "smoke":
        smoke(config)
    return config


def smoke(config: Config):
    """Two steps of a narrow net on the built-in data."""
    config.data.name = "shapes"
    config.data.eval_split = "val[:2]"
    config.data.canvas = ()
    config.model.num_classes = 7
    config.model.width = 1 / 16
    config.model.fc_features = 256
    config.init_from = ""
    config.eval_batch_size = 2
    config.num_steps = 2
    config.log_every = 1
