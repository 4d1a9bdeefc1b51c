"""Selective search's segments: every region that a segmentation passes while it merges.

OpenCV's selective search gives the rectangles of its regions and not the regions; the
grouping is done here, on segmentations of OpenCV (Felzenszwalb and Huttenlocher's).
Regions are merged in pairs, the most similar first, until one is left: n regions have
2 n - 1 masks. Several colour spaces, scales and similarities are candidates together.

References:
    Uijlings, van de Sande, Gevers and Smeulders 2013, "Selective search for object
    recognition", sec. 3 and 4.3; OpenCV, ximgproc, selectivesearchsegmentation.cpp.
    Felzenszwalb and Huttenlocher 2004, "Efficient graph-based image segmentation".
"""

import dataclasses
import heapq
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from fcn_jax.proposals import candidates as masks
from fcn_jax.proposals import opencv
from fcn_jax.proposals.candidates import Candidates

COLOUR_BINS, TEXTURE_BINS = 25, 10  # A channel; a channel and direction.
SIGMA = 0.8  # Of the smoothing before the segmentation.
SPACES = ("hsv", "lab", "rgb", "grey", "hue", "rgi")
SIMILARITIES = ("colour", "texture", "size", "fill")
# Of selective search's "fast" form: which similarities are averaged.
STRATEGIES = ("colour+texture+size+fill", "texture+size+fill")
_MOST_LEVEL = 256.0


@dataclasses.dataclass(frozen=True, eq=False)
class Regions:
    """What grouping knows of regions, a row each.

    Attributes:
        areas: Pixels, int64 [R].
        boxes: Tight, int32 [R, 4].
        histograms: By similarity, "colour" and "texture", float64 [R, bins], each row
            with the sum 1; one that no similarity asks for may be absent.
    """

    areas: np.ndarray
    boxes: np.ndarray
    histograms: dict[str, np.ndarray]


def propose(
    image: np.ndarray,
    *,
    num: int = 2000,
    min_side: int = 20,
    seed: int = 0,
    spaces: Sequence[str] = ("hsv", "lab"),
    scales: Sequence[int] = (50, 100),
    strategies: Sequence[str] = STRATEGIES,
) -> Candidates:
    """The segments of an image, in the order of selective search.

    A segment's value is u * r, u uniform in [0, 1) and r its rank in its hierarchy, 1
    for the whole image; of one that several hierarchies have the least counts. The
    least values come first (Uijlings et al., sec. 4.3).

    Args:
        image: uint8 RGB [H, W, 3].
        num: Masks at most.
        min_side: Of a mask's tight box, pixels; the largest of all stays in any case.
        seed: Of u.
        spaces: Of `SPACES`, in each of which the image is segmented and compared.
        scales: Felzenszwalb and Huttenlocher's k, which is the least area of a region
            too, as in the authors' code; of their "fast" form by default.
        strategies: Similarities that are averaged, joined with "+".

    Returns:
        At least one mask, none twice.

    Raises:
        TypeError: If the image is not uint8.
        ValueError: If it has another shape, or an option is not known or out of range.
        ImportError: If OpenCV is not there.
    """
    _check_options(num, min_side, spaces, scales, strategies)
    _check_image(image)
    rng = np.random.default_rng(seed)
    found: list[Candidates] = []
    values: list[np.ndarray] = []
    for space in spaces:
        levels = in_space(image, space)
        for scale in scales:
            regions = felzenszwalb(levels, scale, min_size=scale)
            described = describe(levels, regions)
            pairs = neighbours(regions)
            for strategy in strategies:
                member = hierarchy(described, pairs, strategy.split("+"))
                found.append(Candidates(regions, member))
                ranks = np.arange(len(member), 0, -1)
                values.append(rng.random(len(member)) * ranks)
    return _ordered(masks.join(found), np.concatenate(values), num, min_side)


def _ordered(
    joined: Candidates, values: np.ndarray, num: int, min_side: int
) -> Candidates:
    """The masks of least value that are large enough, none twice."""
    order = np.argsort(values, kind="stable")
    once, _ = masks.without_duplicates(Candidates(joined.regions, joined.member[order]))
    boxes = once.boxes
    large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= min_side
    if not large.any():
        large[np.argmax(once.areas())] = True
    return Candidates(once.regions, once.member[large][:num])


