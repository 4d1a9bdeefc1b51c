"""Examples of boxes: whole images with boxes to look at, what is in each, and masks.

An example is an object in its image. Whenever it is asked for, boxes are drawn of the
proposals that lie on the object, and what of a box's window is the object's is its
target; others, for their class alone, of all proposals of the image.

References:
    Hariharan et al. 2015, arXiv:1411.5752, sec. 4; bharath272/sds, prepare_blobs.py and
    hypercolumn_data_layer.py.
    Girshick 2015, arXiv:1504.08083, sec. 2.3 (boxes of all objects and of background).
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fcn_jax.data import boxes as box_rules
from fcn_jax.data import objects, transforms
from fcn_jax.data.augmentation import Augmentation
from fcn_jax.data.batch import MutableBatch
from fcn_jax.data.channels import Channels
from fcn_jax.data.contracts import Item, Source
from fcn_jax.data.crops import Examples
from fcn_jax.data.label_sets import IGNORE_LABEL

NOTHING = -1  # Label of a row that fills up the boxes of an image.
# Boxes of so many pixels, and larger ones, weigh 1 (prepare_blobs.py).
FULL_WEIGHT = 224**2
# Of boxes that are drawn for their class alone, those on objects (Girshick 2015).
SHARE_ON_OBJECTS = 0.25
# What of augmentation moves pixels otherwise than boxes can follow.
_UNFIT = ("crop", "jitter", "rotation", "cutout", "class_mix")


@dataclasses.dataclass(frozen=True)
class Drawing:
    """Which boxes of an example are drawn, and what is asked of each.

    Attributes:
        boxes: Drawn, with replacement, of those on the object.
        others: Likewise of all, for their class alone: a quarter of those on objects,
            the rest of those on none; 0: none.
        side: Of the targets, pixels.
        extension: Factor on the sides of a box for its window; see `boxes.extend`.
    """

    boxes: int = 5
    others: int = 8
    side: int = 50
    extension: float = 227 / 195

    def __post_init__(self):
        """Refuse numbers that draw nothing.

        Raises:
            ValueError: If one is out of its range.
        """
        if self.boxes < 1 or self.others < 0 or self.side < 1:
            raise ValueError(
                f"boxes={self.boxes}, others={self.others}, side={self.side}: an "
                f"example has at least one box on its object, perhaps no others, and "
                f"targets of at least a pixel."
            )
        box_rules.extend(np.zeros((0, 4), np.int32), self.extension)


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """The boxes that may be drawn for an example.

    Attributes:
        mask: uint8 [H, W]: 1 where the object is, 255 where that is void, else 0.
        label: Class of the object.
        on_object: int32 [P, 4], P >= 1.
        others: All boxes of the image, int32 [Q, 4].
        other_labels: The class of each, int32 [Q]; 0: it lies on no object.
        drawing: How they are drawn.
    """

    mask: np.ndarray
    label: int
    on_object: np.ndarray
    others: np.ndarray
    other_labels: np.ndarray
    drawing: Drawing


class RegionExamples(Examples):
    """Every object of a source, in its whole image, with the boxes that may be drawn.

    Items have `regions` (`Candidates`) beside `image`, `labels` and `id`.

    Args:
        base: A source; objects are those of its object masks or, where there are none,
            connected parts of a class. Class 0 is background. An image without objects
            gives no example.
        boxes_of: Item -> its proposals (row0, col0, row1, col1), integer [M, 4].
        drawing: How boxes are drawn.
        min_iou: Least intersection over union of a box on an object with the object's
            tight box, in (0, 1]; the tight box itself is one.
        least_class: Least such with any object of a box that has its class, in (0, 1];
            of others it is background.
        min_area: See `objects.find_objects`.
        tolerance: See `objects.find_objects`.
        balance: See `crops.repeats`; classes are drawn alike where it is large.
        cache_dir: Where the index is kept; None: nowhere.

    Attributes:
        index: int32 [N, 7]: image, object, class, and tight box of each example.

    Raises:
        ValueError: As `objects.find_objects`; if a parameter is out of range, or no
            object is found.
    """

    kind = "regions"
    hint = "lower min_area, or check the masks: images without objects give none"

    def __init__(
        self,
        base: Source,
        boxes_of: Callable[[Item], np.ndarray],
        drawing: Drawing | None = None,
        *,
        min_iou: float = 0.7,
        least_class: float = 0.5,
        min_area: int = 100,
        tolerance: float = 0.1,
        balance: int = 10,
        cache_dir: str | Path | None = None,
    ):
        if not 0 < min_iou <= 1 or not 0 < least_class <= 1:
            raise ValueError(
                f"min_iou={min_iou}, least_class={least_class}: overlaps of boxes with "
                f"objects are in (0, 1]."
            )
        self._boxes_of, self._drawing = boxes_of, drawing or Drawing()
        self._min_iou, self._least_class = min_iou, least_class
        super().__init__(
            base,
            min_area=min_area,
            tolerance=tolerance,
            balance=balance,
            cache_dir=cache_dir,
        )

    def _entries(self, item: Item, where: str):
        return self._find(item, self.classes, where)

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]: those of the whole images."""
        return self._base.image_sizes()[self.index[:, 0]]

    def __getitem__(self, place: int) -> Item:
        """An example.

        Raises:
            IndexError: If there is none.
            TypeError: If proposals are not integers.
            ValueError: If there is no proposal, or one leaves its image or has no area;
                naming the image.
        """
        number, thing, label, *_ = self._row(place)
        item = self._base[number]
        where = f"{self._base.name} {self._base.split}: {item['id']}"
        proposed = np.asarray(self._boxes_of(item))
        if not len(proposed):
            raise ValueError(
                f"{where}: there are no proposals; take another method or more of "
                f"them (config.data.objects.proposal_method and num_proposals), or "
                f"leave the image out."
            )
        box_rules.check_boxes(proposed, item["labels"].shape, where)
        found = self._find(item, self.classes, where)
        every = np.concatenate([found[:, 2:], proposed]).astype(np.int32)
        overlaps = box_rules.iou(every, found[:, 2:])  # [Q, K]
        own = overlaps[:, found[:, 0] == thing].max(axis=1)
        nearest = found[overlaps.argmax(axis=1), 1]
        there = overlaps.max(axis=1) >= self._least_class
        regions = Candidates(
            mask=self._mask(item, thing, label),
            label=label,
            on_object=every[own >= self._min_iou],
            others=every,
            other_labels=np.where(there, nearest, objects.BACKGROUND),
            drawing=self._drawing,
        )
        named = f"{item['id']}_{thing}"
        return {**item, "id": named, "regions": regions}

    def _mask(self, item: Item, thing: int, label: int) -> np.ndarray:
        labels = item["labels"]
        own = objects.object_map(item, self.ignore_label) == thing
        mask = (own & (labels == label)).astype(np.uint8)
        mask[labels == self.ignore_label] = IGNORE_LABEL
        return mask


