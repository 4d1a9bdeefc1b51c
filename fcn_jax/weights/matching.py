"""The arrays of a file matched to the variables of a net, by name and shape."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax.typing import VariableDict

from fcn_jax.crf.module import Model
from fcn_jax.models import layers
from fcn_jax.models.network import Network
from fcn_jax.storage import trees
from fcn_jax.weights import formats, numbering, surgery
from fcn_jax.weights import variables as variables_of
from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.names import Entry, NamedArrays
from fcn_jax.weights.reports import Mismatch, Report

# Layers whose biases tell how many classes a net scores.
_SCORES = ("score_fr", "seg-score", "conv1_1_D", "fc8_score")


@dataclasses.dataclass(frozen=True, eq=False)
class Matched:
    """What a file gives to a net so far.

    `match` makes one; each function of `fcn_jax.weights.conversion` takes one and
    returns the next.

    Attributes:
        path: The file, for errors.
        model: The net, perhaps with a CRF behind it.
        file: What the reader of the format returned.
        named: Its arrays under our names.
        shapes: Shapes and dtypes of the net's variables, by name.
        values: What was taken, in the shapes of the net, by the net's names.
        unexpected: Names of the file that neither the net has a place for, nor are
            known as needless.
        fixed: Upsampling kernels that the net does not have as parameters.
        mismatched: What has another shape than in the net.
        notes: What was done, a sentence each.
        lacks_statistics: Whether those of BatchNorm must be taken before use.
    """

    path: str | Path
    model: Model
    file: formats.File
    named: NamedArrays
    shapes: Mapping[str, jax.ShapeDtypeStruct]
    values: Mapping[str, np.ndarray]
    unexpected: tuple[str, ...] = ()
    fixed: tuple[Entry, ...] = ()
    mismatched: tuple[Mismatch, ...] = ()
    notes: tuple[str, ...] = ()
    lacks_statistics: bool = False

    @property
    def net(self) -> Network:
        """The net without a CRF behind it."""
        return self.model.network

    def found(self, target: str) -> Entry | None:
        """The array of the file that is meant for a variable, whatever its shape."""
        return next((x for x in self.named.entries if x.target == target), None)

    def replace(self, **changes: object) -> "Matched":
        """The same with other fields."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]

    def noted(self, note: str) -> "Matched":
        """The same with a further note."""
        return self.replace(notes=(*self.notes, note))

    def with_values(self, values: Mapping[str, np.ndarray]) -> "Matched":
        """The same with further or other values."""
        return self.replace(values={**self.values, **values})

    def with_unexpected(self, *names: str) -> "Matched":
        """The same with further names that the net has no place for."""
        return self.replace(unexpected=(*self.unexpected, *names))

    def with_mismatch(
        self, name: str, theirs: tuple[int, ...], ours: tuple[int, ...]
    ) -> "Matched":
        """The same with a further array of another shape.

        Args:
            name: Of the variable.
            theirs: Its shape in the file.
            ours: Its shape in the net.
        """
        return self.replace(mismatched=(*self.mismatched, (name, theirs, ours)))

    def report(self) -> Report:
        """The account as it stands."""
        bad = {name for name, _, _ in self.mismatched}
        return Report(
            source=(
                f"weights from {self.path} ({self.file.format}, "
                f"{self.named.convention} names)"
            ),
            matched=tuple(sorted(self.values)),
            missing=tuple(sorted(self.shapes.keys() - self.values.keys() - bad)),
            unexpected=tuple(sorted((*self.unexpected, *self.named.unused))),
            mismatched=self.mismatched,
            notes=self.notes,
            anew=1 - self.share(self.shapes),
        )

    def share(self, names: Iterable[str]) -> float:
        """How much of some variables the file gives, by their numbers, in [0, 1]."""
        sizes = {name: math.prod(self.shapes[name].shape) for name in names}
        given = sum(size for name, size in sizes.items() if name in self.values)
        return given / max(1, sum(sizes.values()))


def match(
    path: str | Path, model: Model, file: formats.File, named: NamedArrays
) -> Matched:
    """Take every array that has a place in the net, and the shape for it.

    Args:
        path: The file, for errors.
        model: The net.
        file: What the reader of the format returned.
        named: Its arrays under our names.

    Returns:
        What was taken, and what was not.

    Raises:
        WeightsError: If two arrays are one variable of the net, or convolutions that
            are known by number alone are not the encoder's.
    """
    shapes = variables_of.shapes(model)
    unexpected, fixed = list(named.unknown), []
    taken: dict[str, str] = {}
    values: dict[str, np.ndarray] = {}
    mismatched: list[Mismatch] = []
    for entry in named.entries:
        if entry.target in taken:
            raise WeightsError(
                path,
                f"{taken[entry.target]!r} and {entry.source!r} are both {entry.target}",
                "expected every layer once",
            )
        taken[entry.target] = entry.source
        wanted = shapes.get(entry.target)
        if wanted is not None:
            value = surgery.to_shape(entry, wanted.shape)
            if value is None:
                mismatched.append((entry.target, entry.array.shape, wanted.shape))
            else:
                values[entry.target] = value
        elif "/up" in entry.target and entry.target.endswith("/kernel"):
            fixed.append(entry)
        else:
            unexpected.append(entry.source)
    numbering.check(
        path,
        model.network.encoder,
        named,
        {name: x.shape for name, x in shapes.items()},
        mismatched,
    )
    return Matched(
        path,
        model,
        file,
        named,
        shapes,
        values,
        tuple(unexpected),
        tuple(fixed),
        tuple(mismatched),
        (*file.notes, *named.notes),
    )