def hierarchy(
    regions: Regions, pairs: np.ndarray, similarities: Sequence[str]
) -> np.ndarray:
    """All regions of a greedy grouping: the first ones, then each union as it is made.

    Of pairs that are equally similar the one with the lower numbers is merged first;
    unions are numbered behind all before them.

    Args:
        regions: R of them, of one image.
        pairs: Which touch, integer [P, 2]; over them all must be connected.
        similarities: Of `SIMILARITIES`; their mean counts.

    Returns:
        Which of the R each consists of, bool [2 R - 1, R].

    Raises:
        ValueError: If not all regions are connected.
    """
    count, total = len(regions.areas), int(regions.areas.sum())
    grown = _room_for_unions(regions)
    member = np.zeros((2 * count - 1, count), np.bool_)
    member[np.arange(count), np.arange(count)] = True
    near: list[set[int]] = [set() for _ in range(2 * count - 1)]
    for one, other in pairs.tolist():
        near[one].add(other)
        near[other].add(one)
    similar = _similarity(grown, similarities, total)
    waiting = [(-similar(i, j), i, j) for i in range(count) for j in near[i] if i < j]
    heapq.heapify(waiting)
    gone: set[int] = set()
    for new in range(count, 2 * count - 1):
        while waiting and (waiting[0][1] in gone or waiting[0][2] in gone):
            heapq.heappop(waiting)
        if not waiting:
            raise ValueError(
                f"{2 * count - 1 - new + 1} regions do not touch each other; grouping "
                f"takes the regions of a whole image."
            )
        _, one, other = heapq.heappop(waiting)
        gone |= {one, other}
        member[new] = member[one] | member[other]
        _unite(grown, one, other, new)
        near[new] = (near[one] | near[other]) - gone
        for each in near[new]:
            near[each].add(new)
            heapq.heappush(waiting, (-similar(each, new), each, new))
    return member


def _room_for_unions(regions: Regions) -> Regions:
    """The same, with empty rows for as many unions as there will be."""
    more = len(regions.areas) - 1

    def longer(rows: np.ndarray) -> np.ndarray:
        return np.concatenate([rows, np.zeros((more, *rows.shape[1:]), rows.dtype)])

    histograms = {name: longer(rows) for name, rows in regions.histograms.items()}
    return Regions(longer(regions.areas), longer(regions.boxes), histograms)


def _unite(regions: Regions, one: int, other: int, new: int) -> None:
    """Fill the row of a union: histograms are averaged by area."""
    areas, boxes = regions.areas, regions.boxes
    areas[new] = areas[one] + areas[other]
    boxes[new, :2] = np.minimum(boxes[one, :2], boxes[other, :2])
    boxes[new, 2:] = np.maximum(boxes[one, 2:], boxes[other, 2:])
    for rows in regions.histograms.values():
        mean = areas[one] * rows[one] + areas[other] * rows[other]
        rows[new] = mean / areas[new]


def _similarity(
    regions: Regions, names: Sequence[str], total: int
) -> Callable[[int, int], float]:
    """The mean of similarities, of two regions by their numbers."""
    areas, boxes = regions.areas, regions.boxes
    compared = [regions.histograms[n] for n in names if n in ("colour", "texture")]

    def similar(one: int, other: int) -> float:
        both = int(areas[one] + areas[other])
        found = [float(np.minimum(h[one], h[other]).sum()) for h in compared]
        if "size" in names:
            found.append(1 - both / total)
        if "fill" in names:
            row0, col0 = np.minimum(boxes[one, :2], boxes[other, :2])
            row1, col1 = np.maximum(boxes[one, 2:], boxes[other, 2:])
            around = int(row1 - row0) * int(col1 - col0)
            found.append(1 - (around - both) / total)
        return sum(found) / len(found)

    return similar


def felzenszwalb(
    levels: np.ndarray, scale: float, *, min_size: int, sigma: float = SIGMA
) -> np.ndarray:
    """Felzenszwalb and Huttenlocher's segmentation, of OpenCV.

    Args:
        levels: uint8 [H, W, channels], 1 or 3 channels.
        scale: Their k, of levels 0 to 255: larger, and regions are.
        min_size: Least pixels of a region.
        sigma: Of the smoothing before it, pixels.

    Returns:
        int32 [H, W], 0 to R - 1, none empty.

    Raises:
        ImportError: If OpenCV is not there.
    """
    segmentation = opencv.load_for_masks().ximgproc.segmentation
    graph = segmentation.createGraphSegmentation(sigma, float(scale), int(min_size))
    found = graph.processImage(np.ascontiguousarray(levels))
    _, regions = np.unique(found, return_inverse=True)
    return regions.reshape(levels.shape[:2]).astype(np.int32)