def moved(
    item: Item,
    augmentation: Augmentation,
    rng: np.random.Generator,
    channels: Channels | None = None,
) -> tuple[Item, Augmentation]:
    """An example resized and mirrored, its boxes with it, and what is left to be done.

    Args:
        item: With `regions`.
        augmentation: What may happen.
        rng: Draws all that is random.
        channels: Of the image; None: colours first.

    Returns:
        The example, and the augmentation without scale and flip.

    Raises:
        ValueError: If pixels are to be moved as boxes are not.
    """
    check_movable(augmentation)
    image, labels, regions = item["image"], item["labels"], item["regions"]
    if augmentation.scale is not None:
        factor = float(np.exp(rng.uniform(*np.log(augmentation.scale))))
        before = regions.mask.shape
        maps = {"labels": labels, "mask": regions.mask}
        image, maps = transforms.rescale(image, maps, factor, channels)
        assert isinstance(maps, dict)
        labels = maps["labels"]
        regions = dataclasses.replace(
            regions,
            mask=maps["mask"],
            on_object=scaled(regions.on_object, before, labels.shape),
            others=scaled(regions.others, before, labels.shape),
        )
    if augmentation.flip and rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
        regions = dataclasses.replace(
            regions,
            mask=regions.mask[:, ::-1],
            on_object=_mirrored(regions.on_object, labels.shape[1]),
            others=_mirrored(regions.others, labels.shape[1]),
        )
    found = {**item, "image": image, "labels": labels, "regions": regions}
    return found, dataclasses.replace(augmentation, scale=None, flip=False)


def check_movable(augmentation: Augmentation, what: str = "boxes") -> None:
    """Refuse what moves pixels otherwise than boxes, or segments, can follow.

    Args:
        augmentation: Of a training source.
        what: They are called in the message.

    Raises:
        ValueError: Naming the first such.
    """
    for name in _UNFIT:
        if getattr(augmentation, name):
            raise ValueError(
                f"{name}={getattr(augmentation, name)} moves pixels and not the {what} "
                f"of an example; {what} follow scale and flip alone: set "
                f"config.data.{name} off."
            )


