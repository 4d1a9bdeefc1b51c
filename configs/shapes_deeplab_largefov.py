r"""DeepLab-LargeFOV on the built-in shapes, from scratch, on a CPU.

python train.py --config=configs/shapes_deeplab_largefov.py --workdir=runs/deeplab
BatchNorm and AdamW are ours, as in the demo: the published net starts from VGG-16.
Ours: see docs/results.md.
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config

shapes_fcn8s = named.load("shapes_fcn8s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config, demo = base_config("deeplab"), shapes_fcn8s.get_config(mode)
    for part in ("data", "optim"):
        config[part] = demo[part]
    for key in ("preprocessing", "batch_size", "num_steps", "log_every", "eval_every",
                "checkpoint_every", "eval_batch_size"):  # fmt: skip
        config[key] = demo[key]
    config.data.crop = (81, 97)  # Pixels on which cells lie at both ends.
    config.model.num_classes = 7
    config.model.batch_norm = True
    config.model.width = demo.model.width
    config.model.dropout_rate = 0.1
    config.loss.label_shrink = 8
    return config
