"""Looks at a data set before training: what is wrong with it, and what is in it.

Every image and mask is read to its end. A file that cannot be read is a finding like
others; the examination goes on. Folders are looked at by `doctor_folder`, what is
opened as a source by `doctor_source`.
"""

import concurrent.futures
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from fcn_jax.data import checks, frequencies
from fcn_jax.data.contracts import Head
from fcn_jax.data.doctor_findings import HINT, STOPS, Finding, Findings
from fcn_jax.data.doctor_seen import Seen
from fcn_jax.data.frequencies import Frequencies
from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.data.sources import voc_folder

# Makes a progress bar of what is iterated over; the number is how many come.
Track: TypeAlias = Callable[[Iterable[Seen], int], Iterable[Seen]]
_MOST_SIZES = 8  # That a report lists.


class Patient(Protocol):
    """A data set that can be looked at, image by image.

    Attributes:
        name: Of the data set.
        train: Name of the split that is trained on.
        scored: Name of the split that is scored.
        ids: Of the images of each split.
        classes: Names, in the order of the labels; () where they cannot be told.
        palette: Colour of every label, uint8 RGB [256, 3].
        ignore_label: The label of void.
        notes: What a user should know of how it was read, a sentence each.
        may_be_absent: Classes that are known not to be in what is scored.
        head: Name of the head whose classes these are; "": there is one.
        others: Heads beside it.
    """

    name: str
    train: str
    scored: str
    ids: dict[str, tuple[str, ...]]
    classes: tuple[str, ...]
    palette: np.ndarray
    ignore_label: int
    notes: list[str]
    may_be_absent: tuple[str, ...]
    head: str
    others: tuple[Head, ...]

    def look(self, split: str, index: int) -> Seen:
        """Look at an image and its mask; what is wrong is noted, and never raised.

        Args:
            split: Where it is listed.
            index: Its place there.
        """
        ...

    def digest(self, split: str, index: int) -> bytes:
        """A hash of all pixels of an image.

        Args:
            split: Where it is listed.
            index: Its place there.
        """
        ...

    def picture(self, split: str, index: int) -> tuple[np.ndarray, np.ndarray]:
        """An image, uint8 RGB [H, W, 3], and its labels, uint8 [H, W], to be shown.

        Args:
            split: Where it is listed.
            index: Its place there.
        """
        ...

    def check_all(self, found: Findings, good: set[tuple[str, int]]) -> None:
        """Look at what masks are only together.

        Args:
            found: Is added to.
            good: (split, place) of those without a fault.
        """
        ...


@dataclasses.dataclass
class Counted:
    """How often the classes of a head occur.

    Attributes:
        head: Name of the head; "": there is one.
        classes: Names, in the order of the labels.
        shares: Share of each class in the pixels of the training images in which it
            occurs, float64 [C].
        weights: What `config.loss.balance="median_frequency"` would weigh them by.
        occurs: By split, in how many images each class occurs.
    """

    head: str
    classes: tuple[str, ...]
    shares: np.ndarray
    weights: tuple[float, ...]
    occurs: dict[str, np.ndarray]


@dataclasses.dataclass
class Report(Counted):
    """What was found; of several heads, the classes are those of the first.

    Attributes:
        others: How often those of other heads occur.
        name: Of the data set.
        notes: On how it was read.
        images: Of each split.
        findings: Those that stop training first.
        sizes: The most frequent (height, width) of training images, and how many.
        num_sizes: How many sizes there are.
        canvas: What batches of whole images are padded to; None: no image was read.
        padding: Share of such batches that is padding.
        stored: How masks hold labels, and how many do.
    """

    others: list[Counted]
    name: str
    notes: list[str]
    images: dict[str, int]
    findings: list[Finding]
    sizes: list[tuple[tuple[int, int], int]]
    num_sizes: int
    canvas: tuple[int, int] | None
    padding: float
    stored: dict[str, int]

    @property
    def stops(self) -> bool:
        """Whether something was found that stops training."""
        return any(finding.level == STOPS for finding in self.findings)


def _no_bar(seen: Iterable[Seen], total: int) -> Iterable[Seen]:
    del total
    return seen


