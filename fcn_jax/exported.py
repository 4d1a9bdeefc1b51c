"""A network out of one file: `python -m fcn_jax export` writes it, this loads it.

This module needs jax, numpy and flatbuffers, and nothing else of fcn_jax: copy it to
where the network is used, or call `fcn_jax.load_exported`. The file is a ZIP archive
that stores, uncompressed:

    metadata.json       format, version, class names, colours, kind of output, ...
    network.jax_export  what `jax.export` serialised: StableHLO with the weights inside

It is a program: load those of people whose programs you would run.
"""

import dataclasses
import json
import os
import zipfile
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import jax
import numpy as np
import numpy.typing as npt
from jax import export

FORMAT, VERSION = "fcn_jax network", 1
METADATA, NETWORK = "metadata.json", "network.jax_export"
Metadata: TypeAlias = dict[str, Any]  # What metadata.json holds.
Found: TypeAlias = jax.Array | dict[str, jax.Array]  # By head where several.
OUTPUTS = ("logits", "probabilities", "labels")
# docs.jax.dev, "Exporting and serializing", compatibility guarantees.
_GUARANTEED = (
    "jax promises to read what jax of up to six months before or three weeks after it "
    "wrote"
)
_INSTALL = "pip install flatbuffers (the extra [export])"


def image_dtype(channels: int) -> str:
    """Of the images that a file takes: colours and greys are bytes, depth is not.

    Args:
        channels: Of an image.
    """
    return "uint8" if channels in (1, 3) else "float32"


@dataclasses.dataclass(frozen=True, eq=False)
class ExportedNetwork:
    """A network that is called with photographs.

    Attributes:
        classes: Names of the classes, in the order of the labels; of a network with
            several heads by their names, as its logits and labels are.
        palette: Their colours, uint8 RGB [C, 3]: `palette[labels]` is a picture; by
            head likewise.
        output: "logits", "probabilities" or "labels".
        smallest_image: The least height and width, pixels.
        metadata: All that the file says of the network.
        channels: Of the images.
        exported: What `jax.export` made of it; its `mlir_module_serialized` is the
            StableHLO program, for other runtimes.
    """

    classes: tuple[str, ...] | dict[str, tuple[str, ...]]
    palette: np.ndarray | dict[str, np.ndarray]
    output: str
    smallest_image: int
    metadata: Metadata
    exported: export.Exported
    channels: int = 3
    _call: Callable[..., Found] = dataclasses.field(init=False, repr=False)

    def __post_init__(self):
        """Compile once for every shape."""
        object.__setattr__(self, "_call", jax.jit(self.exported.call))

    def __call__(
        self, images: np.ndarray | jax.Array
    ) -> jax.Array | dict[str, jax.Array]:
        """Score every pixel, or name its class.

        Args:
            images: uint8 RGB [N, H, W, 3], NumPy or JAX; no preprocessing. Of other
                channels what the network was exported for, or uint8.

        Returns:
            Logits or probabilities [N, H, W, C] float32, or labels [N, H, W] int32, as
            `output` says.

        Raises:
            TypeError: If the images are not uint8.
            ValueError: If they are not [N, H, W, 3], or too small.
        """
        shape, least = np.shape(images), self.smallest_image
        dtype = getattr(images, "dtype", type(images).__name__)
        if dtype != np.uint8 and self.channels == 3:
            raise TypeError(
                f"images are {dtype}; expected an array of uint8 RGB in [0, 255] (the "
                f"network does its own preprocessing)."
            )
        if len(shape) != 4 or shape[-1] != self.channels or 0 in shape:
            raise ValueError(
                f"images have shape {shape}; expected [N, H, W, {self.channels}] (for "
                f"a single image pass image[None])."
            )
        if min(shape[1:3]) < least:
            raise ValueError(
                f"images have {shape[1]}x{shape[2]} pixels; this network takes "
                f"{least}x{least} and more: resize them."
            )
        if dtype == np.uint8 and self.channels != 3:
            images = images.astype(self.exported.in_avals[0].dtype)
        return self._call(images)


