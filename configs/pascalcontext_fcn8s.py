r"""FCN-8s on PASCAL-Context, 59 classes and background (Long et al. 2015, table 6).

python train.py --config=configs/pascalcontext_fcn8s.py --workdir=runs/context_fcn8s
Starts from the best checkpoint of runs/context_fcn16s; score_pool3 starts at zero.
Published: pixel accuracy 65.9, mean accuracy 46.5, mean IU 35.1, frequency weighted IU
51.0, said to be over 59 classes; the release's loader has 60.
Ours: not run; needs FCN-16s, VOC 2010 and PASCAL-Context's trainval.tar.gz.
"""

from fcn_jax.config import named

pascalcontext_fcn32s = named.load("pascalcontext_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = pascalcontext_fcn32s.get_config(mode)
    config.model.name = "fcn8s"
    config.optim.learning_rate = 1e-14
    if mode != "smoke":
        config.init_from = "runs/context_fcn16s"
    return config
