"""Caffe's `.caffemodel`: a NetParameter in the wire format of protocol buffers.

Both forms are read: of today (field `layer`) and V1 (field `layers`, of 2014, which
the releases of VGG-16 and DeconvNet have). The file is mapped into memory; arrays are
views of it.

References:
    BVLC/caffe, HyeonwooNoh/caffe (DeconvNet) and alexgkendall/caffe-segnet (SegNet),
    src/caffe/proto/caffe.proto.
"""

import dataclasses
import math
import mmap
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.formats import protobuf

# NetParameter.
_NAME, _LAYERS_V1, _LAYERS = 1, 2, 100


@dataclasses.dataclass(frozen=True)
class _Numbers:
    """Field numbers of a layer; `bn_param`: in the forks of DeconvNet and SegNet."""

    name: int
    type: int
    top: int
    blobs: int
    bn_param: int


_NUMBERS = {
    _LAYERS_V1: _Numbers(name=4, type=5, top=3, blobs=6, bn_param=45),
    _LAYERS: _Numbers(name=1, type=2, top=4, blobs=7, bn_param=45),
}
# V1LayerParameter.LayerType; others have no parameters that a net of ours takes.
_TYPES_V1 = {
    4: "Convolution",
    14: "InnerProduct",
    39: "Deconvolution",
    43: "BN",
}
# BlobProto.
_NUM, _CHANNELS, _HEIGHT, _WIDTH, _DATA, _DIFF, _SHAPE, _DOUBLE = range(1, 9)
_RAW_TYPE, _RAW_DATA = 10, 12  # Of NVIDIA's and OpenCV's versions.
_RAW_DTYPES = {0: np.dtype("<f8"), 1: np.dtype("<f4"), 2: np.dtype("<f2")}
# BNParameter of both forks.
_BN_MODE, _BN_INFERENCE = 3, 1

# A net has hundreds of fields; a file with more than this is none, and would take
# hours to walk through.
_MOST_FIELDS = 1_000_000
_MOST_DIMENSIONS = 32


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer with parameters.

    Attributes:
        name: As in the net's definition.
        type: Such as "Convolution"; of V1 layers only those that hold weights here
            have a name, others are "V1 type <number>".
        blobs: Its parameters, weights first; views of the file.
        bn_inference: Of a BN layer of these forks: whether its scale and shift
            hold the statistics. The script that folds them in saves a net whose BN
            layers have three tops (output, mean, variance); a training net has one.
    """

    name: str
    type: str
    blobs: tuple[np.ndarray, ...]
    bn_inference: bool


def looks_like(head: bytes) -> bool:
    """Whether a file that begins so may be a `.caffemodel`.

    It has no magic number: this is a first field that a NetParameter may begin with,
    its name or a layer.
    """
    try:
        first = next(iter(_peek(head)))
    except (StopIteration, ValueError):
        return False
    number, wire_type = first
    return wire_type == protobuf.BYTES and number in (1, _LAYERS_V1, 3, _LAYERS)


def _peek(head: bytes):
    tag, shift = 0, 0
    for byte in head[:10]:
        tag |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield tag >> 3, tag & 7
            return


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The parameters of a net.

    Args:
        path: The `.caffemodel`.

    Returns:
        Arrays by "<layer>/<index of the blob>": weights are "<layer>/0", biases
        "<layer>/1"; float16, float32 or float64 as stored, in Caffe's layouts.

    Raises:
        WeightsError: If it is not a net, is torn, holds two layers of one name, or a
            blob whose size is not that of its shape.
    """
    return by_name(read_layers(path))


def by_name(layers: Iterable[Layer]) -> dict[str, np.ndarray]:
    """The blobs of layers by "<layer>/<index>"."""
    return {
        f"{layer.name}/{i}": blob
        for layer in layers
        for i, blob in enumerate(layer.blobs)
    }


def read_layers(path: str | Path) -> list[Layer]:
    """The layers that hold parameters; arguments and errors as of `read`."""
    return read_net(path)[1]


def read_net(path: str | Path) -> tuple[str, list[Layer]]:
    """The name of the net, "" if it has none, and its layers that hold parameters.

    Args:
        path: The `.caffemodel`.

    Raises:
        WeightsError: As of `read`.
    """
    path = Path(path)
    with open(path, "rb") as file:
        if path.stat().st_size == 0:
            raise WeightsError(path, "it is empty", "expected a .caffemodel")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return _Reader(path, memoryview(mapped)).net()