def examine(
    patient: Patient,
    found: Findings,
    num_threads: int = 1,
    track: Track = _no_bar,
) -> Report:
    """Look at every image of a data set.

    Args:
        patient: The data set, such as `doctor_folder.Folder`.
        found: What was found when it was opened; is added to.
        num_threads: Threads that read; decoders of images let several run.
        track: Makes a progress bar.

    Returns:
        What was found.
    """
    places = [(s, i) for s, ids in patient.ids.items() for i in range(len(ids))]
    heads = [_first_head(patient), *patient.others]
    every = [
        {split: _Tally(len(head.classes)) for split in patient.ids} for head in heads
    ]
    tallies, *of_others = every
    stored: Counter[str] = Counter()
    alike: dict[bytes, list[tuple[str, int]]] = {}
    good: set[tuple[str, int]] = set()
    smoothed: list[str] = []
    turned: list[str] = []
    for seen in track(_looked_at(patient, places, num_threads), len(places)):
        for check, error, file in seen.faults:
            found.add(check, STOPS, error, file)
        turned += [seen.name] * seen.turned
        tallies[seen.split].add(seen, seen.counts, patient.ignore_label)
        for head, of_head in zip(patient.others, of_others, strict=True):
            counts = seen.others.get(head.name)
            of_head[seen.split].add(seen, counts, head.ignore_label)
        if seen.stored:
            stored[seen.stored] += 1
        if seen.digest:
            alike.setdefault(seen.digest, []).append((seen.split, seen.index))
        if not seen.faults:
            good.add((seen.split, seen.index))
            smoothed += [seen.name] * seen.smoothed
    patient.check_all(found, good)
    found.add_all("exif", HINT, voc_folder.orientation_note(len(turned)), turned)
    found.add_all("edges", HINT, _SMOOTHED, smoothed)
    _find_duplicates(patient, alike, found)
    _find_overlap(patient, found)
    for head, of_head in zip(heads, every, strict=True):
        _find_classes(patient, head, of_head, found)
    counted = [_counted(patient, *each) for each in zip(heads, every, strict=True)]
    return _report(patient, found, tallies, counted, stored)


def _first_head(patient: Patient) -> Head:
    return Head(
        patient.head,
        patient.classes,
        patient.palette,
        patient.ignore_label,
        patient.may_be_absent,
    )


def _looked_at(
    patient: Patient, places: Sequence[tuple[str, int]], num_threads: int
) -> Iterator[Seen]:
    """What there is to see, in order."""
    if num_threads < 2:
        yield from (patient.look(*place) for place in places)
        return
    pool = concurrent.futures.ThreadPoolExecutor(num_threads)
    try:
        yield from pool.map(lambda place: patient.look(*place), places)
    finally:
        pool.shutdown(cancel_futures=True)


class _Tally:
    """Sums over the images of a split."""

    def __init__(self, num_classes: int):
        self.frequencies = Frequencies(num_classes)
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.void: list[str] = []  # Images without another label.
        self.largest = (0, "")  # Pixels and id of an image.

    def add(self, seen: Seen, counts: np.ndarray | None, ignore_label: int) -> None:
        if seen.size:
            self.sizes[seen.size] += 1
            pixels = seen.size[0] * seen.size[1]
            self.largest = max(self.largest, (pixels, seen.name))
        if counts is not None:
            counts = counts.copy()
            counts[[ignore_label, IGNORE_LABEL]] = 0
            self.frequencies.add(counts)
            if not counts.any():
                self.void.append(seen.name)


_SMOOTHED = (
    "most labels of these masks occur along borders alone, as resizing with "
    "interpolation, smooth (anti-aliased) edges or compression with loss leave them: "
    "look at one, and export it without these"
)


