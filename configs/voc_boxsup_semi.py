r"""DeepLab from 1,464 masks and the boxes of 9,118 images, VOC and SBD: BoxSup.

python train.py --config=configs/voc_boxsup_semi.py --workdir=runs/voc_boxsup_semi \
    --config.init_from=vgg16.npz --config.data.boxsup.mcg_dir=DIR
Dai et al. 2015, arXiv:1503.01640, sec. 4.3: the images of VOC's own train keep their
masks, those of the others are estimated as in configs/voc_boxsup.py. All are seen as
often; --config.data.strong_share=0.25 has a quarter of each batch with masks.
Published, with the CRF: mean IU 63.5 on VOC 2012 val (63.8 from 10,582 masks), 66.2 on
test.
Ours: not run; needs ImageNet weights, the VOC and SBD archives, and MCG's files.
"""

from fcn_jax.config import named

voc_boxsup = named.load("voc_boxsup")

MODES = ("full", "segments", "smoke")


def get_config(mode: str = "full"):
    config = voc_boxsup.get_config(mode)
    config.data.strong_name = "voc_segmentation/2012"
    config.data.strong_split = "train"
    if mode == "smoke":
        config.data.strong_name, config.data.strong_split = "", ""
        config.data.strong_images = 1
    return config
