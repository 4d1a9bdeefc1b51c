r"""Classes of crops of the built-in shapes, by EM-Fixed, on a CPU.

python train.py --config=configs/shapes_wssl_em_fixed.py --workdir=runs/wssl_em_fixed
Ours: no number yet; `python -m benchmarks.wssl` trains it beside the others.
"""

from fcn_jax.config import named

shapes_wssl_em_adapt = named.load("shapes_wssl_em_adapt")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = shapes_wssl_em_adapt.get_config(mode)
    config.loss.estimation = "em_fixed"
    return config
