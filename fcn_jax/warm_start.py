"""Starting a net from another's parameters, with an account of every name.

Staged training (FCN-32s -> 16s -> 8s) copies what two nets share and leaves the new
score layers at zero (Long et al. 2015, sec. 4.2); training from VGG-16 turns its
fully connected layers into convolutions (sec. 3.1).
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fcn_jax import checkpoints

# The published VGG-16 archive in TensorFlow layout names its arrays conv1_1_W,
# conv1_1_b, ..., holds fc6 as (7 * 7 * 512, 4096) and expects RGB.
_TENSORFLOW_NAME = re.compile(r"^(conv\d_\d|fc\d)_(W|b)$")
_VGG16_CLASSIFIER = ("fc8",)


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of every name in a warm start.

    Attributes:
        copied: Parameters taken from the source.
        created: Parameters of the net that the source lacks; they keep their
            initial values.
        skipped: Arrays of the source that the net has no place for.
        mismatched: (name, shape in the source, shape in the net); not copied.
    """

    copied: tuple[str, ...]
    created: tuple[str, ...]
    skipped: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    def __str__(self) -> str:
        lines = []
        for title in ("copied", "created", "skipped"):
            names = getattr(self, title)
            lines.append(f"{title} ({len(names)}): {', '.join(names) or '-'}")
        shapes = ", ".join(f"{n}: {a} -> {b}" for n, a, b in self.mismatched)
        lines.append(f"mismatched ({len(self.mismatched)}): {shapes or '-'}")
        return "\n".join(lines)


def merge(
    variables: Mapping[str, Any], source: Mapping[str, np.ndarray]
) -> tuple[dict[str, Any], Report]:
    """Take from `source` every array whose name and shape the net has.

    Args:
        variables: What `model.init` returned: `params` and perhaps `batch_stats`.
        source: Arrays by name, such as "params/conv1_1/kernel"; see `read_source`.

    Returns:
        The variables with the copies in place, and the account of all names.

    Raises:
        ValueError: If not one array could be copied.
    """
    remaining = dict(source)
    copied, created, mismatched = [], [], []

    def choose(path, ours):
        name = "/".join(str(entry.key) for entry in path)
        if name not in remaining:
            created.append(name)
            return ours
        theirs = remaining.pop(name)
        if theirs.shape != ours.shape:
            mismatched.append((name, theirs.shape, ours.shape))
            return ours
        copied.append(name)
        return np.asarray(theirs, ours.dtype)

    merged = jax.tree_util.tree_map_with_path(choose, dict(variables))
    report = Report(
        tuple(copied), tuple(created), tuple(sorted(remaining)), tuple(mismatched)
    )
    if not copied:
        raise ValueError(
            f"nothing could be copied: the source's names and shapes are those of "
            f"another net.\n{report}"
        )
    return merged, report


def read_source(path: str | Path, channels: str = "bgr") -> dict[str, np.ndarray]:
    """Read what a net can start from.

    Args:
        path: The directory of a run (its best checkpoint is taken) or an `.npz`:
            with our names ("params/conv1_1/kernel" or "conv1_1/kernel") or of
            VGG-16 in TensorFlow layout (conv1_1_W, fc6_b, ...; RGB).
        channels: Channel order of the net's input; conv1_1 of an RGB archive is
            reversed for "bgr".

    Returns:
        Arrays by name: "params/..." and "batch_stats/...".

    Raises:
        FileNotFoundError: If there is nothing at `path`.
        ValueError: If it is neither a run nor an archive of a known form.
    """
    path = Path(path)
    if path.is_dir():
        return _read_run(path)
    if not path.exists():
        raise FileNotFoundError(
            f"init_from: {path} does not exist; give a run's directory or an .npz."
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:
        raise ValueError(
            f"init_from: {path} cannot be read as an .npz ({error}); give a run's "
            f"directory or an .npz of VGG-16."
        ) from error
    if arrays and all(_TENSORFLOW_NAME.match(name) for name in arrays):
        return _from_tensorflow(arrays, channels)
    named = {
        name if name.startswith(("params/", "batch_stats/")) else f"params/{name}": x
        for name, x in arrays.items()
    }
    if not any(name.endswith(("/kernel", "/bias")) for name in named):
        raise ValueError(
            f"init_from: {path} holds {sorted(arrays)[:3]}...; expected names such as "
            f"conv1_1/kernel (ours) or conv1_1_W (VGG-16 in TensorFlow layout)."
        )
    return named


def _read_run(path: Path) -> dict[str, np.ndarray]:
    directory = path / "checkpoints"
    checkpoint = checkpoints.Checkpoints(directory).best()
    if checkpoint is None:
        raise FileNotFoundError(
            f"init_from: {path} is no run with a checkpoint ({directory} is empty or "
            f"absent); train it first, or give an .npz."
        )
    kept = {name: checkpoint.arrays[name] for name in ("params", "batch_stats")}
    return checkpoints.flatten(kept)


def _from_tensorflow(
    arrays: Mapping[str, np.ndarray], channels: str
) -> dict[str, np.ndarray]:
    named = {}
    for name, x in arrays.items():
        layer, kind = _TENSORFLOW_NAME.match(name).groups()
        if layer in _VGG16_CLASSIFIER:
            continue
        if kind == "W" and layer == "fc6" and x.ndim == 2:
            x = x.reshape(7, 7, -1, x.shape[1])
        elif kind == "W" and layer.startswith("fc") and x.ndim == 2:
            x = x[None, None]
        elif kind == "W" and layer == "conv1_1" and channels == "bgr":
            x = x[:, :, ::-1]
        named[f"params/{layer}/{'kernel' if kind == 'W' else 'bias'}"] = x
    return named
