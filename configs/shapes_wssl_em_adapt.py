r"""Classes of crops of the built-in shapes, by EM-Adapt, on a CPU.

python train.py --config=configs/shapes_wssl_em_adapt.py --workdir=runs/wssl_em_adapt
Ours: no number yet; `python -m benchmarks.wssl` trains it beside the others.
"""

from fcn_jax.config import named

shapes_wssl_bbox_rect = named.load("shapes_wssl_bbox_rect")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = shapes_wssl_bbox_rect.get_config(mode)
    config.data.supervision = "crop_labels"
    config.loss.estimation = "em_adapt"
    return config
