r"""FCN-8s with a CRF behind it, trained end to end on the built-in shapes, on a CPU.

python train.py --config=configs/shapes_fcn8s_crf.py --workdir=runs/shapes_fcn8s_crf
Starts from the demo's network (make demo). The CRF's kernel weights and compatibility
learn with it (Zheng et al. 2015, CRF as RNN).
Ours: see README.md, "Results".
"""

from fcn_jax.config import named

shapes_fcn8s = named.load("shapes_fcn8s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = shapes_fcn8s.get_config(mode)
    config.model.crf = "pydensecrf"
    config.optim.learning_rate = 3e-4
    config.init_from = "runs/shapes_fcn8s"
    config.num_steps = 200
    config.eval_every = config.checkpoint_every = 100
    if mode == "smoke":
        config.init_from = ""
        config.num_steps = 2
    return config
