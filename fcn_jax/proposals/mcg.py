"""MCG's candidate masks, from its own files: nothing of it is computed here.

It needs trained models (structured edges, a Pareto front, a ranking forest). Its
im2mcg.m leaves a file an image with `superpixels` (H x W, numbered from 1), `labels`
(N x 1 cells, each the superpixels that a mask unites) and `scores`, falling. Its
`bboxes` are not read: newer versions of it drop near duplicates of boxes alone, so that
rows do not belong together.

References:
    Arbelaez, Pont-Tuset, Barron, Marques and Malik 2014, "Multiscale combinatorial
    grouping"; jponttuset/mcg, im2mcg.m.
"""

from pathlib import Path

import numpy as np
import scipy.io

from fcn_jax.proposals.candidates import Candidates

_NEEDED = ("superpixels", "labels")
_AGAIN = "the file is damaged or of another program: get it again"


def read(path: str | Path, num: int = 2000) -> Candidates:
    """The best masks of a file of MCG (or of its fast form, SCG).

    Args:
        path: The file, of MATLAB up to version 7.
        num: Masks at most, of the highest scores (as the file orders them); BoxSup
            takes 2,000.

    Returns:
        Masks over the file's superpixels.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no file of MCG, or `num` is not positive.
    """
    if num < 1:
        raise ValueError(f"num={num} candidates; give 1 or more (2,000 as published).")
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist; MCG's im2mcg.m makes such a file of each image."
        )
    try:
        held = scipy.io.loadmat(path, variable_names=_NEEDED)
    except NotImplementedError as error:  # What scipy raises of version 7.3, an HDF5.
        raise ValueError(
            f"{path} is a MATLAB file of version 7.3; save it with -v7 "
            f"(S = load(FILE); save(FILE, '-struct', 'S', '-v7') in MATLAB)."
        ) from error
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}: {error}); {_AGAIN}."
        ) from error
    missing = [name for name in _NEEDED if name not in held]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}; {_AGAIN}.")
    return _candidates(held["superpixels"], held["labels"], num, path)


def _candidates(
    superpixels: np.ndarray, labels: np.ndarray, num: int, path: Path
) -> Candidates:
    if superpixels.ndim != 2 or not np.issubdtype(superpixels.dtype, np.number):
        raise ValueError(
            f"{path}: superpixels are {superpixels.dtype} {superpixels.shape}; "
            f"expected numbers [H, W]; {_AGAIN}."
        )
    values, regions = np.unique(superpixels, return_inverse=True)
    if not values.size or values[0] < 1 or (values != np.round(values)).any():
        raise ValueError(
            f"{path}: superpixels are numbered from {values[:1].tolist()}; expected "
            f"whole numbers from 1 on; {_AGAIN}."
        )
    cells = labels.ravel()[:num]
    if labels.dtype != object or not len(cells):
        raise ValueError(
            f"{path}: labels are {labels.dtype} {labels.shape}; expected a cell for "
            f"each mask; {_AGAIN}."
        )
    member = np.zeros((len(cells), len(values)), np.bool_)
    for row, cell in enumerate(cells):
        wanted = np.asarray(cell).ravel()
        unknown = wanted[~np.isin(wanted, values)]
        if len(unknown) or not len(wanted):
            what = f"superpixel {unknown[0]}" if len(unknown) else "no superpixel"
            raise ValueError(
                f"{path}: mask {row + 1} unites {what}; there are {values[0]:g} to "
                f"{values[-1]:g}; {_AGAIN}."
            )
        member[row, np.searchsorted(values, wanted)] = True
    return Candidates(regions.reshape(superpixels.shape).astype(np.int32), member)
