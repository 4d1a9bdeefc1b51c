r"""FCN-32s by single images with the usual momentum ("online").

python train.py --config=configs/voc_fcn32s_online.py --workdir=runs/voc_fcn32s_online \
    --config.init_from=vgg16.npz
Published: mean IU 60.7 beside 63.6 with momentum 0.99 (Shelhamer et al. 2017,
arXiv:1605.06211; from memory, not checked against the text). Momentum 0.9
over batches of 20 forgets as 0.9 ** (1 / 20) = 0.9947 does over single images
(fcn_jax.training.momentum), so that 0.9 over single images forgets much sooner.
Ours: not run; needs ImageNet weights and the VOC and SBD archives. On the shapes:
docs/results.md, "What the 2017 paper adds".
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.optim.momentum = 0.9
    return config