def _find_duplicates(
    patient: Patient, alike: dict[bytes, list[tuple[str, int]]], found: Findings
) -> None:
    """Images that are one picture, in one split or in two."""
    within: list[str] = []
    across: list[str] = []
    for places in alike.values():
        if len(places) < 2:
            continue
        same: dict[bytes, list[tuple[str, int]]] = {}
        for place in places:  # A draft may be alike by chance.
            same.setdefault(patient.digest(*place), []).append(place)
        for group in same.values():
            ids = {(patient.ids[split][i]) for split, i in group}
            if len(ids) < 2:
                continue  # One image, listed twice.
            text = " = ".join(f"{split} {patient.ids[split][i]}" for split, i in group)
            (across if len({split for split, _ in group}) > 1 else within).append(text)
    found.add_all(
        "duplicates",
        HINT,
        "the same picture under several ids: take all but one off the list",
        within,
    )
    found.add_all(
        "duplicates",
        HINT,
        "the same picture, under another id, in two splits: scores over it are of what "
        "was learned by heart; take it off one of the lists",
        across,
    )


def _find_overlap(patient: Patient, found: Findings) -> None:
    """Ids in both splits."""
    train, scored = patient.train, patient.scored
    if train == scored:
        return
    num_scored = len(patient.ids.get(scored, ()))
    shared = sorted(set(patient.ids.get(train, ())) & set(patient.ids.get(scored, ())))
    text = checks.overlap_text(shared, num_scored, train, scored)
    found.add_all("overlap", HINT, f"{text}; take them off one of the lists", shared)


def _find_classes(
    patient: Patient, head: Head, tallies: dict[str, _Tally], found: Findings
) -> None:
    """Classes that are in one split only, or nowhere; masks without any."""
    of = f" of the head {head.name}" if patient.others else ""
    for split, tally in tallies.items():
        found.add_all(
            "void",
            HINT,
            f"masks{of} of {split} that are void throughout, of which nothing is "
            f"learned: label them, or take them off the list",
            tally.void,
        )
    held = {split: tally.frequencies.images > 0 for split, tally in tallies.items()}
    train, scored = held.get(patient.train), held.get(patient.scored)
    if train is None or scored is None or not train.any():
        return
    for having, text in (
        (
            ~train & ~scored,
            f"classes{of} that occur in no mask: take them off the names",
        ),
        (
            ~train & scored,
            f"classes{of} that {patient.scored} has and {patient.train} has not, which "
            f"cannot be learned: divide the images anew (--config.data.split=0.8 does "
            f"so by chance), or make them void",
        ),
        (
            train & ~scored & ~np.isin(head.classes, head.may_be_absent),
            f"classes{of} that {patient.train} has and {patient.scored} has not, which "
            f"are not scored: divide the images anew",
        ),
    ):
        having[head.ignore_label : head.ignore_label + 1] = False  # It is void.
        names = [n for n, has in zip(head.classes, having, strict=True) if has]
        found.add_all("classes", HINT, text, names)


def _of_training(patient: Patient, tallies: dict[str, _Tally]) -> _Tally:
    return tallies.get(patient.train) or next(iter(tallies.values()), _Tally(0))


def _counted(patient: Patient, head: Head, tallies: dict[str, _Tally]) -> Counted:
    shares = _of_training(patient, tallies).frequencies.shares()
    return Counted(
        head.name,
        head.classes,
        shares,
        frequencies.median_frequency_weights(shares),
        {split: tally.frequencies.images for split, tally in tallies.items()},
    )


def _report(
    patient: Patient,
    found: Findings,
    tallies: dict[str, _Tally],
    counted: Sequence[Counted],
    stored: Counter[str],
) -> Report:
    first = _of_training(patient, tallies)
    sizes = np.array(list(first.sizes.elements()), np.int64).reshape(-1, 2)
    canvas = None
    if len(sizes):
        height, width = (int(n) for n in sizes.max(axis=0))
        canvas = (height, width)
        text = checks.padding_text(sizes, first.largest[1])
        if text:
            found.add("sizes", HINT, text)
    return Report(
        **vars(counted[0]),
        others=list(counted[1:]),
        name=patient.name,
        notes=patient.notes,
        images={split: len(ids) for split, ids in patient.ids.items()},
        findings=found.sorted(),
        sizes=first.sizes.most_common(_MOST_SIZES),
        num_sizes=len(first.sizes),
        canvas=canvas,
        padding=checks.padding(sizes) if len(sizes) else 0.0,
        stored=dict(stored),
    )
