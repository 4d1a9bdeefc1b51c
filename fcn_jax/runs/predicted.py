"""A directory of predictions: what is in it, whose it is, and how it is written."""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import filelock
import numpy as np

from fcn_jax import viz
from fcn_jax.data import geotiff
from fcn_jax.data.contracts import Head
from fcn_jax.data.photos import Photo
from fcn_jax.storage import files
from fcn_jax.storage.files import JsonObject

PROBS = ("npz", "png")
SETTINGS, LINES, LOCKS = "predict.json", "predictions.jsonl", ".locks"
_STRIP = 1_000_000  # Pixels of an image that are drawn, or counted, at a time.


@dataclasses.dataclass(frozen=True)
class Result:
    """What was found in an image.

    Attributes:
        labels: uint8 [H, W], by head.
        probs: Class probabilities, float16 [H, W, C]; None: they are not asked for.
    """

    labels: Mapping[str, np.ndarray]
    probs: np.ndarray | None = None


class Predictions:
    """Predictions in a directory, which several processes may fill at once.

    labels/NAME.png is written last, and then the line of an image: where both are, it
    is done.

    Args:
        out: The directory; it need not be there.
        heads: Of the network.
        made: How predictions are made, as JSON.
    """

    def __init__(self, out: str | Path, heads: Sequence[Head], made: JsonObject):
        self.out, self.heads, self._made = Path(out), heads, made
        self._labels = [self.out / "labels" / head.name for head in heads]
        self.lines = Lines(self.out / LINES)

    def check(self) -> None:
        """Refuse to mix predictions that are made in two ways.

        Raises:
            ValueError: Naming what differs, or that it is not known.
        """
        path = self.out / SETTINGS
        if not path.exists():
            return
        try:
            there, now = json.loads(path.read_text("utf-8")), self._made
            differing = [
                f"{key}: {there.get(key)!r} there, {now.get(key)!r} now"
                for key in {**there, **now}
                if there.get(key) != now.get(key)
            ]
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} is damaged ({type(error).__name__}), so that it is not known "
                f"how the predictions there were made; give another --out, or "
                f"--overwrite."
            ) from error
        if differing:
            raise ValueError(
                f"{self.out} holds predictions that were made otherwise "
                f"({'; '.join(differing)}); give another --out, or --overwrite."
            )

    def check_names(self, listed: Sequence[Photo]) -> None:
        """Refuse images whose names others have here.

        Args:
            listed: The images.

        Raises:
            ValueError: Naming both.
        """
        owners = {line["name"]: line["image"] for line in self.lines.read()}
        for photo in listed:
            owner = owners.get(photo.name, photo.source)
            if owner != photo.source:
                raise ValueError(
                    f"{self.out} holds the prediction of {owner} as {photo.name}, "
                    f"which is the name of {photo.source} too; give another --out, or "
                    f"--overwrite."
                )

    def remove(self) -> None:
        """Remove the predictions that are here, so that none of them passes for new."""
        (self.out / SETTINGS).unlink(missing_ok=True)
        there = self.lines.read()  # Perhaps of one head, or of another network.
        heads = {"", *(head.name for head in self.heads), *_heads_in(there)}
        for line in there:
            for path in _made_of(line, self.out, heads):
                shutil.rmtree(path, ignore_errors=True)
                if not path.is_dir():
                    path.unlink(missing_ok=True)
        self.lines.remove()

    def has(self, photo: Photo) -> bool:
        """Whether an image is done, also by another process meanwhile.

        Labels without a line are those of a process that was killed between the two,
        before an overwriting perhaps: they do not count.
        """
        name = photo.name
        if not all((place / f"{name}.png").exists() for place in self._labels):
            return False
        return self.lines.has(name)

    def begin(self) -> None:
        """Note how predictions are made, where that is not noted yet."""
        if not (self.out / SETTINGS).exists():
            files.write_json(self.out / SETTINGS, self._made)

    def write(
        self, photo: Photo, image: np.ndarray, result: Result, options: "Kinds"
    ) -> JsonObject:
        """Write what was found of an image, its labels last.

        Args:
            photo: The image.
            image: Its pixels.
            result: What was found.
            options: What is written.

        Returns:
            What predictions.jsonl says of it: its size, and each class's share.
        """
        self.begin()
        for head in self.heads:
            labels = result.labels[head.name]
            if options.overlays:
                path = self.out / "overlays" / head.name / f"{photo.name}.png"
                viz.save_image(path, _overlay(image, labels, head), quick=True)
            if result.probs is not None:
                place = self.out / "probs" / photo.name
                _write_probs(place, result.probs, head, options.probs)
        line = self.line(photo, result.labels)
        where = geotiff.coordinates(photo.path) if photo.path is not None else {}
        for head, place in zip(self.heads, self._labels, strict=True):
            labels = result.labels[head.name]
            if where:
                scene = place / f"{photo.name}.tif"
                geotiff.save_labels(scene, labels, head.palette, where)
            viz.save_label_png(place / f"{photo.name}.png", labels, head.palette)
        self.lines.append(line)
        return line

    def line(self, photo: Photo, labels: Mapping[str, np.ndarray]) -> JsonObject:
        """What is recorded of an image.

        Args:
            photo: The image.
            labels: uint8 [H, W], by head.
        """
        found = {head.name: shares(labels[head.name], head) for head in self.heads}
        first = self.heads[0].name
        height, width = labels[first].shape
        return {
            "image": photo.source,
            "name": photo.name,
            "height": height,
            "width": width,
            "classes": found[first] if len(self.heads) == 1 else found,
        }


