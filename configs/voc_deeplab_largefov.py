r"""DeepLab-LargeFOV on VOC 2012 with SBD (Chen et al. 2015, arXiv:1412.7062).

python train.py --config=configs/voc_deeplab_largefov.py --workdir=runs/voc_deeplab \
    --config.init_from=vgg16.npz
fc6 and fc7 take every fourth channel of VGG-16's, fc6 its taps 0, 3 and 6. The mode
"poly" has the schedule of the authors' later paper, 20,000 updates of 10 images. With
the CRF: fcn_jax eval --workdir=DIR --config.crf.parameters=deeplab_largefov.
Published: mean IU 62.25 on VOC 2012 val, 67.64 with the CRF; 70.3 on test with it
(trained on trainval_aug); "poly" 65.88 on val without it (arXiv:1606.00915, table 1).
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "poly", "smoke")


def get_config(mode: str = "full"):
    config = base_config("deeplab")
    config.data.name = "voc_segmentation/sbd"
    config.data.train_split = "train_aug"
    config.data.eval_name = "voc_segmentation/2012"
    config.data.canvas = (500, 500)
    config.data.crop = (321, 321)  # train.prototxt; a map of 41x41.
    config.data.flip = True
    config.model.name = "deeplab_largefov"
    config.loss.label_shrink = 8
    # train.prototxt: the scores learn at ten times the solver's rate, 1e-3.
    config.optim.learning_rate = 1e-2
    config.optim.slow = ("conv*", "fc6", "fc7")
    config.optim.slow_rate = 0.1
    config.optim.momentum = 0.9
    config.optim.weight_decay = 5e-4
    config.optim.schedule = "step"
    with config.unlocked():
        config.optim.schedule_options.boundaries = (2000, 4000)
    config.batch_size = 30
    config.num_steps = 6000
    config.eval_every = config.checkpoint_every = 500
    config.eval_batch_size = 4
    config.init_from = "vgg16.npz"
    if mode == "poly":
        poly(config)
    if mode == "smoke":
        smoke(config)
    return config


def poly(config: Config):
    """The rate falls as (1 - t) ** 0.9 (arXiv:1606.00915, sec. 4.1.1)."""
    config.optim.schedule = "polynomial"
    with config.unlocked():
        config.optim.schedule_options.power = 0.9
        del config.optim.schedule_options["boundaries"]
    config.batch_size = 10
    config.num_steps = 20_000


def smoke(config: Config):
    """Two steps of a narrow net on the built-in data."""
    voc_fcn32s.smoke(config)
    config.data.train_split, config.data.eval_name = "train", ""
    config.data.crop = (41, 41)
    config.model.fc_features = 256
    config.batch_size = 2
