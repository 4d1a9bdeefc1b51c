r"""FCN-8s on SIFT Flow, one net with two heads (fcn.berkeleyvision.org).

python train.py --config=configs/siftflow_fcn8s.py --workdir=runs/siftflow_fcn8s
Starts from the best checkpoint of runs/siftflow_fcn16s; the heads' score_pool3 start at
zero. The rate is that of FCN-16s, not a hundredth of it as on VOC (solver.prototxt).
Published: pixel accuracy 85.9, mean accuracy 53.9, mean IU 41.2, frequency weighted IU
77.2, geometric pixel accuracy 94.6 (Shelhamer et al. 2017; a second-hand reading).
Ours: not run; needs FCN-16s and SiftFlowDataset.zip.
"""

from fcn_jax.config import named

siftflow_fcn32s = named.load("siftflow_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = siftflow_fcn32s.get_config(mode)
    config.model.name = "fcn8s"
    config.optim.learning_rate = 1e-12
    if mode != "smoke":
        config.init_from = "runs/siftflow_fcn16s"
    return config
