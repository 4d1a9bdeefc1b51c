r"""FCN-32s on NYUDv2, colours and HHA by late fusion (nyud-fcn32s-color-hha).

python train.py --config=configs/nyud_fcn32s_color_hha.py --workdir=runs/nyud_fusion \
    --config.data.root=DIR
Starts from the best checkpoints of runs/nyud_fcn32s_color and runs/nyud_fcn32s_hha (the
release: from those of 28,000 and 60,000 steps), scores too, and trains all of both. DIR
as in nyud_fcn32s_color.
Published: pixel accuracy 64.3, mean accuracy 44.9, mean IU 32.8, frequency-weighted IU
48.0 on the 654 test images (Long et al. 2015, table 4, RGB-HHA); as FCN-16s 65.4, 46.1,
34.0 and 49.5, a net that was not released.
Ours: not run; needs those two runs and NYUDv2.
"""

from fcn_jax.config import named

nyud_fcn32s_color = named.load("nyud_fcn32s_color")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = nyud_fcn32s_color.get_config(mode, "rgbhha")
    config.model.name = "fcn32s_late_fusion"
    config.optim.learning_rate = 1e-12
    if mode != "smoke":
        config.init_from = "color=runs/nyud_fcn32s_color,hha=runs/nyud_fcn32s_hha"
        config.init_inputs = ""  # Both runs say what they were given.
    return config
