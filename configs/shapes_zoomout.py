r"""Zoom-out on the built-in shapes, on a CPU: random features, or those of the demo.

python train.py --config=configs/shapes_zoomout.py --workdir=runs/shapes_zoomout
A frozen encoder that nobody trained finds little; --config.init_from=runs/shapes_fcn8s
takes that of the demo. Small regions, BatchNorm and AdamW are ours.
Ours: see docs/results.md.
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config

shapes_fcn8s = named.load("shapes_fcn8s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config, demo = base_config("zoomout"), shapes_fcn8s.get_config(mode)
    for part in ("data", "optim"):
        config[part] = demo[part]
    for key in ("preprocessing", "batch_size", "num_steps", "log_every", "eval_every",
                "checkpoint_every", "eval_batch_size"):  # fmt: skip
        config[key] = demo[key]
    config.model.num_classes = 7
    config.model.batch_norm = True
    config.model.width = demo.model.width
    config.model.fc_features = demo.model.fc_features
    config.model.padding = "same"
    config.model.side = 32
    config.model.num_superpixels = 64
    config.model.compactness = 40.0  # Textures are not to be cut out: docs/regions.md.
    config.model.hidden = 256
    config.model.regions_at_once = 32
    config.loss.name = "superpixel_cross_entropy"
    config.loss.balance = "inverse_frequency"
    config.optim.frozen = ("conv*", "bn*", "fc6", "fc7")
    config.optim.learning_rate = 1e-3
    config.standardize_batches = 10
    if mode == "smoke":
        config.data.train_split, config.data.eval_split = "train[:4]", "val[:2]"
        config.model.fc_features, config.model.hidden = 256, 16
        config.model.num_superpixels = 24
        config.standardize_batches = 1
    return config
