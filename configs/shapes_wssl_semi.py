r"""150 masks of the built-in shapes and the classes of 1,050 images, on a CPU.

python train.py --config=configs/shapes_wssl_semi.py --workdir=runs/wssl_semi
EM-Fixed; an eighth of the images has masks, as of VOC in the paper, and a quarter of
each batch.
Ours: no number yet; `python -m benchmarks.wssl` trains it beside the others.
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
