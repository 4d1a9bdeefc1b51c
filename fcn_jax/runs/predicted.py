"""A directory of predictions: what is in it, whose it is, and how it is written."""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
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

    labels/NAME.png are written last: where they are, an image is done.

    Args:
        out: The directory; it need not be there.
        heads: Of the network.
        made: How predictions are made, as JSON.
    """

    def __init__(self, out: str | Path, heads: Sequence[Head], made: JsonObject):
        self.out, self._heads, self._made = Path(out), heads, made
        self._labels = [self.out / "labels" / head.name for head in heads]

    def check(self) -> None:
        """Refuse to mix predictions that are made in two ways.

        Raises:
            ValueError: Naming what differs, or that it is not known.
        """
        path = self.out / SETTINGS
        if not path.exists():
            return
        try:
            there = json.loads(path.read_text("utf-8"))
            differing = [
                f"{key}: {there.get(key)!r} there, {value!r} now"
                for key, value in self._made.items()
                if there.get(key) != value
            ]
        except (ValueError, AttributeError) as error:
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
        owners = {line["name"]: line["image"] for line in self._lines()}
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
        for line in self._lines():
            for kind, end in (
                ("labels", "png"),
                ("labels", "tif"),
                ("overlays", "png"),
            ):
                name = f"{line['name']}.{end}"
                for head in self._heads:
                    (self.out / kind / head.name / name).unlink(missing_ok=True)
            probs = self.out / "probs" / line["name"]
            probs.with_name(f"{probs.name}.npz").unlink(missing_ok=True)
            shutil.rmtree(probs, ignore_errors=True)
        (self.out / LINES).unlink(missing_ok=True)

    def _lines(self) -> list[JsonObject]:
        """What is recorded of images; a line that was cut off is none."""
        path = self.out / LINES
        found: list[JsonObject] = []
        if path.exists():
            for text in path.read_text("utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    line = json.loads(text)
                    if isinstance(line, dict) and {"name", "image"} <= line.keys():
                        found.append(line)
        return found

    def has(self, photo: Photo) -> bool:
        """Whether an image is done."""
        return all((place / f"{photo.name}.png").exists() for place in self._labels)

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
        if not (self.out / SETTINGS).exists():
            files.write_json(self.out / SETTINGS, self._made)
        for head in self._heads:
            labels = result.labels[head.name]
            if options.overlays:
                path = self.out / "overlays" / head.name / f"{photo.name}.png"
                viz.save_image(path, _overlay(image, labels, head))
            if result.probs is not None:
                place = self.out / "probs" / photo.name
                _write_probs(place, result.probs, head, options.probs)
        line = self._line(photo, result.labels)
        where = geotiff.coordinates(photo.path) if photo.path is not None else {}
        for head, place in zip(self._heads, self._labels, strict=True):
            labels = result.labels[head.name]
            if where:
                scene = place / f"{photo.name}.tif"
                geotiff.save_labels(scene, labels, head.palette, where)
            viz.save_label_png(place / f"{photo.name}.png", labels, head.palette)
        with (self.out / LINES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")  # At once: processes share the file.
        return line

    def _line(self, photo: Photo, labels: Mapping[str, np.ndarray]) -> JsonObject:
        found = {head.name: shares(labels[head.name], head) for head in self._heads}
        first = self._heads[0].name
        height, width = labels[first].shape
        return {
            "image": photo.source,
            "name": photo.name,
            "height": height,
            "width": width,
            "classes": found[first] if len(self._heads) == 1 else found,
        }


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
