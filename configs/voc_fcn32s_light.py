r"""FCN-32s by the recipe of the CVPR paper ("light": 20 images an update, mean loss).

python train.py --config=configs/voc_fcn32s_light.py --workdir=runs/voc_fcn32s_light \
    --config.init_from=vgg16.npz
Published: mean IU 59.4 on seg11valid (Long et al. 2015, table 2).
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.batch_size = config.accumulate = 20
    config.loss.reduction = "mean"
    config.optim.learning_rate = 1e-4  # Found by line search for VGG-16 (sec. 4.3).
    config.optim.momentum = 0.9
    if mode == "smoke":
        config.batch_size = config.accumulate = 2
    else:
        config.num_steps = 100_000
    return config
