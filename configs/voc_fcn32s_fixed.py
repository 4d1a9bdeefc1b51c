r"""FCN-32s-fixed: only the last layer learns (Long et al. 2015, table 2).

python train.py --config=configs/voc_fcn32s_fixed.py --workdir=runs/voc_fcn32s_fixed \
    --config.init_from=vgg16.npz
Published: mean IU 45.4 on seg11valid.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_fcn32s_light = named.load("voc_fcn32s_light")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s_light.get_config(mode)
    config.optim.frozen = ("conv*", "fc*")
    return config