def check_encoder(matched: Matched, least: float) -> None:
    """Refuse a file that gives too little of the encoder.

    Args:
        matched: What was taken.
        least: Share of the encoder's parameters, in [0, 1].

    Raises:
        WeightsError: If the file gives less.
    """
    given = {entry.target.split("/")[1] for entry in matched.named.entries}
    # A trunk comes with the fully connected layers of its classifier, or without any.
    classifier = any(name.startswith("fc") for name in given)
    layers_of = {
        name
        for name in matched.net.encoder.convolutions()
        if classifier or not name.startswith("fc")
    }
    encoder = [name for name in matched.shapes if name.split("/")[1] in layers_of]
    share = matched.share(encoder)
    if share < least:
        raise WeightsError(
            matched.path,
            f"it gives {share:.0%} of the encoder's parameters; all else would start "
            f"anew",
            f"expected {least:.0%} or more: "
            f"{advice(matched, strict=False)}, or say how little is enough with least= "
            f"(--config.init_least)\n{matched.report()}",
        )


def check_strictly(matched: Matched) -> None:
    """Refuse a file that is not this net.

    Raises:
        WeightsError: If a parameter is missing or misshapen, or one of the file is
            left over.
    """
    missing = _needed(matched)
    problems = []
    if missing:
        problems.append(f"it lacks {_some(missing)}")
    if matched.unexpected:
        problems.append(f"the net has no place for {_some(matched.unexpected)}")
    for name, theirs, ours in matched.mismatched[:3]:
        problems.append(f"{name} is {_shape(theirs)}, in the net {_shape(ours)}")
    if len(matched.mismatched) > 3:
        problems.append(f"{len(matched.mismatched) - 3} more shapes differ")
    if problems:
        raise WeightsError(
            matched.path,
            f"it is not this {type(matched.net).__name__}: {'; '.join(problems)}",
            f"{advice(matched, strict=True)}\n{matched.report()}\nAsked for was a net "
            f"that is exactly the file's",
        )


def _needed(matched: Matched) -> list[str]:
    """The missing parameters that may not be missing.

    Statistics may that are to be taken, and of a file that is a backbone all that is
    no layer of the backbone; it comes with the fully connected layers of its
    classifier, or without.
    """
    missing = list(matched.report().missing)
    if matched.lacks_statistics:
        missing = [name for name in missing if not name.startswith("batch_stats/")]
    convolutions = matched.net.encoder.convolutions()
    given = {entry.target.split("/")[1] for entry in matched.named.entries}
    # Networks of boxes have the fully connected layers themselves.
    own = {x for x in ("fc6", "fc7") if f"params/{x}/kernel" in matched.shapes}
    known = {*convolutions, *own}
    backbone = all(x in known or layers.is_batch_norm(x) for x in given)
    if not given or not backbone:
        return missing
    while convolutions and convolutions[-1] not in given:
        convolutions.pop()
    return [name for name in missing if name.split("/")[1] in convolutions]


def advice(matched: Matched, strict: bool) -> str:
    """What to do about a net that does not fit.

    Args:
        matched: What was taken.
        strict: Whether the file was to be exactly the net's.
    """
    extra = {
        entry.target.split("/")[1]
        for entry in matched.named.entries
        if entry.target not in matched.shapes
    }
    if extra and all(map(layers.is_batch_norm, extra)):
        return "create the net with batch_norm=True, as the file's is"
    classes = [
        theirs
        for name, theirs, ours in matched.mismatched
        if name.split("/")[1] in _SCORES and len(ours) == 1
    ]
    if classes:
        return (
            f"create the net with num_classes={math.prod(classes[0])}"
            f"{', or pass strict=False to start its scores anew' if strict else ''}"
        )
    start = ", or pass strict=False to take what fits and start the rest anew"
    return f"create the net that the file holds{start if strict else ''}"


def variables(matched: Matched, initial: VariableDict | None) -> VariableDict:
    """The net's variables: what was taken, the rest as it starts.

    Args:
        matched: What was taken.
        initial: Where the rest is taken from; None: a fresh start of the net.

    Returns:
        Variables as `model.init` returns them.

    Raises:
        WeightsError: If a value is not finite, or not in the net's dtype.
        ValueError: If `initial` lacks a variable, or has another shape of it.
    """
    absent = sorted(matched.shapes.keys() - matched.values.keys())
    if initial is None:
        started = variables_of.start(matched.model, absent)
    else:
        started = variables_of.taken_from(initial, absent, matched.shapes)
    return trees.nested(
        {
            name: started[name] if name in started else _cast(matched, name, x.dtype)
            for name, x in matched.shapes.items()
        }
    )


def _cast(matched: Matched, name: str, dtype: jnp.dtype):
    with np.errstate(over="ignore", invalid="ignore"):
        value = np.ascontiguousarray(matched.values[name].astype(dtype))
    if not np.isfinite(value.astype(np.float32, copy=False)).all():
        raise WeightsError(
            matched.path,
            f"{name} holds NaN or numbers beyond {np.dtype(dtype).name}",
            "expected the weights of a net that was trained with success",
        )
    return jnp.asarray(value)


def _some(found: Sequence[str]):
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    return ", ".join(found[:4]) + more


def _shape(shape: tuple[int, ...]):
    return "x".join(map(str, shape))
