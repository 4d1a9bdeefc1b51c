"""BoxSup's training images: boxes for masks, and a mask estimated for each box.

What makes it that system (Dai, He and Sun 2015, arXiv:1503.01640, sec. 4): a pool of
candidate masks of each image that never changes (MCG's 2,000), one of which stands for
each box, by `fcn_jax.data.weak.assignment`; the masks are estimated again by the net as
it is before each epoch, and the net learns from them as from any others. The paper's
sec. 4.3 mixes in images whose masks are drawn; these keep them.
"""

import base64
import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from fcn_jax.data import fingerprints, objects
from fcn_jax.data.contracts import Item, OneHead, Source, channels_in, to_rgb
from fcn_jax.data.fingerprints import FileDigests, Fingerprint
from fcn_jax.data.order import Shares
from fcn_jax.data.weak import assignment
from fcn_jax.data.weak import boxes as weak_boxes
from fcn_jax.data.weak import source as weak_source
from fcn_jax.data.weak.assignment import Rule
from fcn_jax.data.weak.source import BoxesOf
from fcn_jax.proposals.candidates import Candidates
from fcn_jax.proposals.pools import Pools

BOXSUP = "boxsup"
# Image, uint8 RGB [H, W, 3], its id, and boxes, int32 [K, 4]: its candidate masks.
PoolOf: TypeAlias = Callable[[np.ndarray, str, np.ndarray], Candidates]


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
    """The masks of an image's boxes, for an epoch.

    Attributes:
        picks: The candidate of each box, int64 [K], in the completed pool.
        labels: The label map that they make, uint8 [H, W], as `zipped` has it.
        rectangles: How many boxes no candidate overlaps; theirs is the rectangle.
        iou: Mean IoU of the boxes with the tight boxes of their masks; 0 without boxes.
    """

    picks: np.ndarray
    labels: bytes
    rectangles: int
    iou: float


