"""A source whose masks are taken away: what is left of them are weak labels.

References:
    Papandreou, Chen, Murphy and Yuille 2015, arXiv:1502.02734, sec. 4.1: weak labels
    are derived from the masks of VOC and SBD.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from fcn_jax.data import checks, fingerprints
from fcn_jax.data.contracts import Head, Item, Source, heads_of, to_rgb
from fcn_jax.data.fingerprints import FileDigests, Fingerprint
from fcn_jax.data.order import Shares
from fcn_jax.data.weak import boxes as weak_boxes
from fcn_jax.data.weak import image_labels, planes

IMAGE_LABELS, CROP_LABELS = "image_labels", "crop_labels"
BOXES, SEGMENTS = "boxes", "box_segments"
SUPERVISIONS = (IMAGE_LABELS, CROP_LABELS, BOXES, SEGMENTS)
# Image uint8 [H, W, 3], boxes int32 [K, 5] and the image's name -> labels uint8 [H, W].
Segmenter: TypeAlias = Callable[[np.ndarray, np.ndarray, str], np.ndarray]
# Item and name -> its boxes, int32 [K, 5].
BoxesOf: TypeAlias = Callable[[Item, str], np.ndarray]


class WeakLabels:
    """A source of which some images have masks, and the others weak labels.

    Everything but the items is that of the source. Those with weak labels have no
    `objects`, but `allowed` (`fcn_jax.data.weak.planes`) and `labels` as follows.

    - "image_labels": the classes of the image are known; labels are void.
    - "crop_labels": the classes of what is seen of it; labels are void.
    - "boxes": tight boxes of its objects; labels are Bbox-Rect's, rectangles with the
      smallest on top.
    - "box_segments": the same; labels are what `segment` makes of image and boxes.

    Args:
        source: With masks, and one head, whose class 0 is the background.
        supervision: Of `SUPERVISIONS`.
        strong: Which images keep their masks, bool [N]; None: none of them.
        strong_share: What of every batch those are; 0: as they come.
        boxes_of: Of an item; None: those of its objects.
        segment: Makes labels of boxes; "box_segments" needs it.

    Attributes:
        strong: Which images keep their masks, bool [N].
        shares: Of a batch; None: images come as they do.

    Raises:
        ValueError: If the supervision is not known or has no `segment`, the source has
            no background, or `strong` and its share do not fit.
    """

    def __init__(
        self,
        source: Source,
        supervision: str,
        *,
        strong: np.ndarray | None = None,
        strong_share: float = 0.0,
        boxes_of: BoxesOf | None = None,
        segment: Segmenter | None = None,
    ):
        self._source, self._supervision = source, supervision
        self.name, self.split = source.name, source.split
        self.channels = getattr(source, "channels", "rgb")
        self.heads = heads_of(source)
        if supervision not in SUPERVISIONS:
            raise ValueError(
                f"supervision {supervision!r} is not known; use one of "
                f"{', '.join(SUPERVISIONS)}."
            )
        if supervision == SEGMENTS and segment is None:
            raise ValueError(
                f"supervision {supervision!r} needs what makes labels of boxes; pass "
                f"segment, such as training.box_segments.BoxSegments."
            )
        self._head = with_background(source)
        self.strong = strong_of(source, strong, strong_share)
        self.shares = Shares(self.strong, strong_share) if strong_share else None
        self._boxes_of, self._segment = boxes_of or self._tight, segment

    def __getattr__(self, name: str) -> object:
        if name == "_source":  # Of one that is being copied.
            raise AttributeError(name)
        return getattr(self._source, name)

    def __len__(self) -> int:
        return len(self._source)

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]."""
        return self._source.image_sizes()

    def fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """That of the source, and which images keep their masks.

        The masks of objects count where boxes follow from them.

        Args:
            digests: Of files, where some are known; None: all are read.
        """
        kept = digest_of(self._supervision, self.strong)
        boxes = self._supervision in (BOXES, SEGMENTS)
        look = fingerprints.with_objects if boxes else fingerprints.of
        return {**look(self._source, digests), "weak labels": kept}

    def __getitem__(self, index: int) -> Item:
        item, head = self._source[index], self._head
        labels, where = item["labels"], f"{self.name} {self.split}: {item['id']}"
        checks.check_labels(labels, head.num_classes, head.ignore_label, where)
        kept = {name: x for name, x in item.items() if name != "objects"}
        if self.strong[index]:
            none = np.zeros((*labels.shape, head.num_classes), bool)
            return {**kept, planes.PLANES: planes.pack(none, False)}
        held = image_labels.classes_of(labels, head.num_classes, head.ignore_label)
        if not held.any():
            raise ValueError(
                f"{where}: all pixels are void, so that no weak label follows from its "
                f"mask; take the image off the list."
            )
        found, allowed = self._weak(item, held, where)
        return {**kept, "labels": found, planes.PLANES: planes.pack(allowed)}

    def _weak(
        self, item: Item, held: np.ndarray, where: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels of an image, uint8 [H, W], and what its pixels may be, [H, W, C]."""
        labels, head = item["labels"], self._head
        void = np.full_like(labels, head.ignore_label)
        count, size = head.num_classes, (labels.shape[0], labels.shape[1])
        if self._supervision == IMAGE_LABELS:
            return void, image_labels.everywhere(held, size)
        if self._supervision == CROP_LABELS:
            known = image_labels.where_they_are(labels, count, head.ignore_label)
            return void, known
        boxes = self._boxes_of(item, where)
        weak_boxes.check_boxes(boxes, size, count, where)
        if not len(boxes) and held[1:].any():
            raise ValueError(
                f"{where}: the masks hold objects, and there is no box, which would "
                f"say that all is background; lower the least area of an object, or "
                f"take the image off the list."
            )
        allowed = weak_boxes.covering(boxes, size, count)
        if self._supervision == BOXES:
            return weak_boxes.rectangles(boxes, size), allowed
        assert self._segment is not None  # Checked when this was made.
        return self._segment(to_rgb(item["image"]), boxes, item["id"]), allowed

    def _tight(self, item: Item, where: str) -> np.ndarray:
        head = self._head
        return weak_boxes.boxes_of(
            item, head.classes, where, ignore_label=head.ignore_label
        )


def digest_of(supervision: str, strong: np.ndarray) -> str:
    """Digits of what is known of the images.

    Args:
        supervision: Of those with weak labels.
        strong: Which have masks, bool [N].
    """
    return fingerprints.digits([supervision, np.packbits(strong).tobytes().hex()])


def with_background(source: Source) -> Head:
    """The one head of a source, whose class 0 is the background.

    Raises:
        ValueError: If it has several, or its class 0 is no background.
    """
    heads = heads_of(source)
    first = next(iter(heads[0].classes), "")
    if len(heads) != 1 or first != "background":
        what = f"{len(heads)} heads" if len(heads) != 1 else f"{first!r} as class 0"
        raise ValueError(
            f"weak labels tell objects from the background, and {source.name} has "
            f"{what}; they need one labelling whose class 0 is 'background', as VOC's."
        )
    return heads[0]


def strong_of(
    source: Source, strong: np.ndarray | None, strong_share: float
) -> np.ndarray:
    """Which images keep their masks, bool [N], once that fits the source.

    Args:
        source: Of N images.
        strong: What is asked for; None: none do.
        strong_share: What of every batch they are; 0: as they come.

    Raises:
        ValueError: If there is not one entry an image, or the share does not fit.
    """
    found = np.zeros(len(source), bool) if strong is None else np.asarray(strong)
    if found.shape != (len(source),) or found.dtype != bool:
        raise ValueError(
            f"strong is {found.dtype} {found.shape}; expected whether each of the "
            f"{len(source)} images of {source.name} {source.split} keeps its mask, "
            f"bool [{len(source)}]."
        )
    if not 0 <= strong_share < 1:
        raise ValueError(
            f"strong_share={strong_share} is no share of a batch; give one from 0 (as "
            f"they come) to below 1."
        )
    if strong_share and not 0 < found.sum() < len(found):
        raise ValueError(
            f"strong_share={strong_share:g} mixes images with masks and without in "
            f"every batch, and {found.sum()} of the {len(found)} images of "
            f"{source.name} {source.split} have masks; set config.data.strong_split "
            f"or config.data.strong_images, or leave it 0."
        )
    return found
