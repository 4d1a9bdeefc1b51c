r"""FCN-8s on the built-in shapes, from scratch, on a CPU in a few minutes: the demo.

python train.py --config=configs/shapes_fcn8s.py --workdir=runs/shapes_fcn8s
Modes: full, any_size (the data set shapes_any_size), smoke.
Ours: see README.md, "Results".
"""

from fcn_jax.config.base import base_config

MODES = ("full", "any_size", "smoke")


def get_config(mode: str = "full"):
    config = base_config()
    config.data.name = "shapes_any_size" if mode == "any_size" else "shapes"
    config.data.flip = True
    config.data.crop = (80, 96)
    config.model.num_classes = 7
    config.model.padding = "same"
    config.model.batch_norm = True
    config.model.width = 0.25
    config.model.fc_features = 1024  # 256 at this width.
    config.model.dropout_rate = 0.1
    config.preprocessing = "imagenet"
    config.optim.name = "adamw"
    config.optim.learning_rate = 3e-3
    config.optim.weight_decay = 1e-2
    config.optim.schedule = "one_cycle"
    config.batch_size = 16
    config.num_steps = 850
    config.log_every = 50
    config.eval_every = 425
    config.checkpoint_every = 425
    config.eval_batch_size = 16
    if mode == "smoke":
        config.model.width = 1 / 16
        config.batch_size = config.eval_batch_size = 2
        config.num_steps, config.log_every = 2, 1
    return config
