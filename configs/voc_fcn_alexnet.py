r"""FCN-AlexNet on PASCAL VOC with SBD (fcn.berkeleyvision.org, voc-fcn-alexnet).

python train.py --config=configs/voc_fcn_alexnet.py --workdir=runs/voc_fcn_alexnet \
    --config.init_from=bvlc_reference_caffenet
Published: mean IU 48.0 on seg11valid (release; Long et al. 2015, sec. 5); 39.8 on VOC
2011 val where it is trained without SBD (table 1, by the recipe of the paper, whose
learning rate is 1e-3: --config.optim.learning_rate=1e-3).
Ours: not run; needs CaffeNet's weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_fcn32s = named.load("voc_fcn32s")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_fcn32s.get_config(mode)
    config.model.name = "fcn_alexnet"
    # The solver accumulates the gradients of 20 images, and its loss is a mean.
    config.batch_size = config.accumulate = 20
    config.loss.reduction = "mean"
    config.optim.learning_rate = 1e-4
    config.optim.momentum = 0.9
    # Layers that are copied have no multipliers of their own there; that of the scores'
    # bias, 2 and no decay, is not kept.
    config.optim.bias_lr = config.optim.bias_decay = 1.0
    config.init_from = "bvlc_reference_caffenet"
    if mode == "smoke":
        config.init_from = ""
        config.batch_size = config.accumulate = 2
    return config
