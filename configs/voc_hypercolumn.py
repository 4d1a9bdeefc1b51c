r"""Hypercolumn on VOC 2012 with SBD's objects (Hariharan et al. 2015, arXiv:1411.5752).

python -m fcn_jax proposals --config=configs/voc_hypercolumn.py --out=proposals
python train.py --config=configs/voc_hypercolumn.py:boxes --workdir=runs/boxes \
    --config.init_from=vgg16.npz --config.data.objects.cache_dir=proposals
python train.py --config=configs/voc_hypercolumn.py --workdir=runs/hypercolumn \
    --config.init_from=runs/boxes --config.data.objects.cache_dir=proposals
python -m fcn_jax regions --workdir=runs/hypercolumn
Mode "boxes" trains the classifier of boxes (as Fast R-CNN, without its regression), on
which, as published, "full" learns the hypercolumn alone; "tuned" trains both together.
The authors took MCG's 2,000 regions an image, and projected masks to its superpixels.
Published: mean IU 62.6 on VOC 2012 test (59.2 in the first version); mean AP^r at .5
60.0 on val.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config

voc2012_deconvnet_stage1 = named.load("voc2012_deconvnet_stage1")

MODES = ("full", "boxes", "tuned", "smoke")


def get_config(mode: str = "full"):
    config = base_config("hypercolumn")
    config.data.name = "voc_segmentation/sbd"
    config.data.train_split = "train_aug"
    config.data.eval_name = "voc_segmentation/2012"
    # The shorter side of most images comes to 600 (prepare_blobs.py).
    config.data.scale = (1.6, 1.6)
    config.eval_scale = 1.6
    config.data.canvas = (800, 800)
    config.data.objects.stage = "regions"
    config.data.objects.min_iou = 0.7  # run_command.sh, --ovthresh.
    config.data.objects.balance = 1000  # Classes are drawn alike.
    config.data.objects.boxes = 5
    config.data.objects.class_boxes = 0
    config.data.objects.proposal_method = "selective_search"
    config.data.objects.cache_dir = "proposals"
    config.inference.method = "regions"
    config.inference.num_proposals = 300
    # hypercolumn_train_pydata.prototxt and solver.prototxt; iter_size is 20.
    config.loss.name = "box_masks"
    config.loss.reduction = "sum"
    config.optim.learning_rate = 1e-3
    config.optim.momentum = 0.9
    config.optim.weight_decay = 1e-3
    config.optim.frozen = ("conv*", "fc6", "fc7", "cls_score")
    config.optim.slow = ("hyper_fc7",)
    config.optim.slow_rate = 0.1
    config.batch_size = config.accumulate = 20
    config.num_steps = 10_000
    config.eval_every = config.checkpoint_every = 1000
    config.eval_batch_size = 1
    config.init_from = "runs/boxes"
    if mode in ("boxes", "tuned"):
        boxes(config)
    if mode == "tuned":
        config.data.objects.boxes, config.data.objects.class_boxes = 5, 59
        config.loss.name = "box_masks+box_classes"
        config.optim.frozen = ("conv1_?", "conv2_?")
    if mode == "smoke":
        smoke(config)
    return config


def boxes(config: Config):
    """The classifier of boxes: 64 of an image, a quarter on objects (Fast R-CNN)."""
    config.data.flip = True
    config.data.objects.boxes, config.data.objects.class_boxes = 1, 63
    config.loss.name = "box_classes"
    config.loss.reduction = "mean"
    config.optim.frozen = ("conv1_?", "conv2_?", "hyper_*")
    config.optim.weight_decay = 5e-4
    config.optim.slow = ()
    config.optim.schedule = "step"
    with config.unlocked():
        config.optim.schedule_options.boundaries = (30_000,)
    config.batch_size, config.accumulate = 2, 1
    config.num_steps = 40_000
    config.init_from = "vgg16.npz"


def smoke(config: Config):
    """Two steps of a narrow net on the built-in data, both losses together."""
    voc2012_deconvnet_stage1.smoke(config)
    config.data.scale, config.eval_scale = (), 1.0
    config.data.objects.boxes, config.data.objects.class_boxes = 2, 4
    config.data.objects.num_proposals, config.inference.num_proposals = 40, 4
    config.loss.name = "box_masks+box_classes"
    config.optim.frozen = ()
    config.batch_size = config.accumulate = 2
