r"""FCN-32s on NYUDv2, colours alone (fcn.berkeleyvision.org, nyud-fcn32s-color).

python train.py --config=configs/nyud_fcn32s_color.py --workdir=runs/nyud_fcn32s_color \
    --config.data.root=DIR --config.init_from=vgg16.npz
DIR: FCN's nyud.tar.gz unpacked, or nyu_depth_v2_labeled.mat with splits.mat beside it
(which needs h5py).
Published: pixel accuracy 60.0, mean accuracy 42.2, mean IU 29.2, frequency-weighted IU
43.9 on the 654 test images (Long et al. 2015, table 4; with these nets, RGB).
Ours: not run; needs ImageNet weights and NYUDv2.
"""

from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config

MODES = ("full", "smoke")


def get_config(mode: str = "full", channels: str = "rgb"):
    config = base_config()
    config.data.name = "nyud"
    config.data.channels = channels
    config.data.train_split, config.data.eval_split = "trainval", "test"
    config.data.with_replacement = True  # As the release's Python layer draws.
    config.data.canvas = (425, 560)
    config.preprocessing = f"nyud_{channels}"
    # The release takes conv1_1 of VGG-16 as it is, though its images have another mean.
    config.init_inputs = config.preprocessing
    config.model.name = "fcn32s"
    config.model.num_classes = 40
    config.batch_size = 1
    config.loss.reduction = "sum"  # Hence the tiny learning rate (solver.prototxt).
    config.optim.learning_rate = 1e-10
    config.optim.momentum = 0.99
    config.optim.weight_decay = 5e-4
    config.num_steps = 100_000  # solve.py: 50 times 2,000.
    config.eval_every = config.checkpoint_every = 2000
    config.eval_batch_size = 2
    config.init_from = "vgg16.npz"
    if mode == "smoke":
        smoke(config)
    return config


def smoke(config: Config):
    """Two steps of a narrow net on the built-in rooms."""
    config.data.name = "indoor"
    config.data.train_split, config.data.eval_split = "train", "val[:2]"
    config.data.canvas = ()
    config.model.num_classes = 6
    config.model.width = 1 / 16
    config.model.fc_features = 256
    config.init_from = config.init_inputs = ""
    config.num_steps = 2
    config.log_every = 1
