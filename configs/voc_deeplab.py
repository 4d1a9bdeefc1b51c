r"""DeepLab with the 4x4 kernel of fc6, the first of its nets (Chen et al. 2015).

python train.py --config=configs/voc_deeplab.py --workdir=runs/voc_deeplab_4x4 \
    --config.init_from=vgg16.npz
Its poolings are 3x3, as in the authors' later nets and in the prototxt of DeepLab-MSc;
the first release pooled 2x2 and cut scores to fit. With the CRF: fcn_jax eval
--workdir=DIR --config.crf.parameters=deeplab_4x4.
Published: mean IU 59.80 on VOC 2012 val, 63.74 with the CRF; 66.4 on test with it
(trained on trainval_aug).
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_deeplab_7x7 = named.load("voc_deeplab_7x7")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_deeplab_7x7.get_config(mode)
    config.model.name = "deeplab"
    return config
