"""What a file records of its net beside the weights.

Two things change what weights mean: what the images went through, and the factors on
the skips. A run keeps both in the metadata of its checkpoint, a `.safetensors` as text
in its header, and an `.npz` of ours as numbers beside its arrays. Options by which the
same weights score otherwise, such as the padding, are in the first two.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import numpy as np

from fcn_jax import models
from fcn_jax.models import MODELS
from fcn_jax.models.network import Network
from fcn_jax.preprocessing import CAFFE, IMAGENET, PREPROCESSING, Preprocessing
from fcn_jax.weights import formats, names
from fcn_jax.weights.errors import WeightsError

# Entries of an `.npz`: factors, one for each skip; mean and std in the order of the
# channels; whether these are RGB (1) or BGR (0); the codes of their letters where they
# are not these three.
_SCALES = f"{names.RECORD}/skip_scales"
_MEAN, _STD, _RGB, _LETTERS = (
    f"{names.RECORD}/{name}" for name in ("mean", "std", "rgb", "channels")
)


# What nets were given whose files do not say, by whose names they have.
_KNOWN_INPUTS = {
    names.CAFFE: CAFFE,
    names.CHAINER: CAFFE,
    names.KERAS: CAFFE,
    names.TENSORFLOW: Preprocessing("RGB", "rgb", CAFFE.mean[::-1], CAFFE.std),
    names.TORCHVISION: IMAGENET,
}

# Options that change no score, or that the shapes and names of the arrays tell, or that
# are made up for.
_FREE = {
    *("dtype", "param_dtype", "axis_name", "return_switches", "full_padding"),
    *("dropout_rate", "bn_momentum", "bn_shift", "freeze_batch_norm", "decoder_start"),
    *("mlp_dropout", "regions_at_once"),
    *("width", "fc_features", "batch_norm", "batch_norm_fc", "channels"),
    *("skip_scales", "fc6_dilation"),
}
# SegNet of Caffe sees images as they are: its data layer takes no mean away.
_SEGNET_INPUTS = Preprocessing("BGR", "bgr", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_SEGNET_LAYER = "params/conv5_3_D/kernel"
# Whether kernels of the upsampling are parameters, the names of arrays tell.
_TRANSPOSED = ("fixed", "learned", "learned_2x")


def skip_scales(model: nn.Module) -> tuple[float, ...] | None:
    """The factors of a net on its skips; None for a net that is no FCN."""
    skips = getattr(type(model), "skips", None)
    if skips is None:
        return None
    return tuple(float(x) for x in model.skip_scales[: len(skips)])


def to_arrays(model: nn.Module, preprocessing: Preprocessing) -> dict[str, np.ndarray]:
    """The record as entries of an `.npz`, float64.

    Args:
        model: The net.
        preprocessing: What it is given.
    """
    numbers = {
        _MEAN: preprocessing.mean,
        _STD: preprocessing.std,
        _RGB: float(preprocessing.channels == "rgb"),
    }
    if preprocessing.channels not in ("rgb", "bgr"):
        numbers[_LETTERS] = tuple(map(ord, preprocessing.channels))
    scales = skip_scales(model)
    if scales:
        numbers[_SCALES] = scales
    return {name: np.asarray(x, np.float64) for name, x in numbers.items()}


def to_text(model: Network, preprocessing: Preprocessing) -> dict[str, str]:
    """The record as text.

    Args:
        model: The net.
        preprocessing: What it is given.
    """
    known = {
        "preprocessing": json.dumps(preprocessing.to_dict()),
        "options": json.dumps(_options(model)),
    }
    scales = skip_scales(model)
    if scales:
        known["skip_scales"] = ",".join(map(repr, scales))
    return known


def inputs(
    path: str | Path, file: formats.File, named: names.NamedArrays
) -> Preprocessing | None:
    """What the net of a file was given: recorded, or known by whose names it has.

    Args:
        path: The file, for errors.
        file: It, read.
        named: Its arrays under our names.

    Returns:
        The preprocessing, or None if nothing is known.

    Raises:
        WeightsError: If what is recorded cannot be understood.
    """
    if not named.record.keys() & {_MEAN, _STD, _RGB}:
        recorded = _preprocessing(path, file.metadata.get("preprocessing"))
        return recorded or _known_inputs(named)
    mean, std, rgb = (
        tuple(np.ravel(named.record.get(name, ())).astype(float).tolist())
        for name in (_MEAN, _STD, _RGB)
    )
    channels = {(0.0,): "bgr", (1.0,): "rgb"}.get(rgb, f"{_RGB} {rgb}")
    if _LETTERS in named.record:
        codes = np.ravel(named.record[_LETTERS]).astype(np.uint8)
        channels = codes.tobytes().decode("latin-1")
    found = {"channels": channels, "mean": mean, "std": std}
    names_known = (
        known.name
        for known in PREPROCESSING.values()
        if known.to_dict() | {"mean": known.mean, "std": known.std}
        == {"name": known.name} | found
    )
    return _as_preprocessing(path, {"name": next(names_known, "recorded")} | found)


def _known_inputs(named: names.NamedArrays) -> Preprocessing | None:
    """What nets of such names were given, or None if nothing is known."""
    if named.convention == names.CAFFE and any(
        entry.target == _SEGNET_LAYER for entry in named.entries
    ):
        return _SEGNET_INPUTS
    return _KNOWN_INPUTS.get(named.convention)


def recorded_skip_scales(
    path: str | Path, file: formats.File, named: names.NamedArrays
) -> tuple[float, ...] | None:
    """The factors on pool4 and pool3 that the scores of a file were trained with.

    Args:
        path: The file, for errors.
        file: It, read.
        named: Its arrays under our names.

    Returns:
        One for each skip of the file's net, or None if they are not recorded.

    Raises:
        WeightsError: If what is recorded cannot be understood.
    """
    if _SCALES in named.record:
        return _scales(path, np.ravel(named.record[_SCALES]).tolist())
    return _factors(path, file.metadata)


def differing_options(metadata: Mapping[str, object], model: Network) -> list[str]:
    """Options by which a net scores otherwise than that of a file, of the same weights.

    Args:
        metadata: Of the file.
        model: The net that its weights are for.

    Returns:
        A sentence for each option; none of what the file does not record.
    """
    theirs = dict(_recorded_options(metadata))
    if theirs.get("upsampling") in _TRANSPOSED:
        theirs["upsampling"] = _TRANSPOSED[0]
    normalised = any(layer.batch_norm for layer in model.encoder.layers())
    return [
        f"{name} was {theirs[name]!r} in training and is {ours!r} in this net: the "
        f"same weights give other scores"
        for name, ours in _options(model).items()
        if name in theirs and theirs[name] != ours
        if normalised or name != "bn_epsilon"
    ]


def _options(model: Network) -> dict[str, object]:
    """The options by which the same weights score otherwise, as JSON has them."""
    found = {n: x for n, x in models.options_of(model).items() if n not in _FREE}
    if found.get("upsampling") in _TRANSPOSED:
        found["upsampling"] = _TRANSPOSED[0]
    return json.loads(json.dumps(found, default=str))


def _recorded_options(metadata: Mapping[str, object]) -> Mapping[str, object]:
    """Of a run, of a run that was converted, or of a `.safetensors`."""
    config, text = metadata.get("config"), metadata.get("options")
    model = config.get("model") if isinstance(config, Mapping) else None
    told: object = None
    if isinstance(text, str):
        with contextlib.suppress(ValueError, RecursionError):
            told = json.loads(text)
    for recorded in (model, metadata.get("model"), told):
        if isinstance(recorded, Mapping):
            return recorded
    # As earlier versions wrote it.
    return {"padding": metadata["padding"]} if metadata.get("padding") else {}


def _preprocessing(path: str | Path, recorded: object):
    if recorded is None:
        return None
    if isinstance(recorded, str):
        if recorded in PREPROCESSING:
            return PREPROCESSING[recorded]
        with contextlib.suppress(ValueError, RecursionError):  # Refused below.
            recorded = json.loads(recorded)
    return _as_preprocessing(path, recorded)


def _as_preprocessing(path: str | Path, recorded: object):
    try:
        if isinstance(recorded, Mapping):
            return Preprocessing.from_dict(recorded)
        reason = "it is no preprocessing"
    except (TypeError, ValueError, OverflowError) as error:
        reason = str(error).rstrip(".")
    raise WeightsError(
        path,
        f"it records preprocessing={str(recorded)[:200]!r}, which is not understood "
        f"({reason[:200]})",
        f"expected {', '.join(PREPROCESSING)}, or name, channels, mean and std; pass "
        f"inputs= (--inputs=, config.init_inputs) to say what its net was given",
    )


def _factors(path: str | Path, metadata: Mapping[str, object]):
    """Of a `.safetensors`, of a run of `train.py`, or of a run that was converted."""
    config = metadata.get("config")
    model = config.get("model") if isinstance(config, Mapping) else None
    for recorded in (metadata, model, metadata.get("model")):
        if isinstance(recorded, Mapping) and recorded.get("skip_scales"):
            return _scales(path, recorded["skip_scales"])
    for recorded in (model, metadata.get("model")):
        # A config leaves the factors out where they are the net's own.
        name = recorded.get("name") if isinstance(recorded, Mapping) else recorded
        if isinstance(name, str) and name in MODELS:
            return _defaults(MODELS[name])
    return None


def _defaults(cls: type) -> tuple[float, ...] | None:
    skips = getattr(cls, "skips", None)
    return None if skips is None else tuple(cls.skip_scales[: len(skips)])


def _scales(path: str | Path, recorded: Any) -> tuple[float, ...]:
    parts = recorded.split(",") if isinstance(recorded, str) else recorded
    try:
        found = tuple(float(part) for part in parts)
    except (TypeError, ValueError, OverflowError):
        found = ()
    if not 1 <= len(found) <= 2 or not all(0 < x < float("inf") for x in found):
        raise WeightsError(
            path,
            f"it records skip_scales={str(recorded)[:200]!r}",
            "expected one or two positive numbers, the factors on pool4 and pool3; "
            "pass skip_scales= (--skip_scales=) to say which they are",
        )
    return found
