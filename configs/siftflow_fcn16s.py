r"""FCN-16s on SIFT Flow, one net with two heads (Long et al. 2015, table 5).

python train.py --config=configs/siftflow_fcn16s.py --workdir=runs/siftflow_fcn16s
Starts from the best checkpoint of runs/siftflow_fcn32s; the heads' score_pool4 start at
zero.
Published: pixel accuracy 85.2, mean accuracy 51.7, mean IU 39.5, frequency weighted IU
76.1, geometric pixel accuracy 94.3.
Ours: not run; needs FCN-32s and SiftFlowDataset.zip.
"""

from fcn_jax.config import named

siftflow_fcn32s = named.load("siftflow_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = siftflow_fcn32s.get_config(mode)
    config.model.name = "fcn16s"
    config.optim.learning_rate = 1e-12
    if mode != "smoke":
        config.init_from = "runs/siftflow_fcn32s"
    return config
