r"""FCN-8s trained at once on VOC with SBD (fcn.berkeleyvision.org, voc-fcn8s-atonce).

python train.py --config=configs/voc_fcn8s_atonce.py --workdir=runs/voc_fcn8s_atonce \
    --config.init_from=vgg16.npz
Published: mean IU 65.4 on seg11valid.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.model.name = "fcn8s_atonce"  # pool4 x 0.01, pool3 x 0.0001.
    if mode != "smoke":
        config.num_steps = 300_000
    return config