def _heads_in(lines: Iterable[JsonObject]) -> Iterator[str]:
    """The names of heads in records; those of a network with one have none."""
    for line in lines:
        classes = line.get("classes", {})
        yield from (name for name in classes if isinstance(classes[name], dict))


def _made_of(line: JsonObject, out: Path, heads: Iterable[str]) -> Iterator[Path]:
    """The files and folders that may have been made of an image, or a video."""
    name = line["name"]
    for head in heads:
        yield out / "labels" / head / f"{name}.png"
        yield out / "labels" / head / f"{name}.tif"
        yield out / "overlays" / head / f"{name}.png"
        if "frames" in line:
            yield out / "labels" / head / name
            yield out / "overlays" / head / f"{name}.mp4"
    yield out / "probs" / name
    yield out / "probs" / f"{name}.npz"


class Lines:
    """What is recorded of images, a line of JSON each; processes share the file.

    A line that was cut off is none.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path):
        self._path = path
        self._names: set[str] = set()  # Up to a byte.
        self._read_to = 0

    def read(self) -> list[JsonObject]:
        """All records."""
        found = _parsed(self._path.read_bytes()) if self._path.exists() else []
        return [line for line in found if "image" in line]

    def has(self, name: str) -> bool:
        """Whether there is a record of an image; only what is new is read.

        Args:
            name: Of the image.
        """
        if name not in self._names and self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read_to)
                whole, end, _ = file.read().rpartition(b"\n")
            self._read_to += len(whole) + len(end)
            self._names |= {line["name"] for line in _parsed(whole)}
        return name in self._names

    def append(self, record: JsonObject) -> None:
        """Add a record, at once; below a line that was cut off.

        Args:
            record: With `name` and `image`.
        """
        with self._path.open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            # Where it was empty, another's first line may stand there by now.
            torn = size > 0 and file.read(1) != b"\n"
            file.write(b"\n" * torn + json.dumps(record).encode() + b"\n")

    def remove(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)
        self._names, self._read_to = set(), 0


def _parsed(text: bytes) -> list[JsonObject]:
    """The records in lines of JSON; what is none is left out."""
    found: list[JsonObject] = []
    for line in text.decode("utf-8", "replace").splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict) and isinstance(record.get("name"), str):
                found.append(record)
    return found


class Claims:
    """Who has which image, where several processes predict into one directory.

    Args:
        out: The directory.
    """

    def __init__(self, out: str | Path):
        self._folder = Path(out) / LOCKS

    def take(self, photo: Photo, wait: bool = False) -> filelock.BaseFileLock | None:
        """Take an image, so that no other process does.

        Args:
            photo: The image.
            wait: Whether to wait for a process that has it.

        Returns:
            What to release; None where another process has it.

        Raises:
            OSError: If the lock cannot be made.
        """
        name = hashlib.sha256(photo.name.encode("utf-8", "replace")).hexdigest()[:32]
        for _ in range(100):  # Another process may be removing the empty folder.
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self._folder / name, thread_local=False)
            try:
                lock.acquire(timeout=-1 if wait else 0)
            except filelock.Timeout:
                return None
            except FileNotFoundError:
                continue
            return lock
        raise OSError(f"{self._folder / name} cannot be made; try again.")

    def close(self) -> None:
        """Remove the locks that nobody holds."""
        for place in self._folder.iterdir() if self._folder.is_dir() else ():
            unheld = filelock.FileLock(place, timeout=0)
            with contextlib.suppress(filelock.Timeout, FileNotFoundError), unheld:
                place.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # Somebody holds one, or has removed it.
            os.rmdir(self._folder)


@dataclasses.dataclass(frozen=True)
class Kinds:
    """What is written of an image beside its labels.

    Attributes:
        overlays: Whether labels are drawn over the image.
        probs: "npz": class probabilities, float16 [H, W, C]; "png": a picture of 8 bits
            a class; "": none.

    Raises:
        ValueError: If `probs` is another word.
    """

    overlays: bool = True
    probs: str = ""

    def __post_init__(self):
        if self.probs not in ("", *PROBS):
            raise ValueError(
                f"probs={self.probs!r} is not known; use one of {', '.join(PROBS)}."
            )


def shares(labels: np.ndarray, head: Head) -> dict[str, float]:
    """Each class's share of the pixels, by its name; none of those that are absent.

    Args:
        labels: uint8 [H, W].
        head: Whose classes these are.
    """
    counts = _counts(labels)
    return {
        name: round(float(counts[label]) / labels.size, 6)
        for label, name in enumerate(head.classes)
        if counts[label]
    }


def _overlay(image: np.ndarray, labels: np.ndarray, head: Head) -> np.ndarray:
    """Labels over an image, with a legend; drawn strip by strip."""
    height, width = labels.shape
    legend = viz.with_legend(image[:0], head.classes, head.palette)
    drawn = np.full((height + len(legend), legend.shape[1], 3), 255, np.uint8)
    drawn[height:] = legend
    for rows in _strips(labels):
        # A border shows by the row beside it.
        more = slice(max(0, rows.start - 1), rows.stop + 1)
        strip = viz.overlay(image[more], labels[more], palette=head.palette)
        first = rows.start - more.start
        drawn[rows, :width] = strip[first : first + rows.stop - rows.start]
    return drawn


def _counts(labels: np.ndarray) -> np.ndarray:
    """How often each label occurs; NumPy makes 8 bytes of each that it counts."""
    counts = np.zeros(256, np.int64)
    for rows in _strips(labels):
        counts += np.bincount(labels[rows].ravel(), minlength=256)
    return counts


def _strips(labels: np.ndarray) -> Iterator[slice]:
    """Rows of an image, some at a time."""
    height, width = labels.shape
    rows = max(1, _STRIP // width)
    for row in range(0, height, rows):
        yield slice(row, min(row + rows, height))


def _write_probs(place: Path, probs: np.ndarray, head: Head, kind: str) -> None:
    """Class probabilities as place.npz, or as pictures in the folder."""
    if kind == "png":
        for label, name in enumerate(head.classes):
            safe = name.replace("/", "_")
            grey = np.round(probs[..., label].astype(np.float32) * 255)
            viz.save_image(place / f"{label:03d}_{safe}.png", grey.astype(np.uint8))
        return

    def write(part: Path) -> None:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as npz:
            for name, array in (("probs", probs), ("classes", np.array(head.classes))):
                with npz.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    files.write_whole(place.with_name(f"{place.name}.npz"), write)
