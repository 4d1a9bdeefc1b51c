"""Parameters of the dense CRF, published ones and found ones.

All are keyword arguments of `mean_field`.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeAlias

import jax

from fcn_jax import messages

_WORD = "normalization"  # The one that is no number.
Number: TypeAlias = float | jax.Array
Numbers: TypeAlias = dict[str, Any]  # Keyword arguments of `CRFParameters`.


_HOW = (
    "Published ones by name: mean_field(unary, image, **crf.PARAMETERS['pydensecrf'])."
)


@dataclasses.dataclass(frozen=True, eq=False)
class CRFParameters:
    """The numbers that the papers publish of a dense CRF.

    Attributes:
        smooth_xy: Standard deviation of the smoothness kernel, pixels.
        smooth_weight: Its weight, a scalar or one a class, [C].
        bilateral_xy: Standard deviation of the appearance kernel, pixels.
        bilateral_rgb: The same in colour, of 255.
        bilateral_weight: Its weight, a scalar or one a class, [C].
        iterations: Updates of all pixels at once; 0: the softmax of -unary.
        normalization: Of both kernels K, by n = K 1: "no", "before" (K (q / n)),
            "after" ((K q) / n) or "symmetric" (K (q / sqrt n) / sqrt n).
    """

    smooth_xy: Number
    smooth_weight: Number
    bilateral_xy: Number
    bilateral_rgb: Number
    bilateral_weight: Number
    iterations: int
    normalization: str = "symmetric"


def _deeplab(bilateral_xy: float, bilateral_rgb: float, bilateral_weight: float):
    """Of a DeepLab net: three numbers are searched for (sec. 5.1), the rest fixed."""
    found: Numbers = {
        "smooth_xy": 3.0,
        "smooth_weight": 3.0,
        "bilateral_xy": bilateral_xy,
        "bilateral_rgb": bilateral_rgb,
        "bilateral_weight": bilateral_weight,
        "iterations": 10,
        "normalization": "after",
    }
    return found


PARAMETERS: dict[str, Numbers] = {
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
    # Chen et al. 2015, arXiv:1412.7062: DeepLab-LargeFOV, by both names.
    "deeplab": _deeplab(121.0, 5.0, 4.0),
    "deeplab_largefov": _deeplab(121.0, 5.0, 4.0),
    # deeplab-public, SetupEnv.m: DeepLab (4x4, "not optimised well") and DeepLab-MSc.
    "deeplab_4x4": _deeplab(50.0, 10.0, 5.0),
    "deeplab_msc": _deeplab(95.0, 3.0, 3.0),
    # DeepLab-MSc-LargeFOV as later repositories quote it.
    "deeplab_msc_largefov": _deeplab(83.0, 5.0, 4.0),
    # deeplab-public, SetupEnv.m: WSSL's Bbox-Seg, of boxes whose centres are fixed.
    "wssl": {
        "smooth_xy": 3.0,
        "smooth_weight": 15.0,
        "bilateral_xy": 37.0,
        "bilateral_rgb": 3.0,
        "bilateral_weight": 45.0,
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


def as_given(parameters: object, numbers: Numbers) -> CRFParameters:
    """The parameters of `mean_field`, given as one value or one by one.

    Args:
        parameters: `CRFParameters`; None: they are in `numbers`.
        numbers: By field.

    Raises:
        TypeError: If they are given as both or as something else, or one is missing or
            unknown.
    """
    if parameters is None:
        _check_names(numbers)
        return CRFParameters(**numbers)
    if numbers:
        raise TypeError(
            f"mean_field: {', '.join(numbers)} stand beside parameters; give either "
            f"(dataclasses.replace changes one field of the parameters)."
        )
    if not isinstance(parameters, CRFParameters):
        raise TypeError(
            f"mean_field: parameters is {parameters!r:.60}; expected CRFParameters. "
            f"{_HOW}"
        )
    return parameters


def _check_names(numbers: Numbers) -> None:
    fields = {field.name: field for field in dataclasses.fields(CRFParameters)}
    for name in numbers:
        if name not in fields:
            close = messages.suggestion(name, fields)
            raise TypeError(
                f"mean_field: {name!r} is not known; {close + ' ' if close else ''}The "
                f"parameters are {', '.join(fields)}."
            )
    missing = [
        name
        for name, field in fields.items()
        if name not in numbers and field.default is dataclasses.MISSING
    ]
    if missing:
        raise TypeError(f"mean_field: without {', '.join(missing)}. {_HOW}")


def get_parameters(name: str) -> Numbers:
    """Parameters by the name of who published them, or from the JSON file of a search.

    Args:
        name: A key of `PARAMETERS`, or the path of a file that ends in .json and holds
            them under "parameters" (python -m fcn_jax crf_search).

    Returns:
        Numbers by name, the caller's own.

    Raises:
        ValueError: If it is neither, or the file lacks one, or holds what is none.
    """
    if name in PARAMETERS:
        return {**PARAMETERS[name]}
    path = Path(name)
    if path.suffix == ".json" and path.exists():
        return _of_file(path)
    raise ValueError(
        f"CRF parameters {name!r} are not known; give the JSON file of a search, or "
        f"one of {', '.join(PARAMETERS)}."
    )


def _of_file(path: Path) -> Numbers:
    """The parameters that a JSON file holds, all of them."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is no readable JSON ({error}); make it anew (fcn_jax crf_search)."
        ) from error
    if not isinstance(found, dict) or not isinstance(found.get("parameters"), dict):
        raise ValueError(
            f"{path} holds no CRF parameters; expected a JSON object with an entry "
            f"'parameters', as python -m fcn_jax crf_search writes it."
        )
    numbers: Numbers = found["parameters"]
    fields = dataclasses.fields(CRFParameters)
    wrong = sorted(
        {each.name for each in fields if each.default is dataclasses.MISSING}
        - numbers.keys()
    )
    wrong += sorted(numbers.keys() - {each.name for each in fields})
    wrong += sorted(
        name
        for name, value in numbers.items()
        if isinstance(value, bool | None) or isinstance(value, str) != (name == _WORD)
    )
    if wrong:
        raise ValueError(
            f"{path}: its parameter {wrong[0]!r} is missing, unknown or no number; "
            f"expected {', '.join(each.name for each in fields)}, as fcn_jax "
            f"crf_search writes them."
        )
    return numbers
