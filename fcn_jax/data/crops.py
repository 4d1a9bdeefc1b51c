"""The examples of DeconvNet's two training stages, cut from any source.

Stage 1 sees single objects, stage 2 proposals: crops of one size, made when they are
asked for; on disk there is at most an index of them.

References:
    Noh et al. 2015, sec. 4.2 and 5.1; the data layers of HyeonwooNoh/caffe
    (image_seg_data_layer.cpp, window_seg_data_layer.cpp). How many copies the rarer
    classes get, and the least overlap of a proposal, are not published.
"""

import abc
import functools
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fcn_jax.data import boxes, fingerprints, objects, transforms
from fcn_jax.data.contracts import Head, Item, OneHead, Source, channels_in, heads_of
from fcn_jax.data.fingerprints import FileDigests, Fingerprint
from fcn_jax.storage import array_cache

_DIGESTS = "mask_digests.json"  # Beside an index: of files whose content it tells.


def repeats(labels: np.ndarray, balance: int) -> np.ndarray:
    """How often each example appears, so that rare classes are seen more often.

    An example of class c appears round(n_max / n_c) times, at most `balance`; n_c are
    the examples of the class, n_max those of the most frequent one. Halves round up.

    Args:
        labels: Class of each example, integer [N].
        balance: The cap; 1: every example once.

    Returns:
        int64 [N].
    """
    counts = np.bincount(labels)
    times = np.floor(counts.max() / np.maximum(counts, 1) + 0.5).astype(np.int64)
    return np.minimum(times, balance)[labels]


class Examples(OneHead, abc.ABC):
    """What is found in the images of a source, one of it an example; a source too.

    Subclasses say what there is (`_entries`) and what an example is.

    Args:
        base: Of the whole images.
        min_area: See `objects.find_objects`.
        tolerance: See `objects.find_objects`.
        balance: See `repeats`.
        cache_dir: Where the index is kept; None: nowhere.
        key: What the index depends on beside these.

    Raises:
        ValueError: If `balance` is not positive, or nothing is found.
    """

    kind: str  # What is found: "objects", "proposals", "regions".
    hint: str  # What to do if there are none.

    def __init__(
        self,
        base: Source,
        *,
        min_area: int,
        tolerance: float,
        balance: int,
        cache_dir: str | Path | None,
        key: tuple[object, ...] = (),
    ):
        if balance < 1:
            raise ValueError(f"balance={balance}: examples appear at least once.")
        self.name, self.split = f"{base.name} ({self.kind})", base.split
        self.channels = getattr(base, "channels", "rgb")
        head = _one_head(base)
        self.classes, self.palette = head.classes, head.palette
        self.ignore_label = head.ignore_label
        self._base = base
        options = {"min_area": min_area, "tolerance": tolerance}
        self._find = functools.partial(
            objects.find_objects, ignore_label=head.ignore_label, **options
        )
        entries = self._index(cache_dir, (options, *key))
        if not len(entries):
            raise ValueError(
                f"{self.name} {self.split}: no {self.kind} found in {len(base)} "
                f"images; {self.hint}."
            )
        times = repeats(entries[:, 2], balance)
        self.index = np.repeat(entries, times, axis=0)  # [N, 7]

    def _index(self, cache_dir: str | Path | None, key: tuple[object, ...]):
        """Every example once, int32 [N, 7]; searched for where it is not kept."""

        def search():
            log, start = logging.getLogger(__name__), time.perf_counter()
            log.warning(
                "looking for the %s of %s %s, %d images ...",
                self.kind,
                self._base.name,
                self.split,
                len(self._base),
            )
            entries = np.concatenate(
                [self._entries_of(number) for number in range(len(self._base))]
            )
            log.warning(
                "found %d %s in %.0f s",
                len(entries),
                self.kind,
                time.perf_counter() - start,
            )
            return {"entries": entries}

        if not cache_dir:
            return search()["entries"]
        folder = Path(cache_dir).expanduser()
        digests = FileDigests(folder / _DIGESTS)
        name = array_cache.digest(self.kind, *key, *_content(self._base, digests))
        path = folder / f"{self.kind}-{name}.npz"
        known = path.exists()  # One that is there is taken from where none is written.
        entries = array_cache.cached(path, search)["entries"]
        if not known:
            digests.save()
        return entries

    @abc.abstractmethod
    def _entries(self, item: Item, where: str) -> np.ndarray:
        """The boxes of an image: (thing, label, row0, col0, row1, col1), [M, 6]."""

    def _entries_of(self, number: int):
        item = self._base[number]
        where = f"{self._base.name} {self._base.split}: {item['id']}"
        entries = self._entries(item, where)
        return np.insert(entries, 0, number, axis=1)

    def _row(self, place: int) -> list[int]:
        """The entry of an example.

        Raises:
            IndexError: If there is none.
        """
        if not 0 <= place < len(self):
            raise IndexError(
                f"{self.name} {self.split}: no example {place}; there are "
                f"{len(self)}, from 0 on."
            )
        return [int(n) for n in self.index[place]]

    def __len__(self) -> int:
        return len(self.index)

    def fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """That of the whole images, and of their objects.

        Args:
            digests: Of files, where some are known; None: all are read.
        """
        return fingerprints.with_objects(self._base, digests)

    @abc.abstractmethod
    def __getitem__(self, place: int) -> Item:
        """An example.

        Args:
            place: From 0 on.
        """


