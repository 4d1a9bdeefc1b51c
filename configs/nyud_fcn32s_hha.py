r"""FCN-32s on NYUDv2, HHA alone (fcn.berkeleyvision.org, nyud-fcn32s-hha).

python train.py --config=configs/nyud_fcn32s_hha.py --workdir=runs/nyud_fcn32s_hha \
    --config.data.root=DIR --config.init_from=vgg16.npz
Disparity, height and angle, which start with the filters for blue, green and red. DIR
as in nyud_fcn32s_color; HHA that is not there is computed from depth.
Published: pixel accuracy 57.1, mean accuracy 35.2, mean IU 24.2, frequency-weighted IU
40.4 on the 654 test images (Long et al. 2015, table 4, HHA).
Ours: not run; needs ImageNet weights and NYUDv2.
"""

from fcn_jax.config import named

nyud_fcn32s_color = named.load("nyud_fcn32s_color")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    return nyud_fcn32s_color.get_config(mode, "hha")
