r"""DeepLab from the classes of images, by EM-Fixed, on VOC 2012 with SBD (WSSL).

python train.py --config=configs/voc_wssl_em_fixed.py --workdir=runs/wssl_em_fixed \
    --config.init_from=vgg16.npz
Papandreou et al. 2015, arXiv:1502.02734, first version: scores of classes that the
image holds are raised by 6, of its background by 5.
Published: mean IU 20.25 on VOC 2012 val, 20.77 with the CRF.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_wssl_em_adapt = named.load("voc_wssl_em_adapt")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_wssl_em_adapt.get_config(mode)
    config.loss.estimation = "em_fixed"
    config.loss.estimation_biases = (6.0, 5.0)  # c_f, c_b.
    return config
