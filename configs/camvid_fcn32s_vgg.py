r"""FCN-32s on CamVid from a trunk of VGG-16: the first of FCN's three stages.

fcn_jax fetch vgg16-trunk-bsds
python train.py --config=configs/camvid_fcn32s_vgg.py --workdir=runs/camvid_fcn32s_vgg \
    --config.data.root=DIR
Needs CamVid's 367 training and 101 validation images in VOC layout (`fcn_jax import
camvid SRC DIR`), and conv1_1 to conv5_3 of ImageNet's VGG-16 (tuned for edges), which
`fcn_jax fetch` gets: 56 MiB, and the extra [weights] to read them. fc6 and fc7, of
1,024 features and normalised as in DeconvNet, start anew. conv1 and conv2 stay as they
are, the rest of the trunk learns at a tenth of the rate.
Half the resolution. 390 GFLOP a step: 36 min on two cores of an AMD EPYC.
Modes: full, gpu (full resolution), smoke.
Published for scale, with ImageNet weights and 3,433 training images: FCN 0.498
(Badrinarayanan et al. 2017, SegNet).
Ours: 0.299 (docs/results.md).
"""

from fcn_jax.config.base import base_config

MODES = ("full", "gpu", "smoke")


def get_config(mode: str = "full"):
    config = base_config()
    config.data.name = "folder"
    config.data.root = "../shared/data/camvid"
    config.data.flip = True
    config.data.brightness = 0.2
    # Half resolution: scales are relative to the 360x480 image.
    config.data.scale = (0.4, 0.75)
    config.data.crop = (176, 240)
    config.eval_scale = 0.5
    config.model.name = "fcn32s"
    config.model.num_classes = 11
    config.model.padding = "same"
    config.model.fc_features = 1024
    config.model.batch_norm_fc = True
    config.init_from = "vgg16-trunk-bsds"
    config.optim.name = "adamw"
    config.optim.learning_rate = 3e-4
    config.optim.weight_decay = 1e-2
    config.optim.schedule = "one_cycle"
    config.optim.frozen = ("conv1_*", "conv2_*")
    config.optim.slow = ("conv[345]_*",)
    config.optim.slow_rate = 0.1
    config.batch_size = 8
    config.eval_batch_size = 4
    config.num_steps = config.eval_every = 200
    config.checkpoint_every = 50
    config.log_every = 10
    if mode == "gpu":
        config.data.scale = (0.6, 1.8)
        config.data.crop = (352, 480)
        config.data.num_threads = 8
        config.data.cache = 1.0  # All of CamVid, decoded.
        config.eval_scale = 1.0
        config.model.dtype = "bfloat16"
        config.num_steps = config.eval_every = config.checkpoint_every = 800
        config.log_every = 50
    if mode == "smoke":
        config.init_from = ""
        config.model.width = 1 / 16
        config.batch_size = config.eval_batch_size = 2
        config.num_steps, config.log_every = 2, 1
    return config