def load_exported(path: str | os.PathLike[str]) -> ExportedNetwork:
    """Load a network that `python -m fcn_jax export` wrote.

    Args:
        path: The file.

    Returns:
        The network: `load_exported(path)(images)`.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If flatbuffers is not installed.
        ValueError: If the file is no such network, is damaged, or was written by a
            version, of the format or of jax, that this one does not know.
    """
    try:
        import flatbuffers  # noqa: F401  # pyright: ignore[reportUnusedImport]  jax.export reads with it.
    except ImportError as error:
        raise ImportError(
            f"an exported network needs flatbuffers: {_INSTALL}"
        ) from error
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(_read(archive, METADATA))
            if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
                raise ValueError(f"{METADATA} does not say {FORMAT!r}")
            if metadata["version"] != VERSION:
                raise _WrongVersionError(
                    f"{path} is of version {metadata['version']!r} of its format; "
                    f"this loader reads version {VERSION}. Export the network again, "
                    f"or load it with the fcn_jax that wrote it "
                    f"({metadata.get('fcn_jax')})."
                )
            program = _read(archive, NETWORK)
        described = _described(metadata)
    except (FileNotFoundError, IsADirectoryError, PermissionError, _WrongVersionError):
        raise
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError) as error:
        if os.fspath(path).endswith(".onnx"):
            raise ValueError(
                f"{path} is an ONNX file by its name; onnxruntime runs it: "
                f"onnxruntime.InferenceSession({os.fspath(path)!r})."
            ) from error
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{path} is not a network of `python -m fcn_jax export`, or is damaged "
            f"({reason}); export it again."
        ) from error
    exported = _deserialized(path, program, metadata.get("jax"))
    return ExportedNetwork(exported=exported, metadata=metadata, **described)


def _deserialized(
    path: str | os.PathLike[str], program: bytes, written: object
) -> export.Exported:
    """The program that was `written` with some version of jax.

    Raises:
        ValueError: If that version is too new for this one, or too old.
    """
    here = jax.__version__
    if _release(written) > _release(here):
        raise ValueError(
            f"{path} was written with jax {written}, which is newer than this jax "
            f"{here} and may say what it does not know ({_GUARANTEED}); upgrade jax, "
            f"or export the network again with jax {here}."
        )
    reason = ""
    try:
        exported = export.deserialize(bytearray(program))
    except Exception as error:
        reason, cause = f"{type(error).__name__}: {error}", error
    else:
        version, cause = exported.calling_convention_version, None
        least = export.minimum_supported_calling_convention_version
        most = export.maximum_supported_calling_convention_version
        if least <= version <= most:  # Calling it would not ask.
            return exported
        reason = f"calling convention {version}, known are {least} to {most}"
    raise ValueError(
        f"{path} was written with jax {written} and cannot be read by jax {here} "
        f"({reason}); {_GUARANTEED}. Load it with a jax nearer to {written}, or export "
        f"the network again."
    ) from cause


def _release(version: object) -> tuple[int, ...]:
    """Major and minor number of a version, (0, 12) of "0.12.0.1"; () of none."""
    parts = str(version).split(".")[:2]
    return tuple(int(p) for p in parts) if all(map(str.isdigit, parts)) else ()


class _WrongVersionError(ValueError):
    """Of the format; told apart from damage."""


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member as it is stored: memory is bounded by the size of the file."""
    found = archive.getinfo(name)
    if found.compress_type != zipfile.ZIP_STORED or found.flag_bits & 1:
        raise ValueError(f"{name} is compressed or encrypted, not stored")
    return archive.read(found)


def _described(metadata: Metadata) -> Metadata:
    """The fields of an `ExportedNetwork` that its metadata tell, checked."""
    output, least = metadata["output"], metadata["smallest_image"]
    names, colours = metadata["classes"], metadata["palette"]
    if isinstance(names, dict):
        found = {head: _labels(names[head], colours[head]) for head in names}
        classes = {head: each[0] for head, each in found.items()}
        palette = {head: each[1] for head, each in found.items()}
    else:
        classes, palette = _labels(names, colours)
    if output not in OUTPUTS:
        raise ValueError(f"output {output!r} is none of {', '.join(OUTPUTS)}")
    return {
        "classes": classes,
        "palette": palette,
        "output": output,
        "smallest_image": int(least),
        "channels": int(metadata.get("channels", 3)),  # Older files do not say.
    }


def _labels(
    names: Iterable[str], colours: npt.ArrayLike
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and colours of the classes of one head, checked."""
    classes, palette = tuple(names), np.asarray(colours, np.uint8)
    if palette.shape != (len(classes), 3):
        raise ValueError(
            f"{len(classes)} classes have colours of shape {palette.shape}"
        )
    return classes, palette
