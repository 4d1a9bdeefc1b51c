r"""DeepLab-MSc-LargeFOV: what DeepLab-LargeFOV sees, and scores of early maps added.

python train.py --config=configs/voc_deeplab_msc_largefov.py --workdir=runs/voc_msc \
    --config.init_from=runs/voc_deeplab
Starts from the best checkpoint of runs/voc_deeplab; only the branches learn
(DeepLab-MSc-LargeFOV/train.prototxt). With the CRF: fcn_jax eval --workdir=DIR
--config.crf.parameters=deeplab_msc_largefov.
Published: mean IU 64.21 on VOC 2012 val, 68.70 with the CRF; 71.6 on test with it
(trained on trainval_aug), the "DeepLab-CRF" of later tables.
Ours: not run; needs DeepLab-LargeFOV and the VOC and SBD archives.
"""

from fcn_jax.config import named

voc_deeplab_largefov = named.load("voc_deeplab_largefov")

MODES = ("full", "smoke")


def get_config(mode: str = "full"):
    config = voc_deeplab_largefov.get_config(mode)
    config.model.name = "deeplab_msc_largefov"
    config.optim.learning_rate = 1e-3
    config.optim.frozen = ("conv*", "fc6", "fc7", "fc8_score")
    config.optim.slow, config.optim.slow_rate = (), 0.1
    if mode != "smoke":
        config.init_from = "runs/voc_deeplab"
    return config
