"""Predictions for a folder of photographs, written file by file."""

import dataclasses
import functools
import json
import sys
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import filelock
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from fcn_jax import viz
from fcn_jax.data import photos, transforms
from fcn_jax.data.contracts import Head
from fcn_jax.data.photos import Photo
from fcn_jax.inference import tiled
from fcn_jax.inference.windows import Tiles
from fcn_jax.ops import resizing
from fcn_jax.runs.trained import TrainedNet
from fcn_jax.storage import files
from fcn_jax.storage.files import JsonObject

PROBS = ("npz", "png")
SETTINGS, LINES, _LOCKS = "predict.json", "predictions.jsonl", ".locks"
_AHEAD = 4  # Images that are read, and results that are written, beside the network.
_STRIP = 512  # Rows of an overlay that are drawn at a time.


@dataclasses.dataclass(frozen=True)
class Options:
    """What is made of an image, and how it is looked at.

    Attributes:
        overlays: Whether predictions are drawn over the images too.
        probs: "npz": class probabilities, float16 [H, W, C]; "png": a picture of 8 bits
            a class; "": none.
        size: Longer side at which the network sees an image, pixels; 0: its own.
        tile: Side of the tiles that larger images are seen by, pixels; 0: whole.
        overlap: The least share of a tile that lies in the next.
        most_pixels: Of an image that is seen whole.
    """

    overlays: bool = True
    probs: str = ""
    size: int = 0
    tile: int = 1024
    overlap: float = 0.25
    most_pixels: int = 4_000_000

    def __post_init__(self):
        if self.probs not in ("", *PROBS):
            raise ValueError(
                f"probs={self.probs!r} is not known; use one of {', '.join(PROBS)}."
            )
        if self.size < 0 or self.tile < 0:
            raise ValueError(
                f"size={self.size}, tile={self.tile}: sides are pixels, or 0 for none."
            )
        Tiles(max(1, self.tile), self.overlap)  # It knows what an overlap is.


@dataclasses.dataclass
class Tally:
    """What became of the images.

    Attributes:
        done: Predicted now.
        before: Predicted by an earlier start, or by another process.
        failed: A message for each that was passed over.
        seconds: That it took.
    """

    done: int = 0
    before: int = 0
    failed: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


def predict(
    net: TrainedNet,
    listed: Sequence[Photo],
    out: str | Path,
    options: Options | None = None,
    overwrite: bool = False,
    tell: Callable[[JsonObject], object] | None = None,
) -> Tally:
    """Predict images into a directory; those that are there already are left.

    labels/NAME.png (a palette PNG, written last), overlays/NAME.png, probs/NAME.npz or
    probs/NAME/CLASS.png, and a line of predictions.jsonl; of several heads in a folder
    each. Several processes may share the images and the directory.

    Args:
        net: The network.
        listed: The images.
        out: The directory.
        options: What is made of an image; None: the defaults.
        overwrite: Whether to make anew what is there.
        tell: Is given what predictions.jsonl is, for each image.

    Returns:
        What became of them. An image that cannot be read is passed over, and named on
        the standard error.

    Raises:
        ValueError: If the directory holds predictions that were made otherwise, or
            probabilities are asked for of a network with several heads.
        OSError: If something cannot be written.
    """
    options = options or Options()
    out = Path(out)
    _settle(net, out, options, overwrite)
    tally, start = Tally(), time.perf_counter()
    bar = tqdm(total=len(listed), unit="image", disable=None, leave=False)
    with (
        bar,
        photos.room_for_large_images(),
        ThreadPoolExecutor(_AHEAD) as readers,
        ThreadPoolExecutor(2) as writers,
    ):
        writing: deque[Future[None]] = deque()
        done = [] if overwrite else [out / "labels" / head.name for head in net.heads]
        for photo, claim, image in _read_ahead(readers, listed, out, done):
            bar.update()
            if claim is None:
                tally.before += 1
                continue
            try:
                seen = image.result()
            except (ValueError, OSError) as error:
                claim.release()
                tally.failed.append(str(error))
                tqdm.write(f"passed over: {error}", file=sys.stderr)
                continue
            result = _looked_at(net, seen, options)
            writing.append(
                writers.submit(_write, net, out, photo, seen, result, options, claim)
            )
            line = _line(net.heads, photo, result.labels)
            _append(out / LINES, line)
            if tell is not None:
                tell(line)
            tally.done += 1
            while len(writing) > _AHEAD:
                writing.popleft().result()
        for each in writing:
            each.result()
    tally.seconds = time.perf_counter() - start
    _remove_locks(out)
    return tally


