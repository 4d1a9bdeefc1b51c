r"""SegNet on CamVid (367 training, 101 validation images, 11 classes).

python train.py --config=configs/camvid_segnet.py --workdir=runs/camvid_segnet \
    --config.data.root=DIR --config.init_from=vgg16.caffemodel
The settings of the authors' tutorial: SGD at 1e-3, momentum 0.9, decay 5e-4, batches of
4, 40,000 steps of whole images, classes weighted by their median frequency, the encoder
from VGG-16 trained on ImageNet (without init_from: from scratch). BatchNorm takes its
statistics over the training images before use. Needs no other data than CamVid; a GPU.
Modes: full, cpu (half width and resolution, AdamW, from scratch), smoke.
Published (Badrinarayanan et al. 2017; test, mean IU): 0.601 after 140,000 steps on
3,433 road images of four data sets, without weights of classes; 0.500 after 40,000.
With CamVid's 367 images alone only the small SegNet-Basic is published: 0.477 with
these weights, 0.463 without.
Ours: not run yet.
"""

from fcn_jax.config.base import base_config

_EPOCH = 367 / 4  # Steps.

MODES = ("full", "cpu", "smoke")


def get_config(mode: str = "full"):
    config = base_config("segnet")
    config.data.name = "folder"
    config.data.root = "../shared/data/camvid"
    config.model.num_classes = 11
    config.loss.balance = "median_frequency"
    config.optim.learning_rate = 1e-3
    config.batch_size = config.eval_batch_size = 4
    config.num_steps = 40_000
    config.eval_every = config.checkpoint_every = 2000
    config.batch_stats_batches = round(_EPOCH)
    if mode == "full":
        config.init_least = 0.9
        config.optim.bn_decay = 1.0  # In the tutorial of scales alone, not of shifts.
    if mode in ("cpu", "smoke"):
        config.data.flip = True
        config.data.scale = (0.35, 0.8)
        config.data.crop = (176, 240)
        config.eval_scale = 0.5
        config.preprocessing = "imagenet"
        config.model.width = 0.5
        config.model.bn_epsilon = 1e-5
        config.optim.name = "adamw"
        config.optim.learning_rate = 2e-3
        config.optim.weight_decay = 1e-2
        config.optim.schedule = "one_cycle"
        config.num_steps = round(46 * _EPOCH)
        config.eval_every = config.checkpoint_every = round(5 * _EPOCH)
        config.batch_stats_batches = 0
    if mode == "smoke":
        config.model.width = 1 / 16
        config.batch_size = config.eval_batch_size = 2
        config.num_steps, config.log_every = 2, 1
    return config
