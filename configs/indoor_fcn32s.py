r"""FCN-32s on the built-in rooms with depth, from scratch: RGB, RGB-D, HHA, RGB-HHA.

python train.py --config=configs/indoor_fcn32s.py --workdir=runs/indoor
Modes: full (late fusion of RGB and HHA), color, color_d (early fusion), hha, smoke.
`python -m benchmarks.depth` trains all four, the full one from those of color and hha.
Ours: see docs/data_sets.md.
"""

from fcn_jax.config.base import base_config

# By mode: the net, what it sees, and of how many channels (0: as the net has them).
_NETS = {
    "full": ("fcn32s_late_fusion", "rgbhha", 0),
    "color": ("fcn32s", "rgb", 0),
    "color_d": ("fcn32s", "rgbd", 4),
    "hha": ("fcn32s", "hha", 0),
}

MODES = (*_NETS, "smoke")


def get_config(mode: str = "full"):
    config = base_config()
    smoke = mode == "smoke"
    name, channels, count = _NETS["full" if smoke else mode]
    config.data.name = "indoor"
    config.data.channels = channels
    config.preprocessing = f"nyud_{channels}"
    config.data.flip = True
    config.data.cache = 0.5  # Scenes are drawn once.
    config.model.name, config.model.channels = name, count
    config.model.num_classes = 6
    config.model.padding = "same"
    config.model.batch_norm = True
    config.model.width = 1 / 8
    config.model.fc_features = 1024  # 128 at this width.
    config.model.dropout_rate = 0.1
    config.optim.name = "adamw"
    config.optim.learning_rate = 3e-3
    config.optim.weight_decay = 1e-2
    config.optim.schedule = "one_cycle"
    config.batch_size = config.eval_batch_size = 8
    config.num_steps = 160
    config.log_every = 40
    config.eval_every = config.checkpoint_every = 160
    if smoke:
        config.data.eval_split = "val[:2]"
        config.model.width = 1 / 32
        config.batch_size = config.eval_batch_size = 2
        config.num_steps, config.log_every = 2, 1
    return config
