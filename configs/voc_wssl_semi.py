r"""DeepLab from 1,464 masks and the classes of 9,118 images, on VOC and SBD (WSSL).

python train.py --config=configs/voc_wssl_semi.py --workdir=runs/wssl_semi \
    --config.init_from=vgg16.npz
Papandreou et al. 2015, arXiv:1502.02734: EM-Fixed of images without masks, in batches
of which a fixed share has masks. Which share is not published; ours is a quarter. For
fewer masks: --config.data.strong_images=200, 500, 750 or 1000; they are drawn once.
Published: mean IU 58.30 on VOC 2012 val, 61.90 with the CRF (of 200, 500, 750, 1,000
masks 44.05, 52.52, 55.04, 56.79, with it 47.57, 56.89, 58.82, 60.48); 63.5 on test.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_wssl_em_fixed = named.load("voc_wssl_em_fixed")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_wssl_em_fixed.get_config(mode)
    config.data.strong_name = "voc_segmentation/2012"
    config.data.strong_split = "train"
    config.data.strong_share = 0.25
    if mode == "smoke":
        config.data.strong_name, config.data.strong_split = "", ""
        config.data.strong_images, config.data.strong_share = 2, 0.5
    return config
