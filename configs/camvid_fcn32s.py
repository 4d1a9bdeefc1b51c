r"""FCN-32s on CamVid, the step from FCN-8s to DeconvNet.

python train.py --config=configs/camvid_fcn32s.py --workdir=runs/camvid_fcn32s \
    --config.data.root=DIR --config.init_from=runs/camvid_fcn8s
From FCN-8s, which learns soonest but says much by its skips, to a net that says
everything in fc7, as DeconvNet must. fc6 and fc7 are normalised as in DeconvNet. Images
are larger than those of FCN-8s, whose cells are a quarter of FCN-32s' in width.
Modes: full (CPU: half width, three quarters of the resolution), gpu (full width and
resolution), smoke.
Published for scale, with ImageNet weights and 3,433 training images: FCN 0.498
(Badrinarayanan et al. 2017, SegNet).
Ours, validation mean IU at the full 360x480: 0.371.
"""

from fcn_jax.config import named

camvid_fcn8s = named.load("camvid_fcn8s")

_EPOCH = 367 / 8  # Steps.

MODES = ("full", "gpu", "smoke")


def get_config(mode: str = "full"):
    config = camvid_fcn8s.get_config(mode)
    config.model.name = "fcn32s"
    config.model.batch_norm_fc = True
    if mode == "full":
        config.data.scale = (0.5, 1.2)
        config.eval_scale = 0.75
        config.num_steps = config.eval_every = 260
        config.checkpoint_every = 130
    if mode == "gpu":
        config.num_steps = round(30 * _EPOCH)
    return config
