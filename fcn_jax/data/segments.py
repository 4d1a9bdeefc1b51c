"""Segments of an image: which are drawn for an update, and their cells.

Segments are drawn of those that overlap an object by half or more (whose class they
have), and others of those that overlap one a little; their masks are projected to the
cells of the last map of the network.

References:
    Dai, He and Sun 2015, arXiv:1412.1283, sec. 3.3 and 4.2.
    ShaoqingRen/SPP_net (of 128 segments a batch 32 are of objects).
"""

import dataclasses
import functools
import logging
from collections.abc import Sequence

import numpy as np

from fcn_jax.data import regions, transforms
from fcn_jax.data.augmentation import Augmentation
from fcn_jax.data.batch import MutableBatch
from fcn_jax.data.channels import Channels
from fcn_jax.data.contracts import Item
from fcn_jax.data.regions import NOTHING
from fcn_jax.proposals import pursuit
from fcn_jax.proposals.candidates import Candidates
from fcn_jax.proposals.projection import Cells, has_cells, project


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Which segments of an image are drawn, and what is asked of each.

    Attributes:
        positives: Drawn at most of those that have a class.
        negatives: Likewise of the background.
        positive_iou: Least and greatest overlap with an object of a segment that has
            its class; of several objects the one it overlaps most.
        negative_iou: Likewise of a segment of background.
        stuff: Classes without instances: segments of them come of segment pursuit.
    """

    positives: int = 32
    negatives: int = 96
    positive_iou: tuple[float, float] = (0.5, 1.0)
    negative_iou: tuple[float, float] = (0.1, 0.3)
    stuff: tuple[int, ...] = ()

    def __post_init__(self):
        """Refuse numbers that draw nothing.

        Raises:
            ValueError: If one is out of its range.
        """
        if self.positives < 1 or self.negatives < 0:
            raise ValueError(
                f"positives={self.positives}, negatives={self.negatives}: an example "
                f"has at least one segment of an object, perhaps none of background."
            )
        for name in ("positive_iou", "negative_iou"):
            low, high = getattr(self, name)
            if not 0 < low <= high <= 1:
                raise ValueError(
                    f"{name}={(low, high)} is no range of overlaps; give (least, "
                    f"greatest), above 0 and up to 1."
                )
        if self.negative_iou[1] >= self.positive_iou[0]:
            raise ValueError(
                f"negative_iou={self.negative_iou} reaches into "
                f"positive_iou={self.positive_iou}; a segment has one class."
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Segments:
    """The segments that may be drawn for an example.

    Attributes:
        candidates: Those that have a label.
        labels: Class of each, 0 of background, int32 [N]; of stuff too, of which
            segment pursuit takes some.
        cells: Of the network's last map.
        sampling: How they are drawn.
    """

    candidates: Candidates
    labels: np.ndarray
    cells: Cells
    sampling: Sampling


def check_size(found: Candidates, size: Sequence[int], where: str) -> None:
    """Refuse segments of another image.

    Args:
        found: Of an image.
        size: Its height and width.
        where: The image, for the message.

    Raises:
        ValueError: If the size is another: they would lie outside the image.
    """
    if found.regions.shape != tuple(size):
        height, width = found.regions.shape
        raise ValueError(
            f"{where}: its segments are of an image of {height}x{width} and it has "
            f"{size[0]}x{size[1]} (height x width): they would lie outside; make them "
            f"of this image."
        )


def overlaps(found: Candidates, numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Intersection over union of segments with objects, by the pixels of both.

    Args:
        found: N segments of an image.
        numbers: Which object a pixel belongs to, integer [H, W], 0 to K.
        counts: Pixels that count (those that are not void), bool [H, W].

    Returns:
        float64 [N, K + 1]; by number, 0 throughout for what is no object.
    """
    most = int(numbers.max()) + 1
    joint = found.regions.astype(np.int64) * most + numbers
    pixels = np.bincount(joint[counts], minlength=found.num_regions * most)
    pixels = pixels.reshape(found.num_regions, most).astype(np.float64)
    shared = found.member @ pixels
    union = shared.sum(axis=1, keepdims=True) + pixels.sum(axis=0)[None] - shared
    shared[:, 0] = 0
    return shared / np.maximum(union, 1)


