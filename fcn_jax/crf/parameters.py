"""Published parameters of the dense CRF, by whom; keyword arguments of `mean_field`."""

from typing import Any

PARAMETERS: dict[str, dict[str, Any]] = {
    # lucasb-eyer/pydensecrf, README and examples.
    "pydensecrf": {
        "smooth_xy": 3.0,
        "smooth_weight": 3.0,
        "bilateral_xy": 80.0,
        "bilateral_rgb": 13.0,
        "bilateral_weight": 10.0,
        "iterations": 5,
        "normalization": "symmetric",
    },
    # Chen et al. 2015, arXiv:1412.7062: DeepLab-LargeFOV.
    "deeplab": {
        "smooth_xy": 3.0,
        "smooth_weight": 3.0,
        "bilateral_xy": 121.0,
        "bilateral_rgb": 5.0,
        "bilateral_weight": 4.0,
        "iterations": 10,
        "normalization": "after",
    },
    # HyeonwooNoh/DeconvNet, generate_EDeconvNet_CRF_results.m.
    "deconvnet": {
        "smooth_xy": 3.0,
        "smooth_weight": 3.0,
        "bilateral_xy": 20.0,
        "bilateral_rgb": 3.0,
        "bilateral_weight": 5.0,
        "iterations": 10,
        "normalization": "no",
    },
    # torrvision/crfasrnn: where its learned matrices start.
    "crfasrnn": {
        "smooth_xy": 3.0,
        "smooth_weight": 3.0,
        "bilateral_xy": 160.0,
        "bilateral_rgb": 3.0,
        "bilateral_weight": 5.0,
        "iterations": 10,
        "normalization": "after",
    },
}
