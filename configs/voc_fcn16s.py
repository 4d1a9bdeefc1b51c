r"""FCN-16s on PASCAL VOC with SBD, from FCN-32s (fcn.berkeleyvision.org, voc-fcn16s).

python train.py --config=configs/voc_fcn16s.py --workdir=runs/voc_fcn16s
Starts from the best checkpoint of runs/voc_fcn32s; score_pool4 starts at zero.
Published: mean IU 65.0 on seg11valid.
Ours: not run; needs FCN-32s and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.model.name = "fcn16s"
    config.optim.learning_rate = 1e-12
    if mode != "smoke":
        config.init_from = "runs/voc_fcn32s"
    return config