def in_space(image: np.ndarray, space: str) -> np.ndarray:
    """An image in a colour space, all channels spread over 0 to 255.

    Args:
        image: uint8 RGB [H, W, 3].
        space: Of `SPACES`: "hue" is that of HSV alone; "rgi" the shares of red and
            green, and intensity.

    Returns:
        uint8 [H, W, 3], or 1 channel of "grey" and "hue".

    Raises:
        ImportError: If OpenCV is not there.
    """
    cv2, image = opencv.load_for_masks(), np.ascontiguousarray(image)
    if space in ("hsv", "hue"):
        found = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
        return found[..., :1] if space == "hue" else found
    if space == "lab":
        return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    if space == "grey":
        return grey
    if space == "rgi":
        total = np.maximum(image.sum(axis=-1, dtype=np.float32, keepdims=True), 1)
        shares = np.round(255 * image[..., :2] / total).astype(np.uint8)
        return np.concatenate([shares, grey], axis=-1)
    return image


def describe(levels: np.ndarray, regions: np.ndarray) -> Regions:
    """Areas, boxes, and histograms of colour and texture.

    Args:
        levels: uint8 [H, W, channels].
        regions: Integer [H, W], 0 to R - 1, none empty.
    """
    count = int(regions.max()) + 1
    channels = np.moveaxis(levels.astype(np.float32), -1, 0)
    colour = [_counts(c, regions, COLOUR_BINS, (0, _MOST_LEVEL)) for c in channels]
    texture = [
        _counts(each, regions, TEXTURE_BINS, (float(each.min()), float(each.max())))
        for c in channels
        for each in _derivatives(c)
    ]
    joined = {
        "colour": np.concatenate(colour, 1),
        "texture": np.concatenate(texture, 1),
    }
    return Regions(
        np.bincount(regions.ravel(), minlength=count),
        masks.region_boxes(regions),
        {name: rows / rows.sum(axis=1, keepdims=True) for name, rows in joined.items()},
    )


def _counts(
    values: np.ndarray, regions: np.ndarray, bins: int, span: tuple[float, float]
) -> np.ndarray:
    """How many pixels of each region fall into each bin, float64 [R, bins]."""
    low, high = span
    width = max(high - low, np.finfo(np.float32).tiny)
    places = np.minimum((values - low) / width * bins, bins - 1).astype(np.int64)
    joint = regions.astype(np.int64) * bins + places
    count = int(regions.max()) + 1
    found = np.bincount(joint.ravel(), minlength=count * bins)
    return found.reshape(count, bins).astype(np.float64)


def _derivatives(channel: np.ndarray) -> list[np.ndarray]:
    """Eight maps: Scharr's derivatives along both axes and diagonals, each sign."""
    turned = np.array([[0, 3, 10], [-3, 0, 3], [-10, -3, 0]], np.float32)
    straight = np.array([[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]], np.float32)
    kernels = (straight, straight.T, turned, turned[::-1])
    along = [ndimage.correlate(channel, k, mode="nearest") for k in kernels]
    return [np.maximum(sign * each, 0) for each in along for sign in (1, -1)]


def neighbours(regions: np.ndarray) -> np.ndarray:
    """Which regions touch, by a side or a corner.

    Args:
        regions: Integer [H, W].

    Returns:
        Pairs (lower, higher), int64 [P, 2], each once.
    """
    beside = (
        (regions[:, 1:], regions[:, :-1]),
        (regions[1:], regions[:-1]),
        (regions[1:, 1:], regions[:-1, :-1]),
        (regions[1:, :-1], regions[:-1, 1:]),
    )
    pairs = [np.stack([a.ravel(), b.ravel()], axis=1) for a, b in beside]
    found = np.sort(np.concatenate(pairs).astype(np.int64), axis=1)
    return np.unique(found[found[:, 0] != found[:, 1]], axis=0)


def _check_image(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"segments: an image of shape {image.shape}; expected RGB, [H, W, 3]."
        )
    if image.dtype != np.uint8:
        raise TypeError(f"segments: the image is {image.dtype}; expected uint8.")


def _check_options(
    num: int,
    min_side: int,
    spaces: Sequence[str],
    scales: Sequence[int],
    strategies: Sequence[str],
) -> None:
    if num < 1 or min_side < 1 or not scales or min(scales) < 1:
        raise ValueError(
            f"segments: num={num}, min_side={min_side}, scales={tuple(scales)}; "
            f"expected at least 1 of each (masks, pixels, the k of segmentations)."
        )
    parts = list(itertools.chain.from_iterable(s.split("+") for s in strategies))
    for given, known, what in (
        (list(spaces), SPACES, "colour space"),
        (parts, SIMILARITIES, "similarity"),
    ):
        unknown = [name for name in given if name not in known]
        if unknown or not given:
            raise ValueError(
                f"segments: {what} {unknown[0] if unknown else ''!r} is not known; "
                f"there are {', '.join(known)}."
            )
