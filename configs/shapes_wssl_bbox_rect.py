r"""Boxes of the built-in shapes, taken for masks (WSSL's Bbox-Rect), on a CPU.

python train.py --config=configs/shapes_wssl_bbox_rect.py --workdir=runs/wssl_bbox_rect
The net is the demo's, which learns from noise; the published ones start from VGG-16.
Every fourth pixel is learned, and estimated where a config of these estimates.
Ours: validation mean IU 0.631; `python -m benchmarks.wssl` trains it beside the others.
"""

from fcn_jax.config import named

shapes_fcn8s = named.load("shapes_fcn8s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = shapes_fcn8s.get_config(mode)
    config.data.supervision = "boxes"
    config.loss.label_shrink = 4
    return config
