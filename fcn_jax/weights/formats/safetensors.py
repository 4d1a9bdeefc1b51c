"""`.safetensors`: a JSON header, then the arrays."""

import json
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from fcn_jax.storage.files import JsonObject
from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.formats import extras

_LONGEST_HEADER = 100_000_000  # Bytes; as the package allows.
_AGAIN = "expected a whole .safetensors: download or copy it again"
_FLOATS = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E4M3FNUZ": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "F8_E5M2FNUZ": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "F8_E8M0": np.dtype(ml_dtypes.float8_e8m0fnu),
}
_COUNTERS = "num_batches_tracked"  # Of BatchNorm in PyTorch; of no use here.


def looks_like(head: bytes) -> bool:
    """Whether a file that begins so may be a `.safetensors`."""
    size = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= size <= _LONGEST_HEADER


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The floating-point arrays of a file.

    Args:
        path: The `.safetensors`.

    Returns:
        Arrays by name, as stored; float8 becomes float32, and what is no float is left
        out.

    Raises:
        WeightsError: If it is torn, two arrays have one name, or arrays overlap or
            reach beyond the file.
        ImportError: If the package `safetensors` is missing.
    """
    return read_with_notes(path)[0]


def read_with_notes(path: str | Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The same, and what was not read; errors as of `read`."""
    path = Path(path)
    header = _header(path)
    package = extras.require("safetensors", path)
    try:
        # It checks that the arrays fill the file, each byte once.
        tensors = package.deserialize(path.read_bytes())
    except package.SafetensorError as error:
        raise WeightsError(path, f"no .safetensors ({error})", _AGAIN) from error
    found, left, empty = {}, [], []
    for name, tensor in tensors:
        kind = header[name]["dtype"]
        dtype = _FLOATS.get(kind)
        if dtype is not None and len(tensor["data"]):
            flat = np.frombuffer(tensor["data"], dtype).reshape(tensor["shape"])
            found[name] = flat.astype(np.float32) if dtype.itemsize == 1 else flat
        elif dtype is not None:
            empty.append(name)
        elif not name.endswith(_COUNTERS):
            left.append(f"{name} ({kind})")
    if not found:
        listed = ", ".join([*left, *(f"{name} (empty)" for name in empty)])
        raise WeightsError(
            path,
            f"it holds no floating-point array, but {listed or 'nothing'}",
            "expected the weights of a network",
        )
    reasons = {"they are no floats": left, "they are empty": empty}
    return found, tuple(
        f"not read, for {reason}: {', '.join(names)}"
        for reason, names in reasons.items()
        if names
    )


def read_metadata(path: str | Path) -> dict[str, str]:
    """What a file says of itself; errors as of `read`."""
    return _header(Path(path)).get("__metadata__", {})


def _header(path: Path) -> JsonObject:
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > min(_LONGEST_HEADER, path.stat().st_size):
            raise WeightsError(path, f"its header claims {size} bytes", _AGAIN)
        text = file.read(size)

    def once(pairs: list[tuple[str, object]]):
        seen: dict[str, object] = {}
        for name, value in pairs:
            if name in seen:
                raise WeightsError(
                    path, f"two arrays are named {name!r}", "expected each once"
                )
            seen[name] = value
        return seen

    try:
        header = json.loads(text, object_pairs_hook=once)
    except WeightsError:
        raise
    except (ValueError, RecursionError) as error:  # Numbers of 4,301 digits among them.
        raise WeightsError(path, f"its header is damaged ({error})", _AGAIN) from error
    if not isinstance(header, dict) or not all(
        isinstance(entry, dict) for entry in header.values()
    ):
        raise WeightsError(path, "its header is no list of arrays", _AGAIN)
    return header


def write(
    path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write arrays under their names.

    Args:
        path: The file.
        arrays: In the layouts that they are to have.
        metadata: Text about them.

    Raises:
        OSError: If it cannot be written.
        ImportError: If the package `safetensors` is missing.
    """
    extras.require("safetensors", path)
    from safetensors import numpy as package

    data = package.save(
        {name: np.ascontiguousarray(x) for name, x in arrays.items()}, dict(metadata)
    )
    path.write_bytes(data)
