r"""DeepLab-LargeFOV from boxes, by EM-Fixed in them, on VOC 2012 with SBD (WSSL).

python train.py --config=configs/voc_wssl_bbox_em_fixed.py --workdir=runs/wssl_box_em \
    --config.init_from=vgg16.npz
Papandreou et al. 2015, arXiv:1502.02734, third version, which has this net: a pixel is
of a box over it, or background. The biases, 5 and 3, are as that version is quoted; we
have not seen them in print.
Published: mean IU 54.1 on VOC 2012 val with the CRF, as that version is quoted.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_deeplab_largefov = named.load("voc_deeplab_largefov")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_deeplab_largefov.get_config(mode)
    config.data.supervision = "boxes"
    config.loss.estimation = "em_boxes"
    config.loss.estimation_biases = (5.0, 3.0)
    return config
