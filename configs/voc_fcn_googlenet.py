r"""FCN-GoogLeNet on PASCAL VOC by the recipe of the CVPR paper (table 1).

python train.py --config=configs/voc_fcn_googlenet.py --workdir=runs/voc_googlenet \
    --config.init_from=bvlc_googlenet
Published: mean IU 42.5 on VOC 2011 val (Long et al. 2015, table 1), from a GoogLeNet of
the authors' own (top-1 68.5 %) that was never released, trained on VOC 2011's train
alone; BVLC's, from which this starts, has 68.7 %.
Ours: not run; needs BVLC's weights and the VOC archive.
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.model.name = "fcn_googlenet"
    config.model.fc_features = 4096  # It has none.
    config.model.dropout_rate = 0.4  # As in bvlc_googlenet, before the scores.
    # Sec. 4.3: 20 images an update, momentum 0.9; the rate was found by line search.
    config.batch_size = config.accumulate = 20
    config.loss.reduction = "mean"
    config.optim.learning_rate = 5e-5
    config.optim.momentum = 0.9
    config.init_from = "bvlc_googlenet"
    if mode == "smoke":
        config.init_from = ""
        config.batch_size = config.accumulate = 2
    else:
        config.data.name = "voc_segmentation/2011"
        config.data.eval_split = "val"
        # At least 175 epochs of the 1112 images of train.
        config.num_steps = 9730
        config.eval_every = config.checkpoint_every = 1000
    return config
