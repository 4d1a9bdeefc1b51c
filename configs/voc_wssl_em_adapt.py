r"""DeepLab from the classes of images, by EM-Adapt, on VOC 2012 with SBD (WSSL).

python train.py --config=configs/voc_wssl_em_adapt.py --workdir=runs/wssl_em_adapt \
    --config.init_from=vgg16.npz
Papandreou et al. 2015, arXiv:1502.02734: biases by which each class of the image has a
fifth of it, the background two fifths; net and solver are those of voc_deeplab. As in
the release (UNIQUE_LABEL after the data layer), classes are those of the crop. With the
CRF: fcn_jax eval --workdir=DIR --config.crf.parameters=deeplab_4x4.
Published: mean IU 34.22 on VOC 2012 val, 38.23 with the CRF; 39.0 on test with it.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_deeplab = named.load("voc_deeplab")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_deeplab.get_config(mode)
    config.data.supervision = "crop_labels"
    config.loss.estimation = "em_adapt"
    config.loss.estimation_portions = (0.2, 0.4)  # fg_portion, bg_portion.
    config.loss.estimation_sweeps = 5  # num_iter.
    return config
