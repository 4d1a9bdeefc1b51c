r"""FCN-32s that sees the background alone, objects masked out ("BG-only").

python train.py --config=configs/voc_fcn32s_background.py --workdir=runs/voc_bg \
    --config.init_from=vgg16.npz
Published: mean IU without the background class 37.8; 19.8 of the network that learned
from whole images (Shelhamer et al. 2017, arXiv:1605.06211, table 8), which is
python eval.py --workdir=runs/voc_fcn32s --config.data.eval_cue=background
Ours: not run; needs ImageNet weights and the VOC and SBD archives. On the shapes:
docs/results.md, "What the 2017 paper adds".
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.data.train_cue = config.data.eval_cue = "background"
    return config