@dataclasses.dataclass(frozen=True)
class _Result:
    """Labels uint8 [H, W] by head, and probabilities float16 [H, W, C] or None."""

    labels: Mapping[str, np.ndarray]
    probs: np.ndarray | None = None


def _looked_at(net: TrainedNet, image: np.ndarray, options: Options) -> _Result:
    """What the network says of an image: at a size, by tiles, or as it is."""
    height, width = image.shape[:2]
    if options.size:
        small = transforms.scaled_size(
            (height, width), options.size / max(height, width)
        )
        found = _probs(net, transforms.resize_image(image, small))
        resized = _resized(found, (height, width))
        return _of_strips(net, (height, width), options, [(0, resized)])
    if options.tile and height * width > options.most_pixels:
        tiles = Tiles(options.tile, options.overlap)
        strips = tiled.probs(image, functools.partial(_probs, net), tiles)
        return _of_strips(net, (height, width), options, strips)
    if options.probs:
        return _of_strips(net, (height, width), options, [(0, _probs(net, image))])
    labels = net.predict(image)
    assert not isinstance(labels, list)  # It was one image.
    return _Result(labels if isinstance(labels, dict) else {"": labels})


def _probs(net: TrainedNet, image: np.ndarray) -> np.ndarray:
    """Class probabilities of an image, float32 [H, W, C].

    Raises:
        ValueError: If the network has several heads.
    """
    found = net.predict_probs(image)
    if not isinstance(found, np.ndarray):
        raise ValueError(
            f"tiles, sizes and probabilities are for networks with one head; this one "
            f"has {', '.join(head.name for head in net.heads)}: leave them out, and "
            f"set --tile=0 for large images."
        )
    return found


