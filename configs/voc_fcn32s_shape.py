r"""FCN-32s that sees the shape of objects alone, white on the mean colour ("Shape").

python train.py --config=configs/voc_fcn32s_shape.py --workdir=runs/voc_fcn32s_shape \
    --config.init_from=vgg16.npz
Published: mean IU without the background class 29.1 (Shelhamer et al. 2017,
arXiv:1605.06211, table 8). Which two colours stood for objects and background there is
not known to us.
Ours: not run; needs ImageNet weights and the VOC and SBD archives. On the shapes:
docs/results.md, "What the 2017 paper adds".
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.data.train_cue = config.data.eval_cue = "shape"
    return config