def scaled(
    found: np.ndarray, before: tuple[int, ...], after: tuple[int, ...]
) -> np.ndarray:
    """Boxes of an image that was resized: no smaller than they were.

    Args:
        found: Integer [M, 4].
        before: Height and width of the image.
        after: Those to which it was resized.

    Returns:
        int32 [M, 4].
    """
    factor = np.tile(np.divide(after, before), 2)[None]
    exact = np.round(found * factor, 6)
    return np.concatenate(
        [np.floor(exact[:, :2]), np.ceil(exact[:, 2:])], axis=1
    ).astype(np.int32)


def _mirrored(found: np.ndarray, width: int) -> np.ndarray:
    left, right = width - found[:, 3], width - found[:, 1]
    return np.stack([found[:, 0], left, found[:, 2], right], axis=1)


def draw(regions: Candidates, rng: np.random.Generator) -> MutableBatch:
    """The boxes of an example for one update.

    Args:
        regions: Of the example.
        rng: Draws which.

    Returns:
        `boxes` int32 [M, 4]; `box_labels` int32 [M], 0 of background, `NOTHING` of rows
        that fill up where there is no such box; `box_weights` float32 [M], of the
        masks, 0 of boxes that are there for their class alone; `box_targets` uint8
        [M, side, side]: 1 where the object is, 255 where that is void, else 0.
    """
    drawing = regions.drawing
    chosen = rng.integers(len(regions.on_object), size=drawing.boxes)
    on_object = regions.on_object[chosen]
    on_objects = round(SHARE_ON_OBJECTS * drawing.others)
    labelled = regions.other_labels != objects.BACKGROUND
    rest = [
        _drawn(regions, np.flatnonzero(labelled), on_objects, rng),
        _drawn(regions, np.flatnonzero(~labelled), drawing.others - on_objects, rng),
    ]
    windows = windows_of(on_object, drawing.extension, regions.mask.shape)
    own = mask_targets(regions.mask, windows, drawing.side)
    none = np.zeros((drawing.others, drawing.side, drawing.side), np.uint8)
    areas = (on_object[:, 2:] - on_object[:, :2]).prod(axis=1)
    weights = [np.minimum(areas / FULL_WEIGHT, 1), np.zeros(drawing.others)]
    labels = [np.full(drawing.boxes, regions.label), *(found for _, found in rest)]
    return {
        "boxes": np.concatenate([on_object, *(found for found, _ in rest)]),
        "box_labels": np.concatenate(labels).astype(np.int32),
        "box_weights": np.concatenate(weights).astype(np.float32),
        "box_targets": np.concatenate([own, none]),
    }


def _drawn(
    regions: Candidates, places: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """So many of the other boxes, of these places, and their labels."""
    if not len(places):
        nowhere = np.array([[0, 0, 1, 1]], np.int32)
        return np.tile(nowhere, (count, 1)), np.full(count, NOTHING)
    chosen = places[rng.integers(len(places), size=count)]
    return regions.others[chosen], regions.other_labels[chosen]


def windows_of(
    found: np.ndarray, extension: float, size: tuple[int, ...]
) -> np.ndarray:
    """The windows of boxes: extended, and cut at the edges of the image.

    Args:
        found: Integer [M, 4], inside the image.
        extension: Factor on their sides.
        size: Height and width of the image.

    Returns:
        int32 [M, 4].
    """
    wide = box_rules.extend(found, extension)
    return np.clip(wide, 0, np.tile(np.array(size, np.int32), 2)[None])


def mask_targets(mask: np.ndarray, windows: np.ndarray, side: int) -> np.ndarray:
    """What windows show of a mask, at points equally far apart, from edge to edge.

    Args:
        mask: [H, W].
        windows: Integer [M, 4], inside the mask.
        side: Points along each side of a window; the outermost are its first and last
            pixels, the others rounded to the nearest.

    Returns:
        [M, side, side] of the mask's dtype.
    """
    step = np.arange(side) / max(side - 1, 1)
    starts, lasts = windows[:, :2], windows[:, 2:] - 1
    places = starts[..., None] + (lasts - starts)[..., None] * step  # [M, 2, side]
    places = np.rint(places).astype(np.int64)
    return mask[places[:, 0, :, None], places[:, 1, None, :]]