def moved(
    item: Item,
    augmentation: Augmentation,
    rng: np.random.Generator,
    channels: Channels | None = None,
) -> tuple[Item, Augmentation]:
    """An example resized and mirrored, its segments with it, and what is left to do.

    Segments stay at the image's own resolution: they are projected from there.

    Args:
        item: With `segments`.
        augmentation: What may happen.
        rng: Draws all that is random.
        channels: Of the image; None: colours first.

    Returns:
        The example, and the augmentation without scale and flip.

    Raises:
        ValueError: If pixels are to be moved as segments are not.
    """
    regions.check_movable(augmentation, "segments")
    image, labels = item["image"], item["labels"]
    found: Segments = item["segments"]
    if augmentation.scale is not None:
        factor = float(np.exp(rng.uniform(*np.log(augmentation.scale))))
        image, maps = transforms.rescale(image, {"": labels}, factor, channels)
        assert isinstance(maps, dict)
        labels = maps[""]
    if augmentation.flip and rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
        mirrored = np.ascontiguousarray(found.candidates.regions[:, ::-1])
        found = dataclasses.replace(
            found, candidates=Candidates(mirrored, found.candidates.member)
        )
    changed = {**item, "image": image, "labels": labels, "segments": found}
    return changed, dataclasses.replace(augmentation, scale=None, flip=False)


def draw(
    found: Segments,
    rng: np.random.Generator,
    seen: tuple[int, int],
    canvas: tuple[int, int],
) -> MutableBatch:
    """The segments of an example for one update.

    None is drawn twice. A segment without a cell of the map is left out, and that is
    said once; so an image of small objects may have none with a class.

    Args:
        found: Of the example.
        rng: Draws which.
        seen: Height and width of the image as the network sees it.
        canvas: What it is padded to.

    Returns:
        `boxes` int32 [M, 4] in pixels of the image as it is seen; `box_labels` int32
        [M], 0 of background, `NOTHING` of rows that fill up; `box_masks` uint8
        [M, h, w], 1 where a cell of the canvas's map belongs to the segment.
    """
    sampling, labels = found.sampling, found.labels
    projected = project(found.candidates, found.cells, seen)
    before = found.candidates.regions.shape
    boxes = regions.scaled(found.candidates.boxes, before, seen)
    there = has_cells(projected, boxes, found.cells, seen)
    if not there.all():
        tell_dropped()
    chosen = np.concatenate(
        [
            _some(_positives(found, there, rng), sampling.positives, rng),
            _some(np.flatnonzero(there & (labels == 0)), sampling.negatives, rng),
        ]
    )
    size = sampling.positives + sampling.negatives
    height, width = (found.cells.along(side) for side in canvas)
    batch = empty(size, height, width)
    batch["boxes"][: len(chosen)] = boxes[chosen]
    batch["box_labels"][: len(chosen)] = labels[chosen]
    rows, columns = projected.shape[1:]
    batch["box_masks"][: len(chosen), :rows, :columns] = projected[chosen]
    return batch


def empty(count: int, height: int, width: int) -> MutableBatch:
    """The entries of an image without segments: of each a pixel, and no class.

    Args:
        count: Rows.
        height: Of the map, cells.
        width: Of the map, cells.
    """
    return {
        "boxes": np.tile(np.array([[0, 0, 1, 1]], np.int32), (count, 1)),
        "box_labels": np.full(count, NOTHING, np.int32),
        "box_masks": np.zeros((count, height, width), np.uint8),
    }


def _positives(found: Segments, there: np.ndarray, rng: np.random.Generator):
    """Places of the segments that have a class; of stuff those that pursuit takes."""
    stuff = np.isin(found.labels, found.sampling.stuff) & (found.labels > 0)
    parts = [np.flatnonzero(there & (found.labels > 0) & ~stuff)]
    for label in np.unique(found.labels[stuff & there]):
        pure = np.flatnonzero(there & (found.labels == label))
        own = Candidates(found.candidates.regions, found.candidates.member[pure])
        taken = pursuit.pursue(own.areas(), pursuit.overlaps(own), rng)
        parts.append(pure[taken])
    return np.concatenate(parts)


def _some(places: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(places)[:most]


@functools.cache
def tell_dropped() -> None:
    """Say, once in a process, that segments are too small for the map."""
    logging.getLogger(__name__).warning(
        "segments that cover half of no cell of the last map are left out; enlarge "
        "images (config.data.scale, config.eval_scale) to keep more of them"
    )