class _Crops(Examples):
    """Crops of a source, all of one size.

    What the two stages share: subclasses say which boxes there are (`_entries`) and
    what their labels are (`_labels`).
    """

    def __init__(
        self,
        base: Source,
        *,
        extension: float,
        size: int,
        min_area: int,
        tolerance: float,
        balance: int,
        cache_dir: str | Path | None,
        key: tuple[object, ...] = (),
    ):
        if size < 1 or balance < 1:
            raise ValueError(
                f"size={size}, balance={balance}: crops have at least a pixel, and "
                f"appear at least once."
            )
        self._extension, self._size = extension, size
        boxes.extend(np.zeros((0, 4), np.int32), extension)  # Raises on a wrong one.
        super().__init__(
            base,
            min_area=min_area,
            tolerance=tolerance,
            balance=balance,
            cache_dir=cache_dir,
            key=key,
        )

    @abc.abstractmethod
    def _labels(self, item: Item, thing: int, label: int) -> np.ndarray:
        """The labels of a crop of an image, uint8 [H, W]."""

    def __getitem__(self, place: int) -> Item:
        number, thing, label, *box = self._row(place)
        item = self._base[number]
        labels = self._labels(item, thing, label)
        around = boxes.extend(np.array(box), self._extension)
        image, labels = boxes.cut(item["image"], labels, around, self.ignore_label)
        size, channels = (self._size, self._size), channels_in(self)
        image, labels = transforms.resize(image, labels, size, channels=channels)
        corners = "_".join(str(n) for n in box)
        return {"image": image, "labels": labels, "id": f"{item['id']}_{corners}"}

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]: all are `size`."""
        return np.full((len(self), 2), self._size, np.int32)


class ObjectCrops(_Crops):
    """Stage 1: every annotated object by itself, all else background.

    The object's tight box is extended about its centre and cut out (beyond the image:
    black, void). Only this object keeps its class; other pixels are background, void
    ones stay void.

    Args:
        base: A source; objects are those of its object masks or, where there are none,
            connected parts of a class. Class 0 is background.
        extension: Factor on the sides of the box.
        size: Height and width of an example, pixels: the crop is resized, whatever its
            aspect.
        min_area: See `objects.find_objects`.
        tolerance: See `objects.find_objects`.
        balance: See `repeats`.
        cache_dir: Where the index is kept, under a name that tells the source and what
            it depends on, the content of masks too; None: nowhere.

    Attributes:
        index: int32 [N, 7]: image, object, class, and tight box of each example.

    Raises:
        ValueError: As `objects.find_objects`; if a parameter is out of range, or no
            object is found.
    """

    kind = "objects"
    hint = "lower min_area, or check the masks"

    def __init__(
        self,
        base: Source,
        *,
        extension: float = 1.2,
        size: int = 250,
        min_area: int = 100,
        tolerance: float = 0.1,
        balance: int = 10,
        cache_dir: str | Path | None = None,
    ):
        super().__init__(
            base,
            extension=extension,
            size=size,
            min_area=min_area,
            tolerance=tolerance,
            balance=balance,
            cache_dir=cache_dir,
        )

    def _entries(self, item: Item, where: str):
        return self._find(item, self.classes, where)

    def _labels(self, item: Item, thing: int, label: int):
        labels = item["labels"]
        own = (objects.object_map(item, self.ignore_label) == thing) & (labels == label)
        kept = own | (labels == self.ignore_label)
        return np.where(kept, labels, np.uint8(objects.BACKGROUND))


class ProposalCrops(_Crops):
    """Stage 2: proposals that overlap an object; all classes keep their labels.

    Args:
        base: A source, as for `ObjectCrops`.
        boxes_of: Item -> its proposals (row0, col0, row1, col1), integer [M, 4].
        min_iou: Least intersection over union of a proposal with the tight box of an
            object, in (0, 1]. The object of the greatest is its own, and gives the
            example its class where classes are balanced.
        extension: As for `ObjectCrops`; it comes after the overlap is measured.
        size: As for `ObjectCrops`; 224 with a crop of 224 is what the released code
            does, 250 what the paper says.
        min_area: See `objects.find_objects`.
        tolerance: See `objects.find_objects`.
        balance: See `repeats`.
        cache_dir: As for `ObjectCrops`.
        boxes_name: What makes these proposals differ from others, such as the method;
            the name of the kept index depends on it.

    Attributes:
        index: int32 [N, 7]: image, object, class, and the proposal of each example.

    Raises:
        TypeError: If proposals are not integers.
        ValueError: As `ObjectCrops`; if a proposal leaves its image or has no area,
            naming it; or if `cache_dir` comes without `boxes_name`.
    """

    kind = "proposals"
    hint = "lower min_iou, or take more proposals"

    def __init__(
        self,
        base: Source,
        boxes_of: Callable[[Item], np.ndarray],
        *,
        min_iou: float = 0.5,
        extension: float = 1.2,
        size: int = 250,
        min_area: int = 100,
        tolerance: float = 0.1,
        balance: int = 10,
        cache_dir: str | Path | None = None,
        boxes_name: str = "",
    ):
        if not 0 < min_iou <= 1:
            raise ValueError(f"min_iou={min_iou} is not in (0, 1].")
        if cache_dir and not boxes_name:
            raise ValueError(
                f"cache_dir={str(cache_dir)!r} without boxes_name: an index made from "
                f"other proposals could not be told apart; name them."
            )
        self._boxes_of, self._min_iou = boxes_of, min_iou
        super().__init__(
            base,
            extension=extension,
            size=size,
            min_area=min_area,
            tolerance=tolerance,
            balance=balance,
            cache_dir=cache_dir,
            key=(min_iou, boxes_name),
        )

    def _entries(self, item: Item, where: str):
        found = self._find(item, self.classes, where)
        proposed = np.asarray(self._boxes_of(item))
        boxes.check_boxes(proposed, item["labels"].shape, where)
        if not len(found):
            return np.zeros((0, 6), np.int32)
        overlaps = boxes.iou(proposed, found[:, 2:])  # [M, K]
        enough = overlaps.max(axis=1) >= self._min_iou
        own = found[overlaps[enough].argmax(axis=1), :2]
        return np.concatenate([own, proposed[enough]], axis=1).astype(np.int32)

    def _labels(self, item: Item, thing: int, label: int):
        del thing, label
        return item["labels"]


def _one_head(source: Source) -> Head:
    """The head of a source; objects are not defined where there are several.

    Raises:
        ValueError: If there are several.
    """
    heads = heads_of(source)
    if len(heads) != 1:
        raise ValueError(
            f"{source.name} has the heads {', '.join(head.name for head in heads)}; "
            f"objects can be cut out of sources with one."
        )
    return heads[0]


def _content(base: Source, digests: FileDigests) -> list[object]:
    """What tells a source from others, and from itself with other masks.

    Some sources say nothing of the content of their masks: of three it counts.
    """
    void = _one_head(base).ignore_label
    parts: list[object] = [base.name, base.split, len(base), base.image_sizes()]
    parts.append(fingerprints.with_objects(base, digests))
    for number in sorted({0, len(base) // 2, len(base) - 1}):
        item = base[number]
        parts += [item["id"], item["labels"], objects.object_map(item, void)]
    return parts
