"""What Table 1 of the DeconvNet paper prints: IU on VOC 2012 test, percent.

References:
    Noh et al. 2015, table 1. Its rows for other systems are those of their papers:
    Hariharan et al. 2015 (Hypercolumn), Dai et al. 2015 (MSRA-CFM), Long et al. 2015
    (FCN-8s), Mostajabi et al. 2015 (TTI-Zoomout-16), Chen et al. 2015 (DeepLab-CRF,
    which is MSc-LargeFOV), Papandreou et al. 2015 (WSSL), Dai et al. 2015 (BoxSup).
"""

import statistics

from fcn_jax.data import label_sets

CLASSES = label_sets.VOC.classes
# Of systems trained with more data than VOC and SBD: WSSL's row has all the masks of
# COCO too, BoxSup's the boxes of COCO.
EXTRA_DATA = ("WSSL", "BoxSup")

_ROWS = {
    "Hypercolumn": (
        "88.9 68.4 27.2 68.2 47.6 61.7 76.9 72.1 71.1 24.3 59.3 44.8 62.7 59.4 73.5 "
        "70.6 52.0 63.0 38.1 60.0 54.1"
    ),
    "MSRA-CFM": (
        "87.7 75.7 26.7 69.5 48.8 65.6 81.0 69.2 73.3 30.0 68.7 51.5 69.1 68.1 71.7 "
        "67.5 50.4 66.5 44.4 58.9 53.5"
    ),
    "FCN-8s": (
        "91.2 76.8 34.2 68.9 49.4 60.3 75.3 74.7 77.6 21.4 62.5 46.8 71.8 63.9 76.5 "
        "73.9 45.2 72.4 37.4 70.9 55.1"
    ),
    "TTI-Zoomout-16": (
        "89.8 81.9 35.1 78.2 57.4 56.5 80.5 74.0 79.8 22.4 69.6 53.7 74.0 76.0 76.6 "
        "68.8 44.3 70.2 40.2 68.9 55.3"
    ),
    "DeepLab-CRF": (
        "93.1 84.4 54.5 81.5 63.6 65.9 85.1 79.1 83.4 30.7 74.1 59.8 79.0 76.1 83.2 "
        "80.8 59.7 82.2 50.4 73.1 63.7"
    ),
    "DeconvNet": (
        "92.7 85.9 42.6 78.9 62.5 66.6 87.4 77.8 79.5 26.3 73.4 60.2 70.8 76.5 79.6 "
        "77.7 58.2 77.4 52.9 75.2 59.8"
    ),
    "DeconvNet+CRF": (
        "92.9 87.8 41.9 80.6 63.9 67.3 88.1 78.4 81.3 25.9 73.7 61.2 72.0 77.0 79.9 "
        "78.7 59.5 78.3 55.0 75.2 61.5"
    ),
    "EDeconvNet": (
        "92.9 88.4 39.7 79.0 63.0 67.7 87.1 81.5 84.4 27.8 76.1 61.2 78.0 79.3 83.1 "
        "79.3 58.0 82.5 52.3 80.1 64.0"
    ),
    "EDeconvNet+CRF": (
        "93.1 89.9 39.3 79.7 63.9 68.2 87.4 81.2 86.1 28.5 77.0 62.0 79.0 80.3 83.6 "
        "80.2 58.8 83.4 54.3 80.7 65.0"
    ),
    "WSSL": (
        "93.2 85.3 36.2 84.8 61.2 67.5 84.7 81.4 81.0 30.8 73.8 53.8 77.5 76.5 82.3 "
        "81.6 56.3 78.9 52.3 76.6 63.3"
    ),
    "BoxSup": (
        "93.6 86.4 35.5 79.7 65.2 65.2 84.3 78.5 83.7 30.5 76.2 62.6 79.3 76.1 82.1 "
        "81.3 57.0 78.2 55.0 72.5 68.1"
    ),
}
# By row, in the table's order, of the background and the twenty classes.
IU = {name: tuple(map(float, row.split())) for name, row in _ROWS.items()}


def mean_iu(row: str) -> float:
    """The mean over the 21 classes, percent.

    Args:
        row: A key of `IU`.
    """
    return statistics.mean(IU[row])
