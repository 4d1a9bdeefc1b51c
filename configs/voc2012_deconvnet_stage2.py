r"""DeconvNet, stage 2: object proposals (Noh et al. 2015, sec. 4.2 and 5.1).

python -m fcn_jax proposals --config=configs/voc2012_deconvnet_stage2.py \
    --out=proposals
python train.py --config=configs/voc2012_deconvnet_stage2.py --workdir=runs/stage2 \
    --config.init_from=runs/stage1 --config.data.objects.cache_dir=proposals
python eval.py --config=configs/voc2012_deconvnet_stage2.py --workdir=runs/stage2 \
    --config.data.objects.cache_dir=proposals --config.inference.method=proposals
Published: mean IU 69.6 on VOC 2012 test (trained on trainval_aug); with FCN-8s
(EDeconvNet) 71.7.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc2012_deconvnet_stage1 = named.load("voc2012_deconvnet_stage1")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc2012_deconvnet_stage1.get_config()
    config.data.objects.stage = "proposals"
    config.data.objects.min_iou = 0.5
    config.data.objects.cache_dir = "proposals"
    # 002_stage_2/solver.prototxt.
    config.optim.schedule_options.boundaries = (10_000, 20_000, 30_000)
    config.num_steps = 40_000
    config.init_from = "runs/stage1"
    # BN_make_INFERENCE_script.py: 501 batches of 28 crops; here of 64.
    config.batch_stats_batches = 219
    if mode == "smoke":
        voc2012_deconvnet_stage1.smoke(config)
        config.batch_stats_batches = 2
    return config
