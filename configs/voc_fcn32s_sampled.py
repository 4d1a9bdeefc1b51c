r"""FCN-32s "light" with loss sampling: half of the cells, of twice as many images.

python train.py --config=configs/voc_fcn32s_sampled.py --workdir=runs/voc_sampled \
    --config.init_from=vgg16.npz
Published: no number, but curves for probabilities 1, 0.5 and 0.25 that meet by
iterations; by time whole images are quickest (Long et al. 2015, sec. 4.4, figure 5).
Ours: not run; needs ImageNet weights and the VOC and SBD archives. On the shapes:
docs/results.md, "Loss sampling".
"""

from fcn_jax.config import named

voc_fcn32s_light = named.load("voc_fcn32s_light")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s_light.get_config(mode)
    config.loss.pixel_probability = 0.5
    config.loss.pixel_stride = 32  # A cell of FCN-32s's scores.
    config.loss.larger_batch = True  # 40 images an update.
    return config
