r"""Boxes of the built-in shapes, by EM-Fixed in them, on a CPU.

python train.py --config=configs/shapes_wssl_bbox_em_fixed.py --workdir=runs/wssl_box_em
Starts from the net of shapes_wssl_bbox_rect, of which runs/wssl_bbox_rect holds a run
(or --config.init_from=DIR), as published ones do from VGG-16: a net of noise learns the
background first, and calls everything so.
Ours: validation mean IU 0.650; `python -m benchmarks.wssl` trains it beside the others.
"""

from fcn_jax.config import named

shapes_wssl_bbox_rect = named.load("shapes_wssl_bbox_rect")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = shapes_wssl_bbox_rect.get_config(mode)
    config.loss.estimation = "em_boxes"
    config.loss.estimation_biases = (5.0, 3.0)
    config.init_from = "runs/wssl_bbox_rect"
    if mode == "smoke":
        config.init_from = ""
    return config
