"""A trained network as one file: photographs in, scores or labels out.

The program is StableHLO by `jax.export`, for images of any number and size, with the
preprocessing before the network and the weights as constants within. `fcn_jax.exported`
loads it and says what the file looks like.
"""

import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.typing import VariableDict
from jax import export

import fcn_jax
from fcn_jax import exported
from fcn_jax.crf import WithCRF
from fcn_jax.models.feature_masking import CFM
from fcn_jax.models.hypercolumn import Hypercolumn
from fcn_jax.ops import resizing
from fcn_jax.preprocessing import CAFFE, Preprocessing, preprocess
from fcn_jax.storage import files

PLATFORMS = ("cpu", "cuda", "tpu")
_FINEST = 1000  # Denominator of a scale: products with sizes stay within int32.


def stablehlo(
    model: nn.Module,
    variables: VariableDict,
    preprocessing: Preprocessing = CAFFE,
    output: str = "logits",
    dtype: jax.typing.DTypeLike = jnp.uint8,
    scale: float = 1.0,
) -> export.Exported:
    """A network with its preprocessing and its weights as a StableHLO program.

    Args:
        model: A network of `fcn_jax.models`.
        variables: What `model.apply` takes.
        preprocessing: What the network was trained with.
        output: "logits", "probabilities" (their softmax), or "labels": the class with
            the highest score.
        dtype: Of the images: uint8, or float32 for channels that are no colours.
        scale: At which the network sees the images; what comes back has their size.

    Returns:
        uint8 RGB [n, h, w, 3] -> float32 [n, h, w, C] or int32 [n, h, w] for all of
        `PLATFORMS`; n, h and w are symbolic, h and w at least `smallest_image`.

    Raises:
        ValueError: If the output is unknown, a CRF is behind the network, or it needs
            boxes.
    """
    if output not in exported.OUTPUTS:
        raise ValueError(
            f"output={output!r} is not known; choose one of "
            f"{', '.join(exported.OUTPUTS)}."
        )

    check_fits_a_file(model)

    def score(images: jax.Array):
        return model.apply(variables, preprocess(images, preprocessing), train=False)

    scaled = score
    if scale != 1:
        # A program of its own, whose sizes are symbols again and no formulas.
        inner = _exported(score, model.smallest_image, model.channels, dtype)

        def scaled(images: jax.Array):
            shape = images.shape[1], images.shape[2]
            small = _scaled(shape[0], scale), _scaled(shape[1], scale)
            logits = inner.call(resizing.resize_images(images, small))
            sizes, small_sizes = (_sizes(images.shape[0], x) for x in (shape, small))
            return jax.tree.map(
                lambda x: resizing.resize(x, small_sizes, sizes, shape), logits
            )

    def run(images: jax.Array):
        return jax.tree.map(_OUTPUTS[output], scaled(images))

    return _exported(run, smallest_image(model, scale), model.channels, dtype)


_OUTPUTS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "logits": lambda x: x,
    "probabilities": jax.nn.softmax,
    "labels": lambda x: jnp.argmax(x, -1).astype("int32"),
}


def _exported(
    function: Callable[[jax.Array], object],
    least: int,
    channels: int,
    dtype: jax.typing.DTypeLike,
) -> export.Exported:
    shape = export.symbolic_shape(
        f"n, h, w, {channels}", constraints=(f"h >= {least}", f"w >= {least}")
    )
    images = jax.ShapeDtypeStruct(shape, dtype)
    return export.export(jax.jit(function), platforms=PLATFORMS)(images)


def smallest_image(model: nn.Module, scale: float) -> int:
    """The least height and width of an image that a network sees at a scale.

    Args:
        model: A network of `fcn_jax.models`.
        scale: The scale.
    """
    if scale == 1:
        return model.smallest_image
    return math.ceil((model.smallest_image + 0.5) / scale)


