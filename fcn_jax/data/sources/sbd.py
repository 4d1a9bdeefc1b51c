"""The Semantic Boundaries Dataset: more VOC images with masks, in MATLAB files.

References:
    Hariharan et al. 2011, "Semantic contours from inverse detectors". Layout:
    benchmark_RELEASE/dataset/{img/ID.jpg, cls/ID.mat, inst/ID.mat, train.txt, val.txt}.
"""

import io
from typing import IO

import numpy as np
import scipy.io

# The struct in each kind of file; its field Segmentation is the mask.
_STRUCTS = {"cls": "GTcls", "inst": "GTinst"}


def read_mat(stream: IO[bytes], kind: str, where: str) -> np.ndarray:
    """The mask in one of SBD's files.

    Args:
        stream: The file.
        kind: "cls" (classes 0 to 20) or "inst" (0 and instances from 1).
        where: Its name, for the message.

    Returns:
        uint8 [H, W].

    Raises:
        ValueError: If it is no such file.
    """
    name = _STRUCTS[kind]
    try:
        content = scipy.io.loadmat(
            io.BytesIO(stream.read()), squeeze_me=True, struct_as_record=False
        )
        mask = np.asarray(content[name].Segmentation)
    except Exception as error:
        raise ValueError(
            f"{where} is no SBD mask ({type(error).__name__}: {error}); expected a "
            f"MATLAB file with {name}.Segmentation. The archive is damaged: get it "
            f"again."
        ) from error
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(
            f"{where}: {name}.Segmentation is {mask.dtype} {mask.shape}; expected "
            f"uint8 [H, W]."
        )
    return mask
