r"""FCN-32s on SIFT Flow, one net with two heads (fcn.berkeleyvision.org).

python train.py --config=configs/siftflow_fcn32s.py --workdir=runs/siftflow_fcn32s \
    --config.init_from=vgg16.npz
33 semantic and 3 geometric classes; the loss is the sum of both. Mean accuracy and mean
IU are over the 30 semantic classes that are in the 200 test images; the release's
script scores all 33, and is too low.
Published: no numbers of this stage; FCN-16s, which starts from it, has mean IU 39.5.
Ours: not run; needs ImageNet weights and SiftFlowDataset.zip.
"""

from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = base_config()
    config.data.name = "sift_flow"
    config.data.eval_split = "test"
    config.data.with_replacement = True  # As the release's Python layer draws.
    config.model.name = "fcn32s"
    with config.ignore_type():
        config.model.num_classes = {"sem": 33, "geo": 3}
    config.preprocessing = "sift_flow"
    config.batch_size = 1
    config.loss.reduction = "sum"  # Hence the tiny learning rate (solver.prototxt).
    config.optim.learning_rate = 1e-10
    config.optim.momentum = 0.99
    config.optim.weight_decay = 5e-4
    config.num_steps = 100_000
    config.eval_every = config.checkpoint_every = 2000
    config.eval_batch_size = 4
    config.init_from = "vgg16.npz"
    if mode == "smoke":
        smoke(config)
    return config


def smoke(config: Config):
    """Two steps of a narrow net on the built-in landscapes."""
    config.data.name = "landscapes"
    with config.ignore_type():
        config.model.num_classes = {"sem": 7, "geo": 3}
    config.model.width = 1 / 16
    config.model.fc_features = 256
    config.init_from = ""
    config.eval_batch_size = 2
    config.num_steps = 2
    config.log_every = 1
