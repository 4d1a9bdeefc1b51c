r"""FCN-32s on single objects of the built-in shapes, which DeconvNet starts from.

python train.py --config=configs/shapes_fcn8s.py --workdir=runs/shapes_fcn8s
python train.py --config=configs/shapes_fcn32s_objects.py --workdir=runs/fcn32s_objects
Goes on from the demo's encoder on what stage 1 sees, fc6 and fc7 normalised as there.
Stage 1 from it: shapes_deconvnet_stage1.py, mode from_fcn32s. Five minutes.
Modes: full, any_size (the data set shapes_any_size, from runs/shapes_fcn8s_any_size),
smoke.
Ours: a step on the way; what it leads to is in docs/results.md.
"""

from fcn_jax.config import named

shapes_deconvnet_stage1 = named.load("shapes_deconvnet_stage1")
shapes_fcn8s = named.load("shapes_fcn8s")

MODES = ("full", "any_size", "smoke")


def get_config(mode: str = "full"):
    stage1 = shapes_deconvnet_stage1.get_config(mode)
    config = shapes_fcn8s.get_config(mode)
    config.model.name = "fcn32s"
    config.model.batch_norm_fc = True
    config.model.width = stage1.model.width
    config.model.fc_features = stage1.model.fc_features
    config.data.objects = stage1.data.objects
    config.data.crop = stage1.data.crop
    config.batch_size = stage1.batch_size
    config.optim.learning_rate = 1e-3
    if mode != "smoke":
        config.init_from = "runs/shapes_fcn8s"
    if mode == "any_size":
        config.init_from += "_any_size"
    return config
