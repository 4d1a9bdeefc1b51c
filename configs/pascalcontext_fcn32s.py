r"""FCN-32s on PASCAL-Context, 59 classes and background (Long et al. 2015, table 6).

python train.py --config=configs/pascalcontext_fcn32s.py --workdir=runs/context_fcn32s \
    --config.init_from=vgg16.npz
Pixels of none of the 59 classes are background, which is trained and scored as a class;
--config.data.classes=59 --config.model.num_classes=59 makes them void.
Published: pixel accuracy 63.8, mean accuracy 42.7, mean IU 31.8, frequency weighted IU
48.3, said to be over 59 classes; the release's loader has 60.
Ours: not run; needs ImageNet weights, VOC 2010 and PASCAL-Context's trainval.tar.gz.
"""

from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = base_config()
    config.data.name = "pascal_context"
    config.data.classes = "60"
    config.data.eval_split = "val"
    config.data.with_replacement = True  # As the release's Python layer draws.
    config.data.canvas = (500, 500)
    config.model.name = "fcn32s"
    config.model.num_classes = 60
    config.batch_size = 1
    config.loss.reduction = "sum"  # Hence the tiny learning rate (solver.prototxt).
    config.optim.learning_rate = 1e-10
    config.optim.momentum = 0.99
    config.optim.weight_decay = 5e-4
    config.num_steps = 400_000
    config.eval_every = config.checkpoint_every = 8000
    config.eval_batch_size = 4
    config.init_from = "vgg16.npz"
    if mode == "smoke":
        smoke(config)
    return config


def smoke(config: Config):
    """Two steps of a narrow net on the built-in shapes."""
    config.data.name = "shapes"
    config.data.classes = ""
    config.data.eval_split = "val[:2]"
    config.data.canvas = ()
    config.model.num_classes = 7
    config.model.width = 1 / 16
    config.model.fc_features = 256
    config.init_from = ""
    config.eval_batch_size = 2
    config.num_steps = 2
    config.log_every = 1
