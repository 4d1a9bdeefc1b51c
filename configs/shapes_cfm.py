r"""CFM on the built-in shapes, from scratch, on a CPU.

python train.py --config=configs/shapes_cfm.py --workdir=runs/shapes_cfm
BatchNorm, AdamW and training all layers at once are ours: the published net starts
from one that knows boxes. Images are enlarged twice, for the smallest discs are as
small as two cells of the last map.
Ours: see docs/results.md.
"""

from fcn_jax.config import named
from fcn_jax.config.base import base_config

shapes_fcn8s = named.load("shapes_fcn8s")
voc_cfm = named.load("voc_cfm")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config, demo = base_config("cfm"), shapes_fcn8s.get_config(mode)
    for part in ("data", "optim"):
        config[part] = demo[part]
    for key in ("preprocessing", "batch_size", "num_steps", "log_every", "eval_every",
                "checkpoint_every", "eval_batch_size"):  # fmt: skip
        config[key] = demo[key]
    config.data.crop = ()
    config.data.scale, config.eval_scale = (2.0, 2.0), 2.0
    config.data.objects.stage = "segments"
    config.data.objects.boxes, config.data.objects.background_boxes = 8, 24
    config.data.objects.proposal_method = "segments"
    config.data.objects.num_proposals = 200
    config.model.num_classes = 7
    config.model.batch_norm = True
    config.model.width = demo.model.width
    config.model.fc_features = 1024
    config.model.dropout_rate = 0.1
    config.loss.name = "box_classes"
    config.inference.method = "segments"
    config.inference.num_proposals = 100
    config.inference.min_side = 12
    config.inference.region_iou = 0.0
    config.inference.segment_parts = 512
    if mode == "smoke":
        voc_cfm.smoke(config)
    return config
