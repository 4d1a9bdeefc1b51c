r"""FCN-32s that sees objects alone, the background masked out ("FG-only").

python train.py --config=configs/voc_fcn32s_foreground.py --workdir=runs/voc_fg \
    --config.init_from=vgg16.npz
Published: mean IU without the background class 76.1; 84.8 of the network that sees all,
81.0 of that where the background is masked out of what it is scored on (Shelhamer et
al. 2017, arXiv:1605.06211, table 8). The last is this, of its run:
python eval.py --workdir=runs/voc_fcn32s --config.data.eval_cue=foreground
Ours: not run; needs ImageNet weights and the VOC and SBD archives. On the shapes:
docs/results.md, "What the 2017 paper adds".
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.data.train_cue = config.data.eval_cue = "foreground"
    return config
