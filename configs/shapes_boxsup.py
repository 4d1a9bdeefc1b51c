r"""FCN-8s from the boxes of the built-in shapes: BoxSup, on a CPU.

python train.py --config=configs/shapes_boxsup.py --workdir=runs/shapes_boxsup
Candidates are segments of selective search, some 200 an image. The net is the demo's,
which learns from noise: it has no say in the first six epochs of eleven, and later none
in what meets a box by half or less, or small masks would win, which ask for little
foreground of a net that has seen little.
Ours: validation mean IU 0.775, with a CRF 0.876 (docs/results.md, Table 1);
`python -m benchmarks.boxsup` sets it beside boxes and masks.
"""

from fcn_jax.config import named

shapes_wssl_bbox_rect = named.load("shapes_wssl_bbox_rect")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = shapes_wssl_bbox_rect.get_config(mode)
    config.data.supervision = "boxsup"
    with config.unlocked():
        config.data.boxsup.options.min_side = 8  # Shapes have 15 pixels and more.
        config.data.boxsup.options.scales = (25, 50, 100)
    config.data.boxsup.min_iou = 0.5
    config.data.boxsup.silent_epochs = 6
    if mode == "smoke":
        config.data.train_split = "train[:4]"
        config.data.boxsup.epoch_steps = config.data.boxsup.silent_epochs = 1
    return config