class BoxSupSource(OneHead):
    """A source whose label maps are estimated from boxes.

    Until masks are assigned an image's labels are its boxes, filled (Bbox-Rect).

    Args:
        base: A source with object masks, whose tight boxes are all that is used of
            them; without, objects are connected parts of a class. It has one head,
            class 0 of which is background.
        candidates_of: The candidate masks of an image, the same each time.
        boxes_of: Of an item, and where it is from: int32 [K, 5], largest first; None:
            those of its objects.
        candidates: Digits that differ where pools are made otherwise.
        rule: How one is chosen for a box.
        strong: Which images keep their masks, bool [N]; None: none of them.
        strong_share: What of every batch those are; 0: as they come.
        seed: Of the draws.

    Attributes:
        strong: Which images keep their masks, bool [N].
        weak: Places of the others, whose masks are estimated, ascending.
        shares: Of a batch; None: images come as they do.

    Raises:
        ValueError: If the source has several heads, or no background, or `strong` does
            not fit it, or all images keep their masks.
    """

    def __init__(
        self,
        base: Source,
        candidates_of: PoolOf,
        *,
        candidates: str = "",
        rule: Rule,
        boxes_of: BoxesOf | None = None,
        strong: np.ndarray | None = None,
        strong_share: float = 0.0,
        seed: int = 0,
    ):
        head = weak_source.with_background(base)
        self.name, self.split = f"{base.name} (BoxSup)", base.split
        self.channels = channels_in(base).letters
        self.classes, self.palette = head.classes, head.palette
        self.ignore_label = head.ignore_label
        self.base, self.candidates, self.rule, self.seed = base, candidates, rule, seed
        self.candidates_of, self._boxes_of = candidates_of, boxes_of or self._tight
        self.strong = weak_source.strong_of(base, strong, strong_share)
        self.shares = Shares(self.strong, strong_share) if strong_share else None
        self.weak = _weak_places(base, self.strong)
        self._picks: Mapping[int, np.ndarray] = {}
        self._labels: Mapping[int, bytes] = {}

    def __getattr__(self, name: str) -> object:
        if name == "base":  # Of one that is being copied.
            raise AttributeError(name)
        return getattr(self.base, name)

    def __len__(self) -> int:
        return len(self.base)

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]."""
        return self.base.image_sizes()

    def fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """That of images, masks and objects below, and which of these are kept.

        Args:
            digests: Of files, where some are known; None: all are read.
        """
        kept = weak_source.digest_of(BOXSUP, self.strong)
        return {**fingerprints.with_objects(self.base, digests), "weak labels": kept}

    def assign(
        self,
        picks: Mapping[int, np.ndarray],
        labels: Mapping[int, bytes] | None = None,
    ) -> None:
        """Have images the masks of these candidates from now on; others rectangles.

        Batches that were begun before may still hold the masks of before.

        Args:
            picks: The candidates of the boxes, integer [K], by place.
            labels: What they make of images, as of `Choice`; of those that are not
                among them it is made when it is asked for.
        """
        self._picks, self._labels = dict(picks), dict(labels or {})

    def boxes(self, item: Item) -> np.ndarray:
        """The boxes of an item of `base`: int32 [K, 5], largest first.

        An image whose mask is background has none, and is background.

        Raises:
            ValueError: If masks and objects do not fit, a box leaves its image, or
                there is none and the mask holds objects.
        """
        where, labels = self.where(item), item["labels"]
        found = self._boxes_of(item, where)
        weak_boxes.check_boxes(found, labels.shape, len(self.classes), where)
        void = labels == self.ignore_label
        if not len(found) and ((labels != objects.BACKGROUND) & ~void).any():
            raise ValueError(
                f"{where}: the mask holds objects, and there is no box, which would "
                f"say that all is background; correct its object mask, or take the "
                f"image off the list."
            )
        return found

    def _tight(self, item: Item, where: str) -> np.ndarray:
        return weak_boxes.boxes_of(
            item, self.classes, where, ignore_label=self.ignore_label
        )

    def where(self, item: Item) -> str:
        """Which image an item of `base` is, for messages."""
        return f"{self.base.name} {self.base.split}: {item['id']}"

    def __getitem__(self, place: int) -> Item:
        item = self.base[place]
        if self.strong[place]:
            return item
        size = item["image"].shape[:2]
        if place in self._labels:
            labels = unzipped(self._labels[place], size)
        elif place in self._picks:
            labels = labels_of(self, item, self._picks[place])
        else:
            labels = weak_boxes.rectangles(self.boxes(item), size)
        return {"image": item["image"], "labels": labels, "id": item["id"]}


def pool_of(
    source: BoxSupSource, item: Item, boxes: np.ndarray
) -> tuple[Candidates, np.ndarray]:
    """The candidates of an item of a source's `base`, with rectangles for some boxes.

    Args:
        source: Of the item.
        item: The item.
        boxes: Its boxes, int32 [K, 5].

    Returns:
        They, and which boxes have a rectangle since no candidate overlaps them,
        bool [K].

    Raises:
        ValueError: If candidates are of another size than the image.
    """
    size = item["image"].shape[:2]
    found = source.candidates_of(to_rgb(item["image"]), item["id"], boxes[:, 1:])
    if found.regions.shape != size:
        raise ValueError(
            f"{source.where(item)}: the image is {size} and its candidates are "
            f"{found.regions.shape}, [H, W]; these are of another image."
        )
    return assignment.completed(found, boxes, source.rule.min_iou)


def labels_of(source: BoxSupSource, item: Item, picks: np.ndarray) -> np.ndarray:
    """The label map that candidates make of an item of a source's `base`.

    Args:
        source: Of the item.
        item: The item.
        picks: The candidates of its boxes, integer [K].

    Returns:
        uint8 [H, W].

    Raises:
        ValueError: If they are of other boxes or candidates than the item has.
    """
    boxes = source.boxes(item)
    if not len(boxes):
        return np.zeros(item["image"].shape[:2], np.uint8)
    return assignment.painted(pool_of(source, item, boxes)[0], boxes, picks)


def _weak_places(source: Source, strong: np.ndarray) -> list[int]:
    """The images that do not keep their masks.

    Raises:
        ValueError: If all do.
    """
    if strong.all():
        raise ValueError(
            f"all {len(source)} images of {source.name} {source.split} keep their "
            f"masks, and BoxSup estimates those of the others; leave it out."
        )
    return np.flatnonzero(~strong).tolist()


def choose(
    source: BoxSupSource, place: int, log_probs: np.ndarray | None, epoch: int
) -> Choice:
    """Choose the masks of an image for an epoch; nothing of the source changes.

    Args:
        source: Of the image.
        place: One of its `weak`.
        log_probs: Of its pixels, float [H, W, C]; None: there is no net yet.
        epoch: Counted from 0; with the seed and the place it decides the draw.

    Raises:
        ValueError: As `pool_of` and `assignment.costs`.
    """
    item = source.base[place]
    boxes = source.boxes(item)
    if not len(boxes):
        none = np.zeros(item["image"].shape[:2], np.uint8)
        return Choice(np.zeros(0, np.int64), zipped(none), 0, 0.0)
    pool, alone = pool_of(source, item, boxes)
    rng = np.random.default_rng([source.seed, epoch, place])
    found = assignment.costs(pool, boxes, log_probs, source.rule)
    picks = assignment.draw(found, source.rule.k, rng)
    iou = np.take_along_axis(assignment.overlaps(pool, boxes), picks[:, None], axis=1)
    labels = zipped(assignment.painted(pool, boxes, picks))
    return Choice(picks, labels, int(alone.sum()), float(iou.mean()))


def zipped(labels: np.ndarray) -> bytes:
    """A label map, uint8 [H, W], in a hundredth of the room."""
    return zlib.compress(labels.tobytes(), level=1)


def unzipped(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """Undo `zipped`.

    Args:
        data: What it made.
        size: Height and width.

    Returns:
        uint8 [H, W].
    """
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(size).copy()


class OfBoxes:
    """The candidates of a source's images, as `proposals.cache.precompute` fills them.

    Args:
        source: Whose boxes count.
        pools: That are filled.
    """

    def __init__(self, source: BoxSupSource, pools: Pools):
        self._source, self._pools = source, pools
        self.method, self.directory = pools.method, pools.directory

    def count(self, item: Item) -> int:
        """How many candidates an item of the source's `base` has; 0 without boxes."""
        boxes = self._source.boxes(item)
        if not len(boxes):
            return 0
        return len(self._pools(to_rgb(item["image"]), item["id"], boxes[:, 1:]))


def packed(picks: Mapping[int, np.ndarray]) -> str:
    """Choices of many images as a text, for a checkpoint.

    Args:
        picks: Candidates of the boxes, integer [K], by place.
    """
    row = [
        n for place in sorted(picks) for n in (place, len(picks[place]), *picks[place])
    ]
    return base64.b85encode(zlib.compress(np.array(row, "<i4").tobytes())).decode()


def unpacked(text: str) -> dict[int, np.ndarray]:
    """Undo `packed`.

    Raises:
        ValueError: If the text is none of `packed`.
    """
    try:
        row = np.frombuffer(zlib.decompress(base64.b85decode(text)), "<i4")
    except (ValueError, zlib.error) as error:
        raise ValueError(
            f"no choice of masks ({error}): the text is damaged."
        ) from error
    found: dict[int, np.ndarray] = {}
    at = 0
    while at < len(row):
        place, count = int(row[at]), int(row[at + 1])
        found[place] = row[at + 2 : at + 2 + count].astype(np.int64)
        at += 2 + count
    return found
