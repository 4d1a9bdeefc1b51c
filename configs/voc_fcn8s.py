r"""FCN-8s on PASCAL VOC with SBD, from FCN-16s (fcn.berkeleyvision.org, voc-fcn8s).

python train.py --config=configs/voc_fcn8s.py --workdir=runs/voc_fcn8s
Starts from the best checkpoint of runs/voc_fcn16s; score_pool3 starts at zero.
Published: mean IU 65.5 on seg11valid, 67.2 on VOC 2012 test.
Ours: not run; needs FCN-16s and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.model.name = "fcn8s"
    config.optim.learning_rate = 1e-14
    if mode != "smoke":
        config.init_from = "runs/voc_fcn16s"
    return config
