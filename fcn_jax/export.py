"""A trained network as one file: photographs in, scores or labels out.

The program is StableHLO by `jax.export`, for images of any number and size, with the
preprocessing before the network and the weights as constants within. `fcn_jax.exported`
loads it and says what the file looks like.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import export

import fcn_jax
from fcn_jax import exported
from fcn_jax.preprocessing import CAFFE, Preprocessing, preprocess
from fcn_jax.storage import files

PLATFORMS = ("cpu", "cuda", "tpu")


def stablehlo(
    model: nn.Module,
    variables: Mapping[str, Any],
    preprocessing: Preprocessing = CAFFE,
    output: str = "logits",
) -> export.Exported:
    """A network with its preprocessing and its weights as a StableHLO program.

    Args:
        model: A network of `fcn_jax.models`.
        variables: What `model.apply` takes.
        preprocessing: What the network was trained with.
        output: "logits", or "labels": the class with the highest score.

    Returns:
        uint8 RGB [n, h, w, 3] -> float32 [n, h, w, C] or int32 [n, h, w] for all of
        `PLATFORMS`; n, h and w are symbolic, h and w at least `model.smallest_image`.

    Raises:
        ValueError: If the output is unknown.
    """
    if output not in exported.OUTPUTS:
        raise ValueError(
            f"output={output!r} is not known; choose one of "
            f"{', '.join(exported.OUTPUTS)}."
        )

    def run(images):
        logits = model.apply(variables, preprocess(images, preprocessing), train=False)
        return logits if output == "logits" else jnp.argmax(logits, -1).astype("int32")

    least = model.smallest_image
    shape = export.symbolic_shape(
        "n, h, w, 3", constraints=(f"h >= {least}", f"w >= {least}")
    )
    images = jax.ShapeDtypeStruct(shape, jnp.uint8)
    return export.export(jax.jit(run), platforms=PLATFORMS)(images)


def export_network(
    path: str | Path,
    model: nn.Module,
    variables: Mapping[str, Any],
    *,
    classes: Sequence[str],
    palette: np.ndarray,
    preprocessing: Preprocessing = CAFFE,
    output: str = "logits",
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write a network into one file, whole or not at all.

    Args:
        path: The file; its directory is made if there is none.
        model: A network of `fcn_jax.models`.
        variables: What `model.apply` takes.
        classes: Names, in the order of the labels.
        palette: Colour of every label, uint8 RGB [L, 3], for all classes at least.
        preprocessing: What the network was trained with.
        output: "logits", or "labels": the class with the highest score.
        about: Anything more to tell of it, that JSON can hold.

    Raises:
        ImportError: If flatbuffers is not installed.
        OSError: If the file cannot be written.
        ValueError: If the output is unknown, or there is not a name and a colour for
            each class of the model.
    """
    require_flatbuffers()
    count = model.num_classes
    if len(classes) != count or len(palette) < count:
        raise ValueError(
            f"the network scores {count} classes, but there are {len(classes)} names "
            f"and {len(palette)} colours; give a name and a colour for each."
        )
    network = stablehlo(model, variables, preprocessing, output)
    metadata = {
        "format": exported.FORMAT,
        "version": exported.VERSION,
        "model": type(model).__name__,
        "input": "uint8 RGB [n, h, w, 3]",
        "preprocessing": preprocessing.to_dict(),  # Inside; told, not to be done again.
        "output": output,
        "smallest_image": model.smallest_image,
        "classes": list(classes),
        "palette": np.asarray(palette)[:count].tolist(),
        "platforms": list(network.platforms),
        "fcn_jax": fcn_jax.__version__,
        "jax": jax.__version__,
        **(about or {}),
    }
    program = network.serialize()

    def write(part):
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(exported.METADATA, json.dumps(metadata, indent=2))
            archive.writestr(exported.NETWORK, program)

    try:
        files.write_whole(path, write)
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({error}); it needs "
            f"{len(program) / 2**20:,.1f} MiB: make room, or choose another file."
        ) from error


def require_flatbuffers() -> None:
    """Raise now, and not after the work, if what serialises a program is missing.

    Raises:
        ImportError: If it is.
    """
    try:
        import flatbuffers  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "exporting needs flatbuffers: pip install flatbuffers (the extra [export])"
        ) from error
