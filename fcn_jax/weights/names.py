"""The names of Caffe, PyTorch, torchvision, Keras and Chainer mapped to ours.

Our names are those of the Caffe nets. The naming convention of a file is detected by
its names alone, so one function maps them all; the values stay as they are, and
`fcn_jax.weights.surgery` brings them into shape.

References:
    fcn.berkeleyvision.org; wkentaro/pytorch-fcn, torchfcn/models; torchvision,
    models/vgg.py; keras.applications.vgg16; HyeonwooNoh/DeconvNet, model.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Set

import numpy as np

from fcn_jax.models import layers as layers_of
from fcn_jax.models.encoders import VGG16, Encoder, foreign
from fcn_jax.weights import prefixes, segnet_names

# Whose names a file has.
CAFFE, PYTORCH, TORCHVISION = "Caffe", "PyTorch", "torchvision"
KERAS, TENSORFLOW, CHAINER, FLAX = "Keras", "TensorFlow", "Chainer", "fcn_jax"
_HWIO_CONVENTIONS = (KERAS, TENSORFLOW, FLAX)

RECORD = "record"  # First part of the names of what is no parameter in our `.npz`.

# Axes of the kernels in a file: out, in, rows, columns; "IOHW" is that of transposed
# convolutions in Caffe and PyTorch, "HWIO" ours and that of TensorFlow.
OIHW, IOHW, HWIO = "OIHW", "IOHW", "HWIO"


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """An array of a file, and what it is of a net of ours.

    Attributes:
        source: Its name in the file.
        target: Such as "params/conv1_1/kernel".
        array: As stored.
        layout: Axes of a kernel: OIHW, IOHW or HWIO.
        layer: What the file calls the layer, without what stands before it.
    """

    source: str
    target: str
    array: np.ndarray
    layout: str
    layer: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class NamedArrays:
    """The arrays of a file under our names.

    Attributes:
        convention: Whose names they are.
        entries: What a net may take.
        unused: Names of which no net of ours has a use, and of which that is known:
            the ImageNet classifier, counters.
        unknown: Names that mean nothing here.
        extra: Arrays that change others: "scale_pool4", "scale_pool3" (the frozen
            factors of the at-once net), "upscore2/bias" (of the CVPR net).
        record: What our `.npz` records beside the weights, by the names in the file.
        notes: What is to be said of how names were read, a sentence each.
    """

    convention: str
    entries: tuple[Entry, ...]
    unused: tuple[str, ...]
    unknown: tuple[str, ...]
    extra: Mapping[str, np.ndarray]
    record: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()


# Other names of ours: the CVPR nets, RGB-D, the layer of DeconvNet's release.
_ALIASES = {
    "score-fr": "score_fr",
    "score-pool4": "score_pool4",
    "score-pool3": "score_pool3",
    "score2": "upscore2",
    "score4": "upscore_pool4",
    "upsample": "upscore8",
    "conv1_1_bgrd": "conv1_1",
    "seg-score-voc": "seg-score",
}
CLASSIFIER = "fc8"  # ImageNet's, which no network for pixels has a use for.
_OPTIMIZERS = ("optimizer/", "optimizer_weights/")  # Of a model that was compiled.
_SCALES = ("scale_pool4", "scale_pool3")
# Layers of our nets by the names of Caffe.
_LAYER = re.compile(
    r"^(conv\d_\d|fc[678]|score|upscore|scale_pool|deconv\d|seg-score"
    r"|(data|pool\d)_(conv|fc|ms))"
)
_TRANSPOSED = re.compile(r"^(up|deconv)|-deconv$")

# The last part of a name, by who writes it; for BatchNorm and for all else.
_PARTS = {
    "weight": "kernel",
    "bias": "bias",
    "kernel": "kernel",
    "gamma": "scale",
    "beta": "bias",
    "scale": "scale",
    "running_mean": "mean",
    "running_var": "var",
    "moving_mean": "mean",
    "moving_variance": "var",
    "mean": "mean",
    "var": "var",
    "W": "kernel",
    "b": "bias",
    "0": "kernel",
    "1": "bias",
}
_STATISTICS = ("mean", "var")


def is_transposed(layer: str) -> bool:
    """Whether a layer of that name is a transposed convolution."""
    return bool(_TRANSPOSED.search(layer))


def map_names(
    arrays: Mapping[str, np.ndarray],
    file_format: str,
    encoder: type[Encoder] = VGG16,
    known: Mapping[str, str] | None = None,
    with_classifier: bool = False,
) -> NamedArrays:
    """Detect the naming convention of a file, and map its names to ours.

    Args:
        arrays: What a reader returned.
        file_format: Its module's name, such as "caffemodel".
        encoder: Of the net that they are for; it knows what others call its layers.
        known: Name in the file -> name by which it is known, where that is another.
        with_classifier: Whether the net has a use for ImageNet's classifier, fc8.

    Returns:
        The arrays under our names.
    """
    short, prefix = {name: name for name in arrays} | dict(known or {}), ""
    if file_format in ("pytorch", "safetensors"):
        table = encoder.foreign_names(TORCHVISION, set())
        own = frozenset(encoder().convolutions())
        short, prefix = prefixes.strip(arrays, functools.partial(_is_layer, table, own))
    convention = _convention(short.values(), file_format)
    record = {}
    if convention == FLAX:
        record = {n: x for n, x in arrays.items() if n.startswith(f"{RECORD}/")}
        arrays = {name: x for name, x in arrays.items() if name not in record}
    split = {name: _split(short[name], convention) for name in arrays}
    layers = {layer for layer, _ in split.values()}
    table = {**encoder.foreign_names(convention, layers), **segnet_names.table(layers)}
    left_out = {foreign.LEFT_OUT} | (set() if with_classifier else {CLASSIFIER})
    entries, unused, unknown, extra = [], [], [], {}
    for name, (theirs, part) in split.items():
        layer = table.get(theirs, theirs)
        layer = _ALIASES.get(layer, layer)
        needless = layer in left_out or (
            convention == KERAS and name.startswith(_OPTIMIZERS)
        )
        if part == "num_batches_tracked" or needless:
            unused.append(name)
            continue
        if layer in _SCALES and part in ("0", "weight", "kernel", "scale"):
            extra[layer] = arrays[name]
            continue
        kind = _PARTS.get(part)
        if kind is None or not layer:
            unknown.append(name)
            continue
        if layers_of.is_batch_norm(layer) and kind == "kernel":
            kind = "scale"
        if layer == "upscore2" and kind == "bias":
            extra["upscore2/bias"] = arrays[name]
            continue
        collection = "batch_stats" if kind in _STATISTICS else "params"
        layout = HWIO
        if convention not in _HWIO_CONVENTIONS:
            layout = IOHW if is_transposed(layer) else OIHW
        target = f"{collection}/{layer}/{kind}"
        entries.append(Entry(name, target, arrays[name], layout, theirs))
    return NamedArrays(
        convention,
        tuple(entries),
        tuple(unused),
        tuple(unknown),
        extra,
        record,
        (f"{prefix!r} stands before the names of layers",) if prefix else (),
    )


def _is_layer(table: Mapping[str, str], own: Set[str], layer: str) -> bool:
    """Whether a layer of that name is one of a net of ours, whatever it is called."""
    layer = table.get(layer, layer)
    if layer in own:
        return True
    known = bool(_LAYER.search(_ALIASES.get(layer, layer)))
    return known or layers_of.is_batch_norm(layer) or segnet_names.is_decoder(layer)


# VGG-16 as an archive of TensorFlow's layout: conv1_1_W, fc6_b.
_TENSORFLOW_NAME = re.compile(r"^(conv\d_\d|fc\d)_(W|b)$")
_KERAS_1_NAME = re.compile(r"^(.*)_([Wb])(_\d+)?$")


def _convention(arrays: Iterable[str], file_format: str) -> str:
    """Whose names these are."""
    if file_format == "caffemodel":
        return CAFFE
    if file_format == "keras":
        return KERAS
    if file_format in ("npz", "orbax"):
        if any(_TENSORFLOW_NAME.match(name) for name in arrays):
            return TENSORFLOW
        return CHAINER if any(name.endswith("/W") for name in arrays) else FLAX
    return TORCHVISION if "features.0.weight" in set(arrays) else PYTORCH


def _split(name: str, convention: str) -> tuple[str, str]:
    """A layer's name and which of its parameters, as they stand in the file."""
    if convention == KERAS:
        return _split_keras(name)
    if convention == TENSORFLOW:
        match = _TENSORFLOW_NAME.match(name)
        return (match[1], match[2]) if match else ("", name)
    if convention in (PYTORCH, TORCHVISION):
        layer, _, part = name.rpartition(".")
    else:
        layer, _, part = name.rpartition("/")
    if convention == FLAX:
        layer = layer.removeprefix("params/").removeprefix("batch_stats/")
    return layer, part


def _split_keras(name: str) -> tuple[str, str]:
    """Keras 1: g/block1_conv1_W_1:0; 2: g/block1_conv1/kernel:0; 3: .../vars/0."""
    *groups, last = name.split("/")
    last = last.partition(":")[0]
    if groups and groups[-1] == "vars":
        return groups[-2] if len(groups) > 1 else "", last
    if match := _KERAS_1_NAME.match(last):
        return match.group(1), match.group(2)
    return (groups[-1] if groups else ""), last
