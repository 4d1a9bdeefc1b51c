r"""FCN-16s on PASCAL-Context, 59 classes and background (Long et al. 2015, table 6).

python train.py --config=configs/pascalcontext_fcn16s.py --workdir=runs/context_fcn16s
Starts from the best checkpoint of runs/context_fcn32s; score_pool4 starts at zero.
Published: pixel accuracy 65.7, mean accuracy 46.2, mean IU 34.8, frequency weighted IU
50.7, said to be over 59 classes; the release's loader has 60.
Ours: not run; needs FCN-32s, VOC 2010 and PASCAL-Context's trainval.tar.gz.
"""

from fcn_jax.config import named

pascalcontext_fcn32s = named.load("pascalcontext_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = pascalcontext_fcn32s.get_config(mode)
    config.model.name = "fcn16s"
    config.optim.learning_rate = 1e-12
    if mode != "smoke":
        config.init_from = "runs/context_fcn32s"
    return config
