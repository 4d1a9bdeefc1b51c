r"""CFM on VOC 2012 with SBD's objects (Dai, He and Sun 2015, arXiv:1412.1283).

python -m fcn_jax proposals --config=configs/voc_cfm.py --out=segments
python train.py --config=configs/voc_cfm.py --workdir=runs/voc_cfm \
    --config.init_from=vgg16.npz --config.data.objects.cache_dir=segments
Design A on VGG-16, images at one scale. Segments are selective search's; those of MCG,
where you have its files: --config.data.objects.proposal_method=mcg
--config.data.objects.mcg_dir=DIR. Mode "zf" is design B on ZF-5. The published nets
start from SPP-net's detectors, are followed by SVMs, and refine what they paste.
Published: mean IU 61.8 on VOC 2012 test (VGG-16, MCG; ZF-5 55.4); on val 56.3 with
selective search, 60.5 with MCG at one scale (ZF-5 with selective search: 51.0 and 50.9
of designs A and B, 43.4 without masks).
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config

voc2012_deconvnet_stage1 = named.load("voc2012_deconvnet_stage1")

MODES = ("full", "zf", "smoke")


def get_config(mode: str = "full"):
    config = base_config("cfm")
    config.data.name = "voc_segmentation/sbd"
    config.data.train_split = "train_aug"
    config.data.eval_name = "voc_segmentation/2012"
    config.data.flip = True
    # The shorter side of most images comes to 688, the middle of SPP-net's scales.
    config.data.scale = (1.835, 1.835)
    config.eval_scale = 1.835
    config.data.canvas = (918, 918)
    config.data.objects.stage = "segments"
    # Of 128 segments 32 of objects (SPP_net); half of them of each of two images.
    config.data.objects.boxes, config.data.objects.background_boxes = 16, 48
    config.data.objects.proposal_method = "segments"
    config.data.objects.cache_dir = "segments"
    config.inference.method = "segments"
    config.inference.num_proposals = 2000
    config.inference.region_iou = 0.0  # region_nms.m: whatever has a pixel in common.
    # finetuning of SPP_net: fully connected layers alone, in three steps of the rate.
    config.loss.name = "box_classes"
    config.optim.learning_rate = 1e-3
    config.optim.momentum = 0.9
    config.optim.weight_decay = 5e-4
    config.optim.frozen = ("conv*",)
    config.optim.schedule = "step"
    with config.unlocked():
        config.optim.schedule_options.boundaries = (30_000, 60_000)
    config.batch_size = 2
    config.num_steps = 200_000
    config.eval_every = config.checkpoint_every = 10_000
    config.eval_batch_size = 1
    config.init_from = "vgg16.npz"
    if mode == "zf":
        config.model.name = "cfm_design_b"
        config.init_from = ""  # No file of this net is known to be at hand.
        config.optim.frozen = ()
    if mode == "smoke":
        smoke(config)
    return config


def smoke(config: Config):
    """Two steps of a narrow net on the built-in data."""
    voc2012_deconvnet_stage1.smoke(config)
    config.data.scale, config.eval_scale = (2.0, 2.0), 2.0
    config.data.canvas = ()
    config.data.objects.proposal_method, config.data.objects.cache_dir = "segments", ""
    config.data.objects.boxes, config.data.objects.background_boxes = 4, 4
    config.data.objects.num_proposals, config.inference.num_proposals = 60, 8
    config.inference.segment_parts = 128
    config.optim.frozen = ()
    config.batch_size, config.accumulate = 2, 1
