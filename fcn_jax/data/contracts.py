"""What a data set gives: sources, the heads of their labels, and one item of them."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np

from fcn_jax.data import channels as channels_of
from fcn_jax.data.label_sets import IGNORE_LABEL, VOC, LabelSet, fixed

# One image: `image` (uint8 or float32 [H, W, channels]), `labels`, `id` (str) and
# perhaps `objects` (uint8 [H, W]), or `allowed` (uint8 [H, W, P]: `data.weak.planes`).
Item: TypeAlias = Mapping[str, Any]
# Labels of an image or a batch, uint8; by head where there are several.
Labels: TypeAlias = np.ndarray | Mapping[str, np.ndarray]
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, eq=False)
class Head:
    """One labelling of the pixels: what is scored, trained and drawn as one.

    Attributes:
        name: By which labels and logits are found where there are several heads; "" is
            that of a data set with one.
        classes: Names, in the order of the labels.
        palette: Colour of every label, uint8 RGB [256, 3], not to be written to.
        ignore_label: The label of void pixels, which are ignored; it may be below the
            number of classes (0 in ADE20K).
        may_be_absent: Classes that, where a split has none of their pixels, stay out of
            its means, also if they are predicted.
    """

    name: str
    classes: tuple[str, ...]
    palette: np.ndarray
    ignore_label: int = IGNORE_LABEL
    may_be_absent: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "palette", fixed(self.palette))

    @property
    def num_classes(self) -> int:
        """Labels that a network scores, 0 to this minus 1."""
        return len(self.classes)

    @property
    def label_set(self) -> LabelSet:
        """The same, as the commands that name classes take it."""
        return LabelSet(self.name, self.classes, self.palette, self.ignore_label)


@runtime_checkable
class Source(Protocol):
    """A split of a data set: a sequence of items.

    Attributes:
        name: Of the data set.
        split: Such as "train".
        channels: Of its images, a letter each: "rgb", "grey", "rgbd", "hha", "rgbhha";
            what these are: `fcn_jax.data.channels`.
        heads: What its labels say; most data sets have one.
    """

    name: str
    split: str

    @property
    def channels(self) -> str:
        """See above."""
        ...

    @property
    def heads(self) -> tuple[Head, ...]:
        """See above."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Item: ...

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]."""
        ...


class OneHead:
    """For sources of RGB images with one labelling: their heads follow from it."""

    classes: tuple[str, ...]
    palette: np.ndarray
    ignore_label: int = IGNORE_LABEL
    channels: str = "rgb"

    @property
    def heads(self) -> tuple[Head, ...]:
        """The one head, without a name."""
        return (Head("", self.classes, self.palette, self.ignore_label),)


def heads_of(source: Source) -> tuple[Head, ...]:
    """The heads of a source; of one that names none they follow from its classes."""
    if hasattr(source, "heads"):
        return source.heads
    given = {
        name: getattr(source, name)
        for name in ("classes", "palette", "ignore_label")
        if hasattr(source, name)
    }
    defaults: dict[str, Any] = {"classes": (), "palette": VOC.palette}
    return (Head("", **defaults | given),)


def ids_of(source: Source) -> list[str]:
    """The ids of all images of a source; without their pixels, where it can.

    Args:
        source: One with a method `image_ids`, or with `ids`, is quick.
    """
    found: Callable[[], list[str]] | None = getattr(source, "image_ids", None)
    if found is not None:
        return found()
    ids: tuple[str, ...] = tuple(getattr(source, "ids", ()))
    if len(ids) == len(source):
        return list(ids)
    return [str(source[place]["id"]) for place in range(len(source))]


def channels_in(source: Source) -> channels_of.Channels:
    """The channels of a source's images; RGB where it does not say."""
    return channels_of.of(getattr(source, "channels", "rgb"))


def num_channels(source: Source) -> int:
    """How many channels a source's images have: "grey" 1, "rgbd" 4, 3 by default."""
    return len(channels_in(source).fill)


def to_rgb(image: np.ndarray) -> np.ndarray:
    """What of an image can be shown, uint8 RGB [H, W, 3].

    Args:
        image: uint8 or float32 [H, W, channels]: colours first, or grey.
    """
    shown = image[..., :3] if image.shape[-1] >= 3 else image[..., [0, 0, 0]]
    return np.clip(shown, 0, 255).astype(np.uint8)


def by_head(source: Source, value: Callable[[Head], T]) -> T | dict[str, T]:
    """A value of each head, by its name; the value alone where there is one head.

    Args:
        source: A source of `fcn_jax.data`.
        value: Of a head.
    """
    heads = heads_of(source)
    if len(heads) == 1 and not heads[0].name:
        return value(heads[0])
    return {head.name: value(head) for head in heads}


def num_classes(source: Source) -> int | dict[str, int]:
    """The classes that a network for a source scores."""
    return by_head(source, lambda head: head.num_classes)


def ignore_labels(source: Source) -> int | dict[str, int]:
    """The void label of a source."""
    return by_head(source, lambda head: head.ignore_label)


def map_labels(
    change: Callable[..., np.ndarray], labels: Labels, *others: object
) -> np.ndarray | dict[str, np.ndarray]:
    """Change labels, those of each head for itself.

    Args:
        change: Of one array of labels, and of what belongs to it.
        labels: One array, or one for each head.
        *others: One value, or one for each head; handed to `change`.

    Returns:
        The changed labels, in the form of `labels`.
    """
    if not isinstance(labels, Mapping):
        return change(labels, *others)
    return {
        name: change(x, *(o[name] if isinstance(o, Mapping) else o for o in others))
        for name, x in labels.items()
    }


def first_labels(labels: Labels) -> np.ndarray:
    """The labels of one head, for what all have alike: their size."""
    return next(iter(labels.values())) if isinstance(labels, Mapping) else labels
