r"""DeepLab-LargeFOV from 150 masks of the built-in shapes and classes of the others.

python train.py --config=configs/shapes_wssl_semi.py --workdir=runs/wssl_semi
An eighth of the images, as of VOC in the paper, and a quarter of each batch.
BatchNorm and AdamW are ours, and the net starts from noise; published nets start from
VGG-16.
Ours: see docs/weak_labels.md.
"""

from fcn_jax.config import named

shapes_wssl_em_fixed = named.load("shapes_wssl_em_fixed")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = shapes_wssl_em_fixed.get_config(mode)
    config.data.strong_images, config.data.strong_share = 150, 0.25
    if mode == "smoke":
        config.data.strong_images, config.data.strong_share = 2, 0.5
    return config