def _scaled(size: int, scale: float) -> int:
    """`transforms.scaled_size` of one side, in what symbolic sizes can do.

    A half is rounded to even, as Python does. (Where the scale is no binary fraction,
    Python's product may lie a hair beside a half, and the size be one off.)
    """
    factor = Fraction(str(scale)).limit_denominator(_FINEST)
    p, q = factor.numerator, factor.denominator
    rounded = (2 * size * p + q) // (2 * q)
    if q % 2:
        return rounded
    # Less by one if size * p / q is an even number and a half: there floor jumps.
    past = size * p % (2 * q) + 2 * q - q // 2
    return rounded - (past // (2 * q) - (past - 1) // (2 * q))


def _sizes(count: int, shape: tuple[int, int]) -> jax.Array:
    """The same size for every image, [count, 2] int32."""
    size = jnp.stack([jnp.asarray(side, jnp.int32) for side in shape])
    return jnp.broadcast_to(size[None], (count, 2))


def export_network(
    path: str | Path,
    model: nn.Module,
    variables: VariableDict,
    *,
    classes: Sequence[str] | Mapping[str, Sequence[str]],
    palette: np.ndarray | Mapping[str, np.ndarray],
    preprocessing: Preprocessing = CAFFE,
    output: str = "logits",
    scale: float = 1.0,
    about: Mapping[str, object] | None = None,
) -> None:
    """Write a network into one file, whole or not at all.

    Args:
        path: The file; its directory is made if there is none.
        model: A network of `fcn_jax.models`.
        variables: What `model.apply` takes.
        classes: Names, in the order of the labels; by head where there are several.
        palette: Colour of every label, uint8 RGB [L, 3], for all classes at least; by
            head likewise.
        preprocessing: What the network was trained with.
        output: "logits", "probabilities", or "labels": the class with the highest
            score.
        scale: At which the network sees the images; what comes back has their size.
        about: Anything more to tell of it, that JSON can hold.

    Raises:
        ImportError: If flatbuffers is not installed.
        OSError: If the file cannot be written.
        ValueError: If the output is unknown, if a CRF is behind the network, or if
            there is not a name and a colour for each class of the model.
    """
    require_flatbuffers()
    described = {
        **description(model, preprocessing, classes, palette),
        "output": output,
        "smallest_image": smallest_image(model, scale),
        "eval_scale": scale,  # Inside, as the preprocessing is.
        "jax": jax.__version__,
        **(about or {}),
    }
    dtype = exported.image_dtype(model.channels)
    network = stablehlo(model, variables, preprocessing, output, dtype, scale)
    metadata = {
        "format": exported.FORMAT,
        "version": exported.VERSION,
        "input": f"{dtype} {preprocessing.channels_given} [n, h, w, {model.channels}]",
        "platforms": list(network.platforms),
        **described,
    }
    program = network.serialize()

    def write(part: Path):
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(exported.METADATA, json.dumps(metadata, indent=2))
            archive.writestr(exported.NETWORK, program)

    write_network(path, write, len(program))


def write_network(
    path: str | Path, write: Callable[[Path], object], needed: int
) -> None:
    """Write a file whole or not at all, and say how much room it needs.

    Args:
        path: The file; its directory is made if there is none.
        write: Called with the path of the file to fill.
        needed: Bytes, about.

    Raises:
        OSError: If the file cannot be written.
    """
    try:
        files.write_whole(path, write)
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({error.__cause__ or error}); it needs "
            f"{needed / 2**20:,.1f} MiB. {files.remedy(error, 'file', 'Make room')}."
        ) from error


def description(
    model: nn.Module,
    preprocessing: Preprocessing,
    classes: Sequence[str] | Mapping[str, Sequence[str]],
    palette: np.ndarray | Mapping[str, np.ndarray],
) -> dict[str, object]:
    """What a file says of its network, whatever its format; JSON can hold it.

    Args:
        model: A network of `fcn_jax.models`.
        preprocessing: What the network was trained with.
        classes: Names, in the order of the labels; by head where there are several.
        palette: Colour of every label, uint8 RGB [L, 3]; by head likewise.

    Raises:
        ValueError: If there is not a name and a colour for each class of the model.
    """
    counts = model.num_classes
    if isinstance(classes, Mapping) and isinstance(palette, Mapping):
        colours = {
            head: _checked_palette(n, classes[head], palette[head])
            for head, n in counts.items()
        }
        names = {head: list(classes[head]) for head in counts}
    else:
        names = list(classes)
        colours = _checked_palette(counts, names, np.asarray(palette))
    return {
        "model": type(model).__name__,
        "channels": model.channels,
        "preprocessing": preprocessing.to_dict(),  # Inside; told, not to be done again.
        "smallest_image": model.smallest_image,
        "classes": names,
        "palette": colours,
        "fcn_jax": fcn_jax.__version__,
    }


def check_fits_a_file(model: nn.Module) -> None:
    """Raise if a network has a CRF behind it, or needs boxes.

    Args:
        model: A network of `fcn_jax.models`, or `crf.WithCRF`.

    Raises:
        ValueError: If it does.
    """
    if isinstance(model, Hypercolumn | CFM):
        raise ValueError(
            f"{type(model).__name__} looks at proposals, which no file for images "
            f"holds; use it by fcn_jax.load, or fcn_jax predict and serve."
        )
    if isinstance(model, WithCRF):
        raise ValueError(
            f"{type(model.network).__name__} has a CRF behind it (config.model.crf), "
            f"which no file for images of all sizes holds; export the network before "
            f"it (--nocrf), and put fcn_jax.crf.mean_field behind its logits."
        )


def _checked_palette(
    count: int, classes: Sequence[str], palette: np.ndarray
) -> list[list[int]]:
    """The colours of the classes of one head.

    Raises:
        ValueError: If there is not a name and a colour for each.
    """
    if len(classes) != count or len(palette) < count:
        raise ValueError(
            f"the network scores {count} classes, but there are {len(classes)} names "
            f"and {len(palette)} colours; give a name and a colour for each."
        )
    return np.asarray(palette)[:count].tolist()


def require_flatbuffers() -> None:
    """Raise now, and not after the work, if what serialises a program is missing.

    Raises:
        ImportError: If it is.
    """
    try:
        import flatbuffers  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise ImportError(
            "exporting needs flatbuffers: pip install flatbuffers (the extra [export])"
        ) from error
