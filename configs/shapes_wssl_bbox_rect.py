r"""DeepLab-LargeFOV from boxes of the built-in shapes, taken for masks, on a CPU.

python train.py --config=configs/shapes_wssl_bbox_rect.py --workdir=runs/wssl_bbox_rect
BatchNorm and AdamW are ours, and the net starts from noise; published nets start from
VGG-16.
Ours: see docs/weak_labels.md.
"""

from fcn_jax.config import named

shapes_deeplab_largefov = named.load("shapes_deeplab_largefov")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = shapes_deeplab_largefov.get_config(mode)
    config.data.supervision = "boxes"
    return config
