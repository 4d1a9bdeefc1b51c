r"""FCN-8s on CamVid, from FCN-16s: the last of FCN's three stages, at full resolution.

python train.py --config=configs/camvid_fcn8s_vgg.py --workdir=runs/camvid_fcn8s_vgg \
    --config.data.root=DIR
Starts from the best checkpoint of runs/camvid_fcn16s_vgg, which started from
runs/camvid_fcn32s_vgg: three commands, each in the head of its config. They need the
data and the file that the head of camvid_fcn32s_vgg.py names; score_pool3 starts at
zero. Crops of the full resolution cost what whole images of half do; poles, signs and
people are wide enough there for cells of 8 pixels.
355 GFLOP a step: 97 min on two cores of an AMD EPYC, with two evaluations.
Better: from the trunk alone at half the resolution (atonce: 76 min of two cores with
AVX-512), then on larger images (larger: 23 min, largest: 13 min):

python train.py --config=configs/camvid_fcn8s_vgg.py:atonce \
    --workdir=runs/camvid_fcn8s_atonce --config.data.root=DIR
python train.py --config=configs/camvid_fcn8s_vgg.py:larger \
    --workdir=runs/camvid_fcn8s_larger --config.data.root=DIR
python train.py --config=configs/camvid_fcn8s_vgg.py:largest \
    --workdir=runs/camvid_fcn8s_largest --config.data.root=DIR

Goal: validation mean IU 0.66, in 120 minutes of two cores for all stages.
Modes: full, atonce, larger, largest; gpu (larger crops and batches); smoke.
Published for scale, with ImageNet weights and 3,433 training images: FCN 0.498
(Badrinarayanan et al. 2017, SegNet).
Ours: 0.558; 0.624, 0.647 and 0.659 by atonce, larger and largest (docs/results.md);
0.660 by eval.py with --config.batch_stats_batches=100.
"""

from fcn_jax.config import named

camvid_fcn16s_vgg = named.load("camvid_fcn16s_vgg")
camvid_fcn32s_vgg = named.load("camvid_fcn32s_vgg")

_GROWING = ("atonce", "larger", "largest")  # Each from the one before it.

MODES = ("full", *_GROWING, "gpu", "smoke")


def get_config(mode: str = "full"):
    if mode in _GROWING:
        return _growing(mode)
    config = camvid_fcn16s_vgg.get_config(mode)
    config.model.name = "fcn8s"
    if mode != "smoke":
        config.init_from = "runs/camvid_fcn16s_vgg"
    if mode == "full":
        config.num_steps = 500
        config.eval_every = 250
        config.checkpoint_every = 50
    if mode == "gpu":
        config.num_steps = 4000
        config.eval_every = config.checkpoint_every = 2000
    return config


def _growing(mode: str):
    """All of FCN-8s from the trunk, in stages of growing images."""
    config = camvid_fcn32s_vgg.get_config()
    config.model.name = "fcn8s"
    config.data.scale = (0.4, 0.9)
    config.loss.name = "cross_entropy+dice"  # It finds small classes early.
    config.optim.slow_rate = 0.3
    config.num_steps = 2400
    config.eval_every = 800
    if mode != "atonce":
        config.init_from = "runs/camvid_fcn8s_atonce"
        config.data.scale = (0.6, 1.2)
        config.data.crop = (240, 320)
        config.eval_scale = 0.75
        config.optim.learning_rate = 1.5e-4
        config.batch_size = 4
        config.num_steps = 800
        config.eval_every = 400
    if mode == "largest":
        config.init_from = "runs/camvid_fcn8s_larger"
        config.data.scale = (0.8, 1.3)
        config.eval_scale = 1.0
        config.optim.learning_rate = 1e-4
        config.num_steps = config.eval_every = 430
    return config
