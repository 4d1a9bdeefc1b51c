r"""FCN-32s on NYUDv2, colours and depth by early fusion (nyud-fcn32s-color-d).

python train.py --config=configs/nyud_fcn32s_color_d.py --workdir=runs/nyud_color_d \
    --config.data.root=DIR --config.init_from=vgg16.npz
The fourth channel is the logarithm of depth; its filters start as the mean of those of
the colours. DIR as in nyud_fcn32s_color.
Published: pixel accuracy 61.5, mean accuracy 42.4, mean IU 30.5, frequency-weighted IU
45.5 on the 654 test images (Long et al. 2015, table 4, RGBD).
Ours: not run; needs ImageNet weights and NYUDv2. No weights of it were released.
"""

from fcn_jax.config import named

nyud_fcn32s_color = named.load("nyud_fcn32s_color")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = nyud_fcn32s_color.get_config(mode, "rgbd")
    config.model.channels = 4
    return config
