"""PyTorch's `.pth`: the zip form of today and the stream form before PyTorch 1.6.

Both hold pickles, and a pickle can run any code. Here they are read as data
(`formats.pickles`): of the few names that weights need, PyTorch's meaning is
done by hand; any other is refused.

References:
    pytorch/pytorch, torch/serialization.py and torch/_utils.py.
"""

import dataclasses
import io
import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeGuard

import ml_dtypes
import numpy as np

from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.formats import archives, pickles

# First of the pickles of the stream form, and the only version of it.
_MAGIC_NUMBER, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001

_STORAGES = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
    "torch.storage.UntypedStorage": "u1",  # The tensor says of which type it is.
}
# Types without a storage of their own; None: not read.
_TYPES = {
    **{
        f"torch.{name}": name
        for name in (
            *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"),
            *("float8_e8m0fnu", "uint16", "uint32", "uint64"),
        )
    },
    "torch.float4_e2m1fn_x2": None,
    "torch.complex32": None,
}
_TENSOR = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
_TYPED_TENSOR = "torch._utils._rebuild_tensor_v3"
_PARAMETER = "torch._utils._rebuild_parameter"
_DICT = "collections.OrderedDict"
# Beside the weights of a checkpoint, such as its best score; never looked at.
_INERT = (
    "torch.device",
    "torch.Size",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "_codecs.encode",
    "collections.defaultdict",
    "collections.Counter",  # Of a schedule of learning rates, MultiStepLR.
    *(f"torch.{name}" for name in ("float32", "float64", "float16", "bfloat16")),
    "numpy.ndarray",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "builtins.set",
    "__builtin__.set",
    # What training scripts keep of their command line and directories.
    "argparse.Namespace",
    "types.SimpleNamespace",
    *(
        f"{module}.{kind}Path"
        for module in ("pathlib", "pathlib._local")
        for kind in ("", "Posix", "Windows", "PurePosix", "PureWindows")
    ),
)
ALLOWED = frozenset(
    (*_STORAGES, *_TYPES, *_TENSOR, _TYPED_TENSOR, _PARAMETER, _DICT, *_INERT)
)
# Under which a training checkpoint keeps its weights; of two of one size the first.
_STATE_DICTS = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "weights"),
    *("params", "module", "model_ema", "ema_state_dict", "state_dict_ema", "ema"),
)
_DEEPEST = 4  # Checkpoints within checkpoints.


_Pairs: TypeAlias = list[tuple[object, object]]


@dataclasses.dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    length: int  # Elements.


@dataclasses.dataclass(frozen=True, eq=False)
class _Tensor:
    storage: _Storage
    offset: int  # Elements, as the strides.
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str | None  # None: a type that is not read.


