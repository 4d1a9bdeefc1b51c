r"""FCN-32s by the mean gradient of 20 images with the usual momentum ("accum").

python train.py --config=configs/voc_fcn32s_accum.py --workdir=runs/voc_fcn32s_accum \
    --config.init_from=vgg16.npz
Published: mean IU 51.9 beside 63.6 with single images and momentum 0.99 (Shelhamer et
al. 2017, arXiv:1605.06211; from memory, not checked against the text). As many images
are seen as in voc_fcn32s, at its rate, by the mean of 20.
Ours: not run; needs ImageNet weights and the VOC and SBD archives. On the shapes:
docs/results.md, "What the 2017 paper adds".
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.batch_size = config.accumulate = 20
    config.optim.momentum = 0.9
    if mode == "smoke":
        config.batch_size = config.accumulate = 2
    else:
        config.num_steps //= 20
        config.eval_every = config.checkpoint_every = 200
    return config
