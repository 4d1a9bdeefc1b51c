r"""Zoom-out on VOC 2012 with SBD, all convolutions, sub-scene and scene (CVPR 2015).

python train.py --config=configs/voc_zoomout.py --workdir=runs/voc_zoomout \
    --config.init_from=vgg16.npz
(arXiv:1412.0774). What makes it that system is told in fcn_jax/models/zoomout.py. The
mode "v1" is TTI-Zoomout-16, the first version, without its textons, words of SIFT and
local nets; "linear" has no hidden layer. Rate, decay and data are the first version's;
steps, batch and compactness of SLIC are not known, nor is CVPR's side of regions.
Published: mean IU 69.6 on VOC 2012 test; "v1" 64.4 there and 63.5 on val, where
superpixels with their true labels have 94.4.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "v1", "linear", "smoke")


def get_config(mode: str = "full"):
    config = base_config("zoomout")
    config.data.name = "voc_segmentation/sbd"
    config.data.train_split = "train_aug"
    config.data.eval_name = "voc_segmentation/2012"
    config.data.canvas = (500, 500)
    if mode == "v1":
        config.model.name = "zoomout_v1"
    if mode == "linear":
        config.model.hidden = 0
    config.loss.name = "superpixel_cross_entropy"
    config.loss.balance = "inverse_frequency"
    config.optim.frozen = ("conv*", "fc6", "fc7")
    config.optim.learning_rate = 1e-4
    config.optim.weight_decay = 1e-3
    config.optim.bias_lr = 1.0
    config.batch_size = 1  # About 500 superpixels.
    config.num_steps = 106_000  # Ten times through the images.
    config.eval_every = config.checkpoint_every = 10_600
    config.eval_batch_size = 1
    config.init_from = "vgg16.npz"
    if mode == "smoke":
        smoke(config)
    return config


def smoke(config: Config):
    """Two steps of a narrow net on the built-in data."""
    voc_fcn32s.smoke(config)
    config.data.train_split, config.data.eval_name = "train[:4]", ""
    config.data.eval_split = "val[:2]"
    config.data.crop = (48, 64)
    config.model.fc_features = 256
    config.model.hidden = 16
    config.model.num_superpixels = 24
    config.model.padding = "same"
    config.model.side = 32
    config.standardize_batches = 1
