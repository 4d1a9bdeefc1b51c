r"""DeepLab from boxes, taken for masks: Bbox-Rect, on VOC 2012 with SBD (WSSL).

python train.py --config=configs/voc_wssl_bbox_rect.py --workdir=runs/wssl_bbox_rect \
    --config.init_from=vgg16.npz
Papandreou et al. 2015, arXiv:1502.02734 ("Bbox-Baseline" in its first version): a pixel
is of the smallest box over it; boxes are tight around the objects of the masks.
Published: mean IU 47.72 on VOC 2012 val, 52.52 with the CRF; 54.2 on test with it.
Ours: not run; needs ImageNet weights and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_deeplab = named.load("voc_deeplab")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_deeplab.get_config(mode)
    config.data.supervision = "boxes"
    return config
