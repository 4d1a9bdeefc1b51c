r"""A practice run: FCN-8s on PASCAL VOC 2012 train for 20,000 iterations.

python train.py --config=configs/voc2012_fcn8s_practice.py --workdir=runs/practice \
    --config.init_from=vgg16.npz
score_pool4 x 0.01, score_pool3 x 0.0001, three learned deconvolutions without bias
(4/2, 4/2, 16/8), cross-entropy, loss every 100 iterations, the 1,449 validation images.
Published: final loss 0.527, lowest 0.507 at 19,500, validation mean IU 0.4321.
Ours: not run; needs ImageNet weights and the VOC 2012 archive.
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = base_config()
    config.data.name = "voc_segmentation/2012"
    config.data.canvas = (500, 500)
    config.model.name = "fcn8s_atonce"
    config.model.upsampling = "learned"
    config.batch_size = 1
    config.loss.reduction = "mean"
    config.optim.learning_rate = 1e-4
    config.optim.momentum = 0.9
    config.optim.weight_decay = 5e-4
    config.num_steps = 20_000
    config.log_every = 100
    config.eval_every = config.checkpoint_every = 2000
    config.eval_batch_size = 4
    config.init_from = "vgg16.npz"
    if mode == "smoke":
        voc_fcn32s.smoke(config)
    return config
