r"""DeconvNet, stage 1: single objects (Noh et al. 2015, sec. 4.2 and 5.1).

python train.py --config=configs/voc2012_deconvnet_stage1.py --workdir=runs/stage1 \
    --config.init_from=vgg16.npz
Published after both stages: mean IU 69.6 on VOC 2012 test (trained on trainval_aug).
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

import ml_collections

from fcn_jax.config import named
from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = base_config("deconvnet")
    config.data.name = "voc_segmentation/sbd"
    config.data.train_split = "train_aug"
    config.data.eval_name = "voc_segmentation/2012"
    config.data.objects.stage = "objects"
    config.data.objects.size = 250
    config.data.crop = (224, 224)
    config.data.flip = True
    # 001_stage_1/solver.prototxt. BatchNorm sees 8 images at a time; its fork divides
    # the decay by the 8 sub-batches too: for that set weight_decay to 6.25e-5.
    config.batch_size = 64
    config.accumulate = 8
    config.optim.learning_rate = 0.01
    config.optim.momentum = 0.9
    config.optim.weight_decay = 5e-4
    config.optim.bn_decay = 1.0
    config.optim.schedule = "step"
    with config.unlocked():
        config.optim.schedule_options.boundaries = (9000, 18_000)
    config.num_steps = 20_000
    # While training, images are seen whole, resized to the size of the examples.
    config.inference.method = "window"
    config.eval_every = config.checkpoint_every = 500
    config.init_from = "vgg16.npz"
    if mode == "smoke":
        smoke(config)
    return config


def smoke(config: Config):
    """Two steps of a narrow net on the built-in data."""
    voc_fcn32s.smoke(config)
    config.data.train_split, config.data.eval_name = "train", ""
    config.data.objects.proposal_method = "sliding_windows"
    with config.unlocked():
        config.data.objects.proposal_options = ml_collections.ConfigDict()
    config.data.objects.num_proposals = 100
    config.model.fc_features = 512
    config.batch_size, config.accumulate = 4, 2
