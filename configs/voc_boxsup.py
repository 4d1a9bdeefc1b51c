r"""DeepLab from the boxes of VOC 2012 and SBD: BoxSup (Dai et al. 2015).

python train.py --config=configs/voc_boxsup.py --workdir=runs/voc_boxsup \
    --config.init_from=vgg16.npz --config.data.boxsup.mcg_dir=DIR
arXiv:1503.01640: 2,000 candidates of MCG an image (DIR/ID.mat, as its im2mcg.m leaves
them), lambda 3, one of the 5 cheapest; masks before each epoch. Without these files the
mode "segments" has selective search's, made on all cores beforehand by fcn_jax
proposals --config=configs/voc_boxsup.py:segments --out=DIR, and given by
--config.data.boxsup.cache_dir=DIR. Solver and epochs are not published: these are
DeepLab's (our voc_deeplab), for 20 epochs, the last whose masks the paper shows; that
the net has no say in the first, and E_r a mean over pixels, is ours. With the CRF:
fcn_jax eval --workdir=DIR --config.crf.parameters=deeplab_4x4.
Published, with the CRF: mean IU 62.0 on VOC 2012 val (63.8 from masks; 52.3 from
rectangles; 59.7 by selective search), 64.6 on test.
Ours: not run; needs ImageNet weights, the VOC and SBD archives, and MCG's files.
"""

from fcn_jax.config import named

voc_deeplab = named.load("voc_deeplab")

MODES = ("full", "segments", "smoke")
_EPOCH = 530  # Updates in which 20 images each are the 10,582 of train_aug.


def get_config(mode: str = "full"):
    config = voc_deeplab.get_config("smoke" if mode == "smoke" else "full")
    config.data.supervision = "boxsup"
    config.data.boxsup.method = "segments" if mode == "segments" else "mcg"
    config.data.boxsup.mcg_dir = "MCG"
    config.num_steps = 20 * _EPOCH
    with config.unlocked():
        config.optim.schedule_options.boundaries = (10 * _EPOCH, 15 * _EPOCH)
    config.eval_every = config.checkpoint_every = _EPOCH
    if mode == "segments":
        config.data.boxsup.mcg_dir = ""
        config.data.boxsup.cache_dir = "candidates"
    if mode == "smoke":
        config.num_steps = 2
        config.data.train_split = "train[:4]"
        config.data.boxsup.method, config.data.boxsup.mcg_dir = "segments", ""
        config.data.boxsup.epoch_steps = 1
    return config
