r"""FCN-16s on CamVid, from FCN-32s: the second of FCN's three stages.

python train.py --config=configs/camvid_fcn16s_vgg.py --workdir=runs/camvid_fcn16s_vgg \
    --config.data.root=DIR
Starts from the best checkpoint of runs/camvid_fcn32s_vgg, which needs the data and the
file that the head of camvid_fcn32s_vgg.py names; score_pool4 starts at zero.
Crops of the full resolution; conv3 to conv5 learn at half the rate of the rest.
355 GFLOP a step: 17 min on two cores of an AMD EPYC.
Modes: full, gpu (larger crops and batches), smoke.
Published for scale, with ImageNet weights and 3,433 training images: FCN 0.498
(Badrinarayanan et al. 2017, SegNet).
Ours: 0.366 (docs/results.md).
"""

from fcn_jax.config import named

camvid_fcn32s_vgg = named.load("camvid_fcn32s_vgg")

MODES = ("full", "gpu", "smoke")


def get_config(mode: str = "full"):
    config = camvid_fcn32s_vgg.get_config(mode)
    config.model.name = "fcn16s"
    config.optim.learning_rate = 3e-4
    config.optim.slow_rate = 0.5
    if mode != "smoke":
        config.init_from = "runs/camvid_fcn32s_vgg"
    if mode == "full":
        config.num_steps = config.eval_every = 80
        config.checkpoint_every = 40
        config.data.scale = (0.6, 1.3)
        config.data.crop = (240, 320)
        config.eval_scale = 1.0
        config.batch_size = 4
        config.eval_batch_size = 2
    return config