def looks_like(head: bytes) -> bool:
    """Whether a file that begins so is of the stream form."""
    if head[:1] != b"\x80" or head[1:2] not in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return False
    # From protocol 4 on a FRAME of 8 bytes; LONG1 of 10 bytes: the magic number.
    start = 11 if head[2:3] == b"\x95" else 2
    magic = b"\x8a\x0a" + _MAGIC_NUMBER.to_bytes(10, "little")
    return head.startswith(magic, start)


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict, or of the checkpoint of a training run.

    Of a checkpoint that holds several (the weights and their moving average, a best
    score) those of the largest are read; float8 becomes float32.

    Args:
        path: The file: a zip archive, or the stream form.

    Returns:
        Arrays by their names in the state dict, as stored; views of the file.
        `read_with_notes` says what was chosen, and what was not read.

    Raises:
        WeightsError: If it is torn, names a class or function beyond those that
            weights need, a tensor lies outside its storage, or there are none.
    """
    return read_with_notes(path)[0]


def read_with_notes(path: str | Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The same, and what is to be said of it; errors as of `read`."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            if head.startswith(archives.ZIP_MAGIC):
                tree, storages = _read_zip(path)
            elif looks_like(head):
                tree, storages = _read_stream(path, file)
            else:
                raise WeightsError(
                    path,
                    f"it begins with {head[:8]!r}",
                    "expected a zip archive or the stream form of torch.save; what "
                    "PyTorch wrote before 0.1.10 (a tar) must be loaded and saved "
                    "again there",
                )
        key, found = _state_dict(tree)
        empty = [name for name, tensor in found.items() if 0 in tensor.shape]
        arrays = {
            name: _array(tensor, storages, f"tensor {name!r}")
            for name, tensor in found.items()
            if tensor.dtype is not None and name not in empty
        }
        left = [name for name in found if name not in (*arrays, *empty)]
        notes = [f"the weights were found under {key!r}"] if key else []
        if left:
            notes.append(f"not read, of types without numbers here: {', '.join(left)}")
        if empty:
            notes.append(f"not read, for they are empty: {', '.join(empty)}")
        return arrays, tuple(notes)
    except (pickles.PickleError, _Broken) as error:
        raise WeightsError(
            path,
            f"no weights of PyTorch: {error}",
            "expected tensors alone, as torch.save(net.state_dict(), path) writes "
            "them; where it comes from, load it there and save that",
        ) from error


class _Broken(ValueError):
    """What is wrong with a file, before its name is added."""


def _read_zip(path: Path):
    """The object of a zip archive, and its storages by key."""
    archive = archives.open_stored(path)
    pickled = [name for name in archive if name.endswith("data.pkl")]
    if len(pickled) != 1:
        raise _Broken(
            f"a zip archive with {len(pickled)} members data.pkl among {len(archive)}"
        )
    prefix = pickled[0].removesuffix("data.pkl")
    order = archive.get(f"{prefix}byteorder")
    if order is not None and bytes(order) != b"little":
        raise _Broken(f"its byte order is {bytes(order[:16])!r}, expected b'little'")
    seen: dict[str, _Storage] = {}
    tree = pickles.load(
        io.BytesIO(archive[pickled[0]]), ALLOWED, lambda pid: _persistent(pid, seen)
    )
    return tree, {
        name.removeprefix(f"{prefix}data/"): data
        for name, data in archive.items()
        if name.startswith(f"{prefix}data/")
    }


def _read_stream(path: Path, file: BinaryIO):
    """The object of the stream form, and its storages by key."""
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if pickles.load(mapped, ()) != _MAGIC_NUMBER:
        raise _Broken("the magic number is missing")
    protocol = pickles.load(mapped, ())
    if protocol != _PROTOCOL:
        raise _Broken(f"its protocol is {protocol!r}, expected {_PROTOCOL}")
    system = pickles.load(mapped, ())
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise _Broken("it was not written on a little-endian machine")
    seen: dict[str, _Storage] = {}
    tree = pickles.load(mapped, ALLOWED, lambda pid: _persistent(pid, seen))
    keys = pickles.load(mapped, ())
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise _Broken("the list of its storages is missing")
    if sorted(keys) != sorted(seen):
        raise _Broken(
            f"it lists {len(keys)} storages, but its tensors use {len(seen)} others"
        )
    storages, view = {}, memoryview(mapped)
    at = mapped.tell()
    for key in keys:
        length = int.from_bytes(view[at : at + 8], "little", signed=True)
        size = _dtype(seen[key].dtype).itemsize * seen[key].length
        at += 8
        if length != seen[key].length or at + size > len(view):
            raise _Broken(
                f"storage {key!r} has {length} elements and {len(view) - at} bytes are "
                f"left; expected {seen[key].length} elements in {size} bytes"
            )
        storages[key] = view[at : at + size]
        at += size
    return tree, storages


def _persistent(pid: object, seen: dict[str, _Storage]) -> _Storage:
    """The storage that ("storage", type, key, device, length[, view]) stands for."""
    if (
        not isinstance(pid, tuple)
        or len(pid) not in (5, 6)
        or pid[0] not in ("storage", b"storage")
        or not isinstance(pid[1], pickles.Global)
        or not isinstance(pid[2], str)
        or not _is_count(pid[4])
        or pid[5:] not in ((), (None,))
    ):
        raise _Broken(f"a storage is described by {_short(pid)}")
    if str(pid[1]) not in _STORAGES:
        raise _Broken(f"a storage is of type {pid[1]}")
    storage = _Storage(pid[2], _STORAGES[str(pid[1])], pid[4])
    if seen.setdefault(storage.key, storage) != storage:
        raise _Broken(f"storage {storage.key!r} is described in two ways")
    return storage


def _state_dict(tree: object) -> tuple[str, dict[str, _Tensor]]:
    """The tensors by name, and the key under which they lie, "" at the top."""
    pairs = _pairs(tree)
    if pairs is None:
        raise _Broken(f"it holds {_short(tree)}, expected a state dict")
    key, found = max(_candidates(pairs, ""), key=lambda each: _size(each[1]))
    if not found:
        names = [name for name, _ in pairs if isinstance(name, str)][:5]
        raise _Broken(
            f"it holds no tensors by name; its keys are {', '.join(names) or 'none'}"
        )
    if not _size(found):
        raise _Broken(f"its tensors are empty: {', '.join(list(found)[:5])}")
    return key, found


def _candidates(pairs: _Pairs, key: str) -> Iterator[tuple[str, dict[str, _Tensor]]]:
    """The tensors of a dict, and those of the dicts in it that may be state dicts."""
    yield key, _tensors(pairs)
    if key.count(".") + 1 >= _DEEPEST:
        return
    inner = {name: value for name, value in pairs if isinstance(name, str)}
    for name in _STATE_DICTS:
        found = _pairs(inner.get(name))
        if found is not None:
            yield from _candidates(found, f"{key}.{name}" if key else name)


def _size(tensors: dict[str, _Tensor]) -> int:
    return sum(math.prod(tensor.shape) for tensor in tensors.values())


def _tensors(pairs: _Pairs) -> dict[str, _Tensor]:
    found = {}
    for name, value in pairs:
        tensor = _tensor(value)
        if tensor is None:
            continue
        if not isinstance(name, str):
            raise _Broken(f"a tensor is named {_short(name)}")
        if name in found:
            raise _Broken(f"two tensors are named {name!r}")
        found[name] = tensor
    return found


def _pairs(value: object) -> _Pairs | None:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, pickles.Call) and str(value.function) == _DICT:
        return value.items
    return None


def _tensor(value: object) -> _Tensor | None:
    """What a call that rebuilds a tensor says; None for any other value."""
    if isinstance(value, pickles.Call) and str(value.function) == _PARAMETER:
        value = value.arguments[0] if value.arguments else None
    if not isinstance(value, pickles.Call):
        return None
    typed = str(value.function) == _TYPED_TENSOR
    if not typed and str(value.function) not in _TENSOR:
        return None
    if len(value.arguments) < (7 if typed else 4):
        raise _Broken("a tensor without a shape")
    storage, offset, shape, strides = value.arguments[:4]
    if (
        not isinstance(storage, _Storage)
        or not _is_count(offset)
        or not isinstance(shape, tuple)
        or not isinstance(strides, tuple)
        or len(shape) != len(strides)
        or len(shape) > 32
        or not all(_is_count(n) for n in (*shape, *strides))
    ):
        raise _Broken(f"a tensor is described by {_short(value.arguments)}")
    dtype = storage.dtype
    if typed:
        if str(value.arguments[6]) not in _TYPES:
            raise _Broken(f"a tensor is of type {_short(value.arguments[6])}")
        dtype = _TYPES[str(value.arguments[6])]
    return _Tensor(storage, offset, shape, strides, dtype)


def _array(tensor: _Tensor, storages: dict[str, memoryview], what: str) -> np.ndarray:
    storage = tensor.storage
    data = storages.get(storage.key)
    assert tensor.dtype is not None
    dtype, stored = _dtype(tensor.dtype), _dtype(storage.dtype)
    if data is None:
        raise _Broken(f"{what} lies in storage {storage.key!r}, which is missing")
    if len(data) != storage.length * stored.itemsize:
        raise _Broken(
            f"storage {storage.key!r} of {what} has {len(data)} bytes, expected "
            f"{storage.length} x {stored.itemsize}"
        )
    length = len(data) // dtype.itemsize
    size = math.prod(tensor.shape)
    last = tensor.offset + sum(
        (n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    # Strides of zero would make an array larger than its storage.
    if size > length or last >= length:
        raise _Broken(
            f"{what}, {tensor.shape} with strides {tensor.strides} from "
            f"{tensor.offset}, reaches beyond its storage of {length} elements"
        )
    flat = np.frombuffer(data, dtype, length)[tensor.offset :]
    if dtype.name.startswith("float8"):
        flat = flat.astype(np.float32)
    strides = [stride * flat.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(flat, tensor.shape, strides, writeable=False)


def _dtype(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _short(value: object) -> str:
    """A value in few characters, however deeply it is nested."""
    if isinstance(value, tuple | list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, pickles.Call):
        return f"a {value.function}"
    if isinstance(value, int) and value.bit_length() > 64:  # Too long to write out.
        return f"a number of {value.bit_length()} bits"
    return repr(value)[:40]
