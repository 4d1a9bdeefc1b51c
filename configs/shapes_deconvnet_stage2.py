r"""DeconvNet on proposals of the built-in shapes, on a CPU; starts from stage 1.

python -m fcn_jax proposals --config=configs/shapes_deconvnet_stage2.py --out=proposals
python train.py --config=configs/shapes_deconvnet_stage2.py --workdir=runs/stage2 \
    --config.init_from=runs/stage1 --config.data.objects.cache_dir=proposals
python eval.py --config=configs/shapes_deconvnet_stage2.py --workdir=runs/stage2 \
    --config.data.objects.cache_dir=proposals --config.inference.method=proposals
Modes: full, from_fcn32s and any_size (from a stage 1 of that mode: runs/stage1, or
runs/stage1_any_size), smoke; the three commands take the same.
Ours: see docs/results.md.
"""

from fcn_jax.config import named

shapes_deconvnet_stage1 = named.load("shapes_deconvnet_stage1")
voc2012_deconvnet_stage1 = named.load("voc2012_deconvnet_stage1")

MODES = ("full", "from_fcn32s", "any_size", "smoke")


def get_config(mode: str = "full"):
    config = shapes_deconvnet_stage1.get_config("full" if mode == "smoke" else mode)
    config.data.objects.stage = "proposals"
    config.data.objects.num_proposals = 200
    with config.unlocked():
        # The smallest discs have 380 pixels; of any size few boxes are below 120.
        smallest = 120 if mode == "any_size" else 300
        config.data.objects.proposal_options.min_box_area = smallest
    config.data.objects.balance = 1
    config.data.objects.cache_dir = "proposals"
    config.optim.learning_rate = 2e-3
    shapes_deconvnet_stage1.from_fcn32s(config, mode)
    config.num_steps = 900
    config.init_from = "runs/stage1"
    if mode == "any_size":
        config.init_from += "_any_size"
    if mode == "smoke":
        voc2012_deconvnet_stage1.smoke(config)
    return config