def _resized(probs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Class probabilities at another size."""
    before, after = (jnp.array([n], jnp.int32) for n in (probs.shape[:2], size))
    found = resizing.resize(jnp.asarray(probs[None]), before, after, size)
    return np.asarray(found[0])


def _of_strips(
    net: TrainedNet,
    size: tuple[int, int],
    options: Options,
    strips: Iterable[tuple[int, np.ndarray]],
) -> _Result:
    """Labels of strips of probabilities, and these too if they are asked for."""
    labels = np.empty(size, np.uint8)
    (head,) = net.heads
    kept = np.empty((*size, head.num_classes), np.float16) if options.probs else None
    for row, strip in strips:
        labels[row : row + len(strip)] = strip.argmax(-1)
        if kept is not None:
            kept[row : row + len(strip)] = strip
    return _Result({head.name: labels}, kept)


def _read_ahead(
    readers: ThreadPoolExecutor,
    listed: Sequence[Photo],
    out: Path,
    done: Sequence[Path],
) -> Iterator[tuple[Photo, filelock.BaseFileLock | None, Future[np.ndarray]]]:
    """The images, some read ahead, each with its lock; None: it is there, or taken."""
    waiting: deque[tuple] = deque()
    nothing: Future[np.ndarray] = Future()
    for photo in listed:
        claim = _claimed(photo, out, done)
        image = readers.submit(photos.read, photo) if claim else nothing
        waiting.append((photo, claim, image))
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    yield from waiting


def _claimed(
    photo: Photo, out: Path, done: Sequence[Path]
) -> filelock.BaseFileLock | None:
    """The lock of an image; None where it was predicted before, or is just now.

    Args:
        photo: The image.
        out: Where it is predicted into.
        done: Folders in each of which its labels are, where it was.
    """
    place = out / _LOCKS / f"{photo.name}.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    claim = filelock.FileLock(place, thread_local=False)
    try:
        claim.acquire(timeout=0)
    except filelock.Timeout:
        return None
    if done and all((folder / f"{photo.name}.png").exists() for folder in done):
        claim.release()
        return None
    return claim


def _write(
    net: TrainedNet,
    out: Path,
    photo: Photo,
    image: np.ndarray,
    result: _Result,
    options: Options,
    claim: filelock.BaseFileLock,
) -> None:
    """Write what was found of an image, its labels last, and let go of it."""
    try:
        for head in net.heads:
            labels = result.labels[head.name]
            if options.overlays:
                path = out / "overlays" / head.name / f"{photo.name}.png"
                viz.save_image(path, _overlay(image, labels, head))
            if result.probs is not None:
                _write_probs(out / "probs" / photo.name, result.probs, head, options)
        for head in net.heads:
            path = out / "labels" / head.name / f"{photo.name}.png"
            viz.save_label_png(path, result.labels[head.name], head.palette)
    finally:
        claim.release()


def _overlay(image: np.ndarray, labels: np.ndarray, head: Head) -> np.ndarray:
    """Labels over an image, with a legend; drawn strip by strip."""
    drawn = np.empty_like(image)
    for row in range(0, len(image), _STRIP):
        first = max(0, row - 1)  # A border shows by the row beside it.
        part = slice(first, row + _STRIP + 1)
        strip = viz.overlay(image[part], labels[part], palette=head.palette)
        drawn[row : row + _STRIP] = strip[row - first : row - first + _STRIP]
    return viz.with_legend(drawn, head.classes, head.palette)


def _write_probs(place: Path, probs: np.ndarray, head: Head, options: Options) -> None:
    """Class probabilities as place.npz, or as pictures in the folder."""
    if options.probs == "png":
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


def _line(
    heads: Sequence[Head], photo: Photo, labels: Mapping[str, np.ndarray]
) -> JsonObject:
    """What is told of an image: its size, and each class's share of its pixels."""
    shares = {}
    for head in heads:
        found = labels[head.name]
        counts = np.bincount(found.ravel(), minlength=head.num_classes)
        shares[head.name] = {
            name: round(float(counts[label]) / found.size, 6)
            for label, name in enumerate(head.classes)
            if counts[label]
        }
    height, width = labels[heads[0].name].shape
    return {
        "image": str(photo.path) if photo.path else "-",
        "name": photo.name,
        "height": height,
        "width": width,
        "classes": shares[heads[0].name] if len(heads) == 1 else shares,
    }


def _settle(net: TrainedNet, out: Path, options: Options, overwrite: bool) -> None:
    """Write down how predictions are made, or hold it against what is there."""
    made = {
        "run": str(net.workdir.absolute()),
        "step": net.checkpoint.step,
        "scales": list(net.scales) if net.scales else None,
        "flip": net.flip,
        "crf": net.config.crf.parameters,
        "inference": net.config.inference.method,
        **dataclasses.asdict(options),
    }
    path = out / SETTINGS
    if path.exists() and not overwrite:
        try:
            there = json.loads(path.read_text("utf-8"))
            differing = [
                f"{key}: {there.get(key)!r} there, {value!r} now"
                for key, value in made.items()
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
                f"{out} holds predictions that were made otherwise "
                f"({'; '.join(differing)}); give another --out, or --overwrite."
            )
        return
    files.write_json(path, made)


def _append(path: Path, line: JsonObject) -> None:
    """Append a line at once, so that processes can share the file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _remove_locks(out: Path) -> None:
    """Remove the locks that nobody holds."""
    for place in sorted((out / _LOCKS).rglob("*.lock")):
        try:
            with filelock.FileLock(place, timeout=0):
                place.unlink(missing_ok=True)
        except filelock.Timeout:
            continue
    for folder in sorted((out / _LOCKS).rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    if (out / _LOCKS).is_dir() and not any((out / _LOCKS).iterdir()):
        (out / _LOCKS).rmdir()
