r"""DeepLab-7x7: VGG-16's own kernel of fc6, with holes of 4 cells (Chen et al. 2015).

python train.py --config=configs/voc_deeplab_7x7.py --workdir=runs/voc_deeplab_7x7 \
    --config.init_from=vgg16.npz
Its prototxt is not among those that can be read: batch and crop are those of the
authors' other nets of 4096 channels. With the CRF: fcn_jax eval --workdir=DIR
--config.crf.parameters=crf.json, of a search.
Published: mean IU 64.38 on VOC 2012 val, 67.64 with the CRF; 70.3 on test with it
(trained on trainval_aug).
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_deeplab_largefov = named.load("voc_deeplab_largefov")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_deeplab_largefov.get_config(mode)
    config.model.name = "deeplab_7x7"
    if mode != "smoke":
        config.batch_size = 20
    return config
