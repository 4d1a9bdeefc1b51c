"""Which format a file of weights has, detected by its content."""

import dataclasses
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.formats import (
    archives,
    caffemodel,
    keras,
    npz,
    orbax,
    pytorch,
    safetensors,
    shards,
)

KNOWN = (
    "a run's directory, .npz, .safetensors, .pth of PyTorch, .caffemodel or .h5 of "
    "Keras"
)
_HEAD = 512  # Bytes that are looked at.
# What is often found where weights should be.
_OTHERS = {
    b"<!DOCTYPE": "an HTML page, so the download went wrong",
    b"<html": "an HTML page, so the download went wrong",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself",
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"BZh": "a bzip2 archive; unpack it",
    b"\x93NUMPY": "a single .npy array; a net is an .npz",
    b"name:": "a net definition of Caffe; the weights are in the .caffemodel",
    b"layer": "a net definition of Caffe; the weights are in the .caffemodel",
}


@dataclasses.dataclass(frozen=True, eq=False)
class File:
    """A file of weights that has been read.

    Attributes:
        format: "caffemodel", "pytorch", "safetensors", "keras", "npz" or "orbax".
        arrays: As the reader of the format returns them, by the file's own names.
        metadata: What the file says of itself, where the format has a place for it.
        notes: What is to be said of how it was read, a sentence each.
        bn_inference: Of a `.caffemodel`: whether its BN layers have their statistics
            folded in; None if there are no BN layers.
    """

    format: str
    arrays: Mapping[str, np.ndarray]
    metadata: Mapping[str, object]
    bn_inference: bool | None = None
    notes: tuple[str, ...] = ()


def detect(path: str | Path) -> str:
    """The format of what is at `path`, by its content; its name says nothing.

    Args:
        path: A file, or the directory of a run.

    Returns:
        The name of the module that reads it.

    Raises:
        FileNotFoundError: If there is nothing.
        WeightsError: If it is of no format that is known.
    """
    path = Path(path)
    if path.is_dir():
        return "orbax"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected {KNOWN}.")
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    if head.startswith(archives.ZIP_MAGIC):
        return _detect_zip(path)
    if head.startswith(keras.HDF5_MAGIC):
        return "keras"
    if pytorch.looks_like(head):
        return "pytorch"
    if safetensors.looks_like(head):
        return "safetensors"
    if shards.looks_like(head):
        return "shards"
    text = head.lstrip()
    other = next(
        (what for magic, what in _OTHERS.items() if text.startswith(magic)), None
    )
    if other is None and caffemodel.looks_like(head):
        return "caffemodel"
    found = f"it is {other}" if other else f"it begins with {head[:8]!r}"
    raise WeightsError(path, found if head else "it is empty", f"expected {KNOWN}")


def read(path: str | Path) -> File:
    """Read weights of any format.

    Args:
        path: A file, or the directory of a run.

    Returns:
        What it holds.

    Raises:
        FileNotFoundError: If there is nothing.
        WeightsError: If it cannot be read.
        ImportError: If a package that reads the format is not installed.
    """
    found = detect(path)
    if found == "shards":
        return _joined(path, [_read(x, detect(x)) for x in shards.files(path)])
    shards.check_alone(path)
    return _read(path, found)


def _read(path: str | Path, found: str) -> File:
    """Read a file, or a run, of a format that is detected."""
    if found == "shards":
        raise WeightsError(
            path,
            "it is an index, where weights themselves are asked for",
            "expected an index to name files of weights: copy it again",
        )
    if found == "caffemodel":
        net, layers = caffemodel.read_net(path)
        normalised = [layer.bn_inference for layer in layers if layer.type == "BN"]
        arrays, inference = caffemodel.by_name(layers), all(normalised)
        return File(found, arrays, {"net": net}, inference if normalised else None)
    if found == "orbax":
        return File(found, *orbax.read_with_metadata(path))
    if found == "safetensors":
        arrays, notes = safetensors.read_with_notes(path)
        metadata = safetensors.read_metadata(path)
        return File(found, arrays, metadata, notes=notes)
    if found == "pytorch":
        arrays, notes = pytorch.read_with_notes(path)
        return File(found, arrays, {}, notes=notes)
    reader = {"keras": keras, "npz": npz}[found]
    return File(found, reader.read(path), {})


def _joined(path: str | Path, parts: list[File]) -> File:
    """What the files of an index hold together."""
    arrays: dict[str, np.ndarray] = {}
    for part in parts:
        twice = sorted(arrays.keys() & part.arrays.keys())
        if twice:
            raise WeightsError(
                path,
                f"two of its files hold {twice[0]!r}",
                "expected every array once: copy the files again",
            )
        arrays |= part.arrays
    notes = tuple(note for part in parts for note in part.notes)
    return File(parts[0].format, arrays, parts[0].metadata, notes=notes)


def _detect_zip(path: Path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except archives.ZIP_ERRORS as error:
        raise WeightsError(
            path,
            f"a torn zip archive ({error})",
            "download or copy it again",
        ) from error
    if any(name.endswith("data.pkl") for name in names):
        return "pytorch"
    if any(name.endswith(".npy") for name in names):
        return "npz"
    if keras.MEMBER in names:
        return "keras"
    listed = ", ".join(repr(name) for name in names[:3]) or "nothing"
    raise WeightsError(
        path, f"a zip archive with {listed}", "expected an .npz or a .pth of PyTorch"
    )