class _Reader:
    """Walks through the messages of one file, counting their fields."""

    def __init__(self, path: Path, buffer: memoryview):
        self.path, self.buffer, self.count = path, buffer, 0

    def fail(self, found: str, expected: str | None = None):
        return WeightsError(
            self.path,
            found,
            expected or "expected a whole .caffemodel: download or copy it again",
        )

    def fields(self, start: int, end: int):
        iterator = protobuf.fields(self.buffer, start, end)
        while True:
            try:
                field = next(iterator)
            except StopIteration:
                return
            except ValueError as error:
                raise self.fail(f"no protocol buffer: {error}") from error
            self.count += 1
            if self.count > _MOST_FIELDS:
                raise self.fail(f"more than {_MOST_FIELDS:,} fields, which no net has")
            yield field

    def net(self) -> tuple[str, list[Layer]]:
        found: list[Layer] = []
        names: set[str] = set()
        title = ""
        for field in self.fields(0, len(self.buffer)):
            if field.number == _NAME and field.wire_type == protobuf.BYTES:
                title = self.text(field)
            if field.number not in _NUMBERS or field.wire_type != protobuf.BYTES:
                continue
            layer = self.layer(field)
            if not layer.blobs:
                continue
            if layer.name in names:
                raise self.fail(
                    f"two layers are named {layer.name!r}, and both hold parameters",
                    "expected every name once; which of them is meant cannot be known",
                )
            names.add(layer.name)
            found.append(layer)
        if not found:
            raise self.fail(
                "a protocol buffer without a layer that holds parameters",
                "expected a trained .caffemodel, not a net definition or a solverstate",
            )
        return title, found

    def layer(self, message: protobuf.Field):
        numbers = _NUMBERS[message.number]
        name, kind, tops, blobs, inference = "", "", 0, [], False
        for field in self.fields(message.value, message.end):
            is_bytes = field.wire_type == protobuf.BYTES
            if field.number == numbers.name and is_bytes:
                name = self.text(field)
            elif field.number == numbers.type:
                kind = self.layer_type(field)
            elif field.number == numbers.top:
                tops += 1
            elif field.number == numbers.blobs and is_bytes:
                blobs.append(self.blob(field, f"blob {len(blobs)} of layer {name!r}"))
            elif field.number == numbers.bn_param and is_bytes:
                inference = self.bn_inference(field)
        inference = kind == "BN" and (inference or tops == 3)
        return Layer(name, kind, tuple(blobs), inference)

    def text(self, field: protobuf.Field):
        try:
            return bytes(self.buffer[field.value : field.end]).decode()
        except UnicodeDecodeError as error:
            raise self.fail(f"a name at byte {field.value} is not text") from error

    def layer_type(self, field: protobuf.Field):
        if field.wire_type == protobuf.BYTES:
            return self.text(field)
        return _TYPES_V1.get(field.value, f"V1 type {field.value}")

    def bn_inference(self, message: protobuf.Field):
        return any(
            field.number == _BN_MODE and field.value == _BN_INFERENCE
            for field in self.fields(message.value, message.end)
            if field.wire_type == protobuf.VARINT
        )

    def blob(self, message: protobuf.Field, what: str):
        legacy, shape, parts, raw_type = {}, None, [], None
        for field in self.fields(message.value, message.end):
            number = field.number
            if number in (_NUM, _CHANNELS, _HEIGHT, _WIDTH):
                legacy[number] = field.value
            elif number == _SHAPE and field.wire_type == protobuf.BYTES:
                shape = self.shape(field, what)
            elif number == _RAW_TYPE:
                raw_type = field.value
            elif number in (_DATA, _DOUBLE, _RAW_DATA):
                if field.wire_type != protobuf.BYTES:
                    raise self.fail(
                        f"{what} is stored a value at a time",
                        "expected packed values, as Caffe writes them; save it again "
                        "with Caffe",
                    )
                parts.append(field)
        if shape is None:
            shape = tuple(legacy.get(n, 0) for n in (_NUM, _CHANNELS, _HEIGHT, _WIDTH))
        return _values(self, parts, raw_type, shape, what)

    def shape(self, message: protobuf.Field, what: str):
        dims = []
        for field in self.fields(message.value, message.end):
            if field.number != 1:
                continue
            if field.wire_type == protobuf.VARINT:
                dims.append(field.value)
                continue
            try:
                for value in protobuf.varints(self.buffer, field.value, field.end):
                    dims.append(value)
                    if len(dims) > _MOST_DIMENSIONS:
                        break
            except ValueError as error:
                raise self.fail(f"the shape of {what}: {error}") from error
        if len(dims) > _MOST_DIMENSIONS:
            raise self.fail(f"{what} has more than {_MOST_DIMENSIONS} dimensions")
        return tuple(dims)


def _values(
    reader: _Reader,
    parts: list[protobuf.Field],
    raw_type: int | None,
    shape: tuple[int, ...],
    what: str,
):
    """The array that fields of a blob hold."""
    kinds = {part.number for part in parts}
    if len(kinds) > 1:
        raise reader.fail(f"{what} holds its values in two precisions")
    kind = kinds.pop() if kinds else _DATA
    if kind == _RAW_DATA:
        dtype = None if raw_type is None else _RAW_DTYPES.get(raw_type)
        if dtype is None:
            raise reader.fail(
                f"{what} has raw data of type {raw_type}",
                "expected 0 (float64), 1 (float32) or 2 (float16)",
            )
    else:
        dtype = np.dtype("<f8" if kind == _DOUBLE else "<f4")
    size = sum(part.end - part.value for part in parts)
    if math.prod(shape) * dtype.itemsize != size:
        raise reader.fail(
            f"{what} has shape {shape} and {size} bytes of {dtype.name}",
            f"expected {math.prod(shape) * dtype.itemsize} bytes",
        )
    if not size:
        raise reader.fail(f"{what} is empty")
    pieces = [
        np.frombuffer(reader.buffer[part.value : part.end], dtype)
        for part in parts
        if part.end > part.value
    ]
    return (pieces[0] if len(pieces) == 1 else np.concatenate(pieces)).reshape(shape)
