r"""Boxes of the built-in shapes in which a CRF finds them (Bbox-Seg), on a CPU.

python train.py --config=configs/shapes_wssl_bbox_seg.py --workdir=runs/wssl_bbox_seg
The CRF sees every image once, a second or so each, in the first epoch.
Ours: validation mean IU 0.704, with a CRF 0.821 (docs/results.md, Table 1).
"""

from fcn_jax.config import named

shapes_wssl_bbox_rect = named.load("shapes_wssl_bbox_rect")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = shapes_wssl_bbox_rect.get_config(mode)
    config.data.supervision = "box_segments"
    return config
