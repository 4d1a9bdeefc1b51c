"""Photographs through a trained network, into a directory of predictions."""

import dataclasses
import functools
import itertools
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import filelock
import numpy as np
from tqdm import tqdm

from fcn_jax import crf
from fcn_jax.data import photos, transforms
from fcn_jax.data.photos import Photo
from fcn_jax.inference import tiled
from fcn_jax.inference.windows import Tiles
from fcn_jax.runs import given
from fcn_jax.runs.predicted import Claims, Kinds, Predictions, Result
from fcn_jax.runs.progress import Counter, Tally
from fcn_jax.runs.trained import TrainedNet
from fcn_jax.storage import files
from fcn_jax.storage.files import JsonObject

_AHEAD = 4  # Images that are read, and results that are written, beside the network.
_MOST_AHEAD = 50_000_000  # Pixels of images that are held beside the one looked at.
_MOST_PIXELS = 4_000_000  # Of an image that is seen whole, unless that is asked for.
_LEAST_SIDE = 256  # A narrower image costs as if it had it, by what nets pad.
_TILE = 1024


@dataclasses.dataclass(frozen=True)
class Options(Kinds):
    """What is made of an image, and how it is looked at.

    Attributes:
        size: Longer side at which the network sees an image, pixels; 0: its own.
        tile: Side of the tiles by which images beyond it are seen, pixels; 0: all are
            seen whole; None: 1024 for images above 4 million pixels.
        overlap: The least share of a tile that lies in the next.

    Raises:
        ValueError: If one has no sense.
    """

    size: int = 0
    tile: int | None = None
    overlap: float = 0.25

    def __post_init__(self):
        super().__post_init__()
        if self.size < 0 or (self.tile or 0) < 0:
            raise ValueError(
                f"size={self.size}, tile={self.tile}: sides are pixels, or 0 for none."
            )
        Tiles(self.tile or _TILE, self.overlap)  # It knows what an overlap is.

    def tiles(self, height: int, width: int) -> Tiles | None:
        """The tiles by which an image is seen; None: it is seen whole.

        Args:
            height: Of the image, pixels.
            width: Likewise.
        """
        if self.tile is None:
            sides = (max(height, _LEAST_SIDE), max(width, _LEAST_SIDE))
            large = sides[0] * sides[1] > _MOST_PIXELS
        else:
            large = 0 < self.tile < max(height, width)
        return Tiles(self.tile or _TILE, self.overlap) if large else None


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
        overwrite: Whether to remove the predictions that are there first.
        tell: Is given what predictions.jsonl says of each image.

    Returns:
        What became of them. An image that cannot be read, or is none for the network
        (too small for its proposals or superpixels), is passed over, and named on the
        standard error.

    Raises:
        ValueError: If the directory holds predictions that were made otherwise, or of
            other images by the same names, or probabilities are asked for of a network
            with several heads, or the network sees more than colours.
        OSError: If something cannot be written.
    """
    given.check_photos(net.preprocessing, net.workdir)
    options = options or Options()
    predictions = Predictions(out, net.heads, made(net, options))
    if overwrite:
        predictions.remove()
    predictions.check()
    predictions.check_names(listed)
    files.remove_stale_parts(out)
    work = _Work(net, predictions, options, tell, Counter(len(listed)))
    start = time.perf_counter()
    with work.counter, photos.room_for_large_images(), work:
        taken = work.through(listed)
        # What other processes have may be left to us, if they end.
        work.through(taken, wait=True)
    work.tally.seconds = time.perf_counter() - start
    work.claims.close()
    return work.tally


class _Ahead(NamedTuple):
    """An image on its way: its lock, and its pixels, when they are read.

    Attributes:
        claim: None: another process has it.
        image: None: it is done already.
        pixels: That it takes room for.
    """

    photo: Photo
    claim: filelock.BaseFileLock | None
    image: Future[np.ndarray] | None
    pixels: int


class _Work:
    """Images that are read ahead, looked at, and written behind."""

    def __init__(
        self,
        net: TrainedNet,
        predictions: Predictions,
        options: Options,
        tell: Callable[[JsonObject], object] | None,
        counter: Counter,
    ):
        self._net, self._predictions, self._options = net, predictions, options
        self._tell, self.claims = tell, Claims(predictions.out)
        self.counter, self.tally = counter, Tally()
        self._readers = ThreadPoolExecutor(_AHEAD)
        self._writers = ThreadPoolExecutor(2)
        self._writing: deque[tuple[Future[JsonObject], int]] = deque()
        self._held = 0  # Pixels of images that are read, or not written yet.

    def __enter__(self) -> "_Work":
        return self

    def __exit__(self, *_: object) -> None:
        self._readers.shutdown(cancel_futures=True)
        self._writers.shutdown()

    def through(self, listed: Iterable[Photo], wait: bool = False) -> list[Photo]:
        """Predict images that nobody has predicted.

        Args:
            listed: The images.
            wait: Whether to wait for those that other processes have.

        Returns:
            Those that other processes have.
        """
        taken: list[Photo] = []
        for ahead in self._read_ahead(listed, wait):
            if ahead.claim is None:
                taken.append(ahead.photo)
                continue
            self._settle(ahead, ahead.claim)
            self.counter.update()
            while len(self._writing) > _AHEAD:
                self._written()
        while self._writing:
            self._written()
        return taken

    def _settle(self, ahead: _Ahead, claim: filelock.BaseFileLock) -> None:
        """Predict an image that is ours, or let go of it."""
        if ahead.image is None:
            self.tally.before += 1
            claim.release()
            return
        try:
            seen = ahead.image.result()
        except (ValueError, OSError) as error:
            self._pass_over(ahead, claim, str(error))
            return
        progress = functools.partial(self.counter.within, ahead.photo.name)
        try:
            result = looked_at(self._net, seen, self._options, progress)
        except ValueError as error:
            if len(self._net.heads) > 1:  # It may be what is asked, not the image.
                raise
            self._pass_over(ahead, claim, f"{ahead.photo.source}: {error}")
            return
        written = self._writers.submit(self._write, ahead.photo, seen, result, claim)
        self._writing.append((written, ahead.pixels))

    def _pass_over(self, ahead: _Ahead, claim: filelock.BaseFileLock, why: str) -> None:
        """Let go of an image that cannot be read, or is none for the network."""
        claim.release()
        self._held -= ahead.pixels
        self.tally.failed.append(why)
        tqdm.write(f"passed over: {why}", file=sys.stderr)

    def _read_ahead(self, listed: Iterable[Photo], wait: bool) -> Iterator[_Ahead]:
        """Images, some read ahead, with their locks; those that are done unread.

        Who waits for a lock holds no other, or two processes might for each other.
        """
        most = 0 if wait else _AHEAD
        waiting: deque[_Ahead] = deque()
        for photo in listed:
            claim = self.claims.take(photo, wait)
            image, pixels = None, 0
            if claim is not None and not self._predictions.has(photo):
                pixels = photos.pixels(photo)
                while self._held and self._held + pixels > _MOST_AHEAD:
                    if self._writing:
                        self._written()
                    else:
                        yield waiting.popleft()
                self._held += pixels
                image = self._readers.submit(photos.read, photo)
            waiting.append(_Ahead(photo, claim, image, pixels))
            if len(waiting) > most:
                yield waiting.popleft()
        yield from waiting

    def _write(
        self,
        photo: Photo,
        image: np.ndarray,
        result: Result,
        claim: filelock.BaseFileLock,
    ) -> JsonObject:
        try:
            return self._predictions.write(photo, image, result, self._options)
        finally:
            claim.release()

    def _written(self) -> None:
        """Wait until the oldest of what is being written is."""
        written, pixels = self._writing.popleft()
        line = written.result()
        self._held -= pixels
        self.tally.done += 1
        if self._tell is not None:
            self._tell(line)


def looked_at(
    net: TrainedNet,
    image: np.ndarray,
    options: Options,
    progress: Callable[[float], object],
) -> Result:
    """What the network says of an image: at a size, by tiles, or as it is.

    Args:
        net: The network.
        image: uint8 RGB [H, W, 3].
        options: How it is looked at.
        progress: Is told the share that is done, of an image by tiles.

    Raises:
        ValueError: If it has several heads, and probabilities are needed.
    """
    size = (image.shape[0], image.shape[1])
    whole = options.tiles(*size) is None and not options.size
    if whole and not options.probs:
        labels = net.predict(image)
        assert not isinstance(labels, list)  # It was one image.
        return Result(labels if isinstance(labels, dict) else {"": labels})
    return _of_strips(net, size, options, strips(net, image, options, progress))


def strips(
    net: TrainedNet,
    image: np.ndarray,
    options: Options,
    progress: Callable[[float], object] = lambda _: None,
) -> Iterable[tiled.Strip]:
    """Class probabilities of an image, seen at a size, by tiles, or as it is.

    Args:
        net: The network; it has one head.
        image: uint8 RGB [H, W, 3].
        options: How it is looked at.
        progress: Is told the share of the tiles that is done.

    Returns:
        Strips of it from the top; see `tiled.probs`.
    """
    size = (image.shape[0], image.shape[1])
    if options.size:
        small = transforms.scaled_size(size, options.size / max(size))
        image = transforms.resize_image(image, small)
    seen = (image.shape[0], image.shape[1])
    tiles = options.tiles(*seen)
    if tiles is None:
        found: Iterable[tiled.Strip] = [(0, _probs(net, image))]
    else:
        found = tiled.probs(image, _asked(net, seen, tiles, progress), tiles)
    return tiled.resized(found, seen, size) if options.size else found


def _asked(
    net: TrainedNet,
    size: tuple[int, int],
    tiles: Tiles,
    progress: Callable[[float], object],
) -> Callable[[np.ndarray], np.ndarray]:
    """What says the class probabilities of a tile, and how far it is."""
    count = tiles.max_windows(size)
    number = itertools.count(1)

    def ask(tile: np.ndarray) -> np.ndarray:
        found = _probs(net, tile)
        progress(next(number) / count)
        return found

    return ask


def _probs(net: TrainedNet, image: np.ndarray) -> np.ndarray:
    """Class probabilities of an image, float32 [H, W, C].

    Raises:
        ValueError: If the network has several heads.
    """
    if len(net.heads) > 1:
        raise ValueError(
            f"tiles, sizes and probabilities are for networks with one head; this one "
            f"has {', '.join(head.name for head in net.heads)}: choose one with "
            f"--head={net.heads[0].name}, or leave them out (--tile=0 for large ones)."
        )
    found = net.predict_probs(image)
    assert isinstance(found, np.ndarray)  # It was one image.
    return found


def _of_strips(
    net: TrainedNet,
    size: tuple[int, int],
    options: Options,
    strips: Iterable[tiled.Strip],
) -> Result:
    """Labels of strips of probabilities, and these too if they are asked for."""
    labels, head = np.empty(size, np.uint8), net.heads[0]
    kept = np.empty((*size, head.num_classes), np.float16) if options.probs else None
    for row, strip in strips:
        labels[row : row + len(strip)] = strip.argmax(-1)
        if kept is not None:
            kept[row : row + len(strip)] = strip
    return Result({head.name: labels}, kept)


def made(net: TrainedNet, options: Options) -> JsonObject:
    """How predictions are made, as JSON.

    Args:
        net: The network.
        options: How images are looked at, and what is written.
    """
    return {
        "run": str(net.workdir.resolve()),
        "step": net.checkpoint.step,
        "scales": list(net.scales or (net.config.eval_scale,)),
        "flip": net.flip,
        "crf": net.config.crf.parameters,
        **_numbers_of(net.config.crf.parameters),
        "inference": net.config.inference.method,
        **({"head": net.head} if net.head else {}),
        **dataclasses.asdict(options),
    }


def _numbers_of(parameters: str) -> JsonObject:
    """The numbers of a CRF that a file has, which may be written anew."""
    if not parameters or parameters in crf.PARAMETERS:
        return {}
    return {"crf_numbers": crf.get_parameters(parameters)}
