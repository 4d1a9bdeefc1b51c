"""Photographs through a trained network, into a directory of predictions."""

import dataclasses
import functools
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import filelock
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from fcn_jax.data import photos, transforms
from fcn_jax.data.photos import Photo
from fcn_jax.inference import tiled
from fcn_jax.inference.windows import Tiles
from fcn_jax.ops import resizing
from fcn_jax.runs.predicted import Claims, Kinds, Predictions, Result
from fcn_jax.runs.trained import TrainedNet
from fcn_jax.storage.files import JsonObject

_AHEAD = 4  # Images that are read, and results that are written, beside the network.
_MOST_PIXELS = 4_000_000  # Of an image that is seen whole, unless that is asked for.
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
            large = height * width > _MOST_PIXELS
        else:
            large = 0 < self.tile < max(height, width)
        return Tiles(self.tile or _TILE, self.overlap) if large else None


@dataclasses.dataclass
class Tally:
    """What became of the images.

    Attributes:
        done: Predicted now.
        before: Predicted by an earlier start, or by another process meanwhile.
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
        overwrite: Whether to remove the predictions that are there first.
        tell: Is given what predictions.jsonl says of each image.

    Returns:
        What became of them. An image that cannot be read is passed over, and named on
        the standard error.

    Raises:
        ValueError: If the directory holds predictions that were made otherwise, or of
            other images by the same names, or probabilities are asked for of a network
            with several heads.
        OSError: If something cannot be written.
    """
    options = options or Options()
    predictions = Predictions(out, net.heads, _made(net, options))
    if overwrite:
        predictions.remove()
    predictions.check()
    predictions.check_names(listed)
    work = _Work(net, predictions, options, tell)
    start = time.perf_counter()
    bar = tqdm(total=len(listed), unit="image", disable=None, leave=False)
    with bar, photos.room_for_large_images(), work:
        taken = work.through(listed, bar.update)
        # What other processes have may be left to us, if they end.
        work.through(taken, bar.update, wait=True)
    work.tally.seconds = time.perf_counter() - start
    work.claims.close()
    return work.tally


class _Work:
    """Images that are read ahead, looked at, and written behind."""

    def __init__(
        self,
        net: TrainedNet,
        predictions: Predictions,
        options: Options,
        tell: Callable[[JsonObject], object] | None,
    ):
        self._net, self._predictions, self._options = net, predictions, options
        self._tell, self.claims = tell, Claims(predictions.out)
        self.tally = Tally()
        self._readers = ThreadPoolExecutor(_AHEAD)
        self._writers = ThreadPoolExecutor(2)
        self._writing: deque[Future[JsonObject]] = deque()

    def __enter__(self) -> "_Work":
        return self

    def __exit__(self, *_: object) -> None:
        self._readers.shutdown(cancel_futures=True)
        self._writers.shutdown()

    def through(
        self,
        listed: Iterable[Photo],
        progress: Callable[[int], object],
        wait: bool = False,
    ) -> list[Photo]:
        """Predict images that nobody has predicted.

        Args:
            listed: The images.
            progress: Called with 1 for each that is settled.
            wait: Whether to wait for those that other processes have.

        Returns:
            Those that other processes have.
        """
        taken: list[Photo] = []
        for photo, claim, image in self._read_ahead(listed, wait):
            if claim is None:
                taken.append(photo)
                continue
            self._settle(photo, claim, image)
            progress(1)
            while len(self._writing) > _AHEAD:
                self._told(self._writing.popleft())
        while self._writing:
            self._told(self._writing.popleft())
        return taken

    def _settle(
        self,
        photo: Photo,
        claim: filelock.BaseFileLock,
        image: Future[np.ndarray] | None,
    ) -> None:
        """Predict an image that is ours, or let go of it."""
        if image is None:
            self.tally.before += 1
            claim.release()
            return
        try:
            seen = image.result()
        except (ValueError, OSError) as error:
            claim.release()
            self.tally.failed.append(str(error))
            tqdm.write(f"passed over: {error}", file=sys.stderr)
            return
        result = _looked_at(self._net, seen, self._options)
        self._writing.append(
            self._writers.submit(self._write, photo, seen, result, claim)
        )

    def _read_ahead(
        self, listed: Iterable[Photo], wait: bool
    ) -> Iterator[
        tuple[Photo, filelock.BaseFileLock | None, Future[np.ndarray] | None]
    ]:
        """Images, some read ahead, with their locks; those that are done unread.

        Who waits for a lock holds no other, or two processes might for each other.
        """
        ahead = 0 if wait else _AHEAD
        waiting: deque[tuple] = deque()
        for photo in listed:
            claim = self.claims.take(photo, wait)
            image = None
            if claim is not None and not self._predictions.has(photo):
                image = self._readers.submit(photos.read, photo)
            waiting.append((photo, claim, image))
            if len(waiting) > ahead:
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

    def _told(self, written: Future[JsonObject]) -> None:
        line = written.result()
        self.tally.done += 1
        if self._tell is not None:
            self._tell(line)


def _looked_at(net: TrainedNet, image: np.ndarray, options: Options) -> Result:
    """What the network says of an image: at a size, by tiles, or as it is."""
    height, width = image.shape[:2]
    tiles = options.tiles(height, width)
    if options.size:
        factor = options.size / max(height, width)
        small = transforms.scaled_size((height, width), factor)
        found = _probs(net, transforms.resize_image(image, small))
        resized = _resized(found, (height, width))
        return _of_strips(net, (height, width), options, [(0, resized)])
    if tiles is not None:
        strips = tiled.probs(image, functools.partial(_probs, net), tiles)
        return _of_strips(net, (height, width), options, strips)
    if options.probs:
        return _of_strips(net, (height, width), options, [(0, _probs(net, image))])
    labels = net.predict(image)
    assert not isinstance(labels, list)  # It was one image.
    return Result(labels if isinstance(labels, dict) else {"": labels})


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
) -> Result:
    """Labels of strips of probabilities, and these too if they are asked for."""
    labels = np.empty(size, np.uint8)
    (head,) = net.heads
    kept = np.empty((*size, head.num_classes), np.float16) if options.probs else None
    for row, strip in strips:
        labels[row : row + len(strip)] = strip.argmax(-1)
        if kept is not None:
            kept[row : row + len(strip)] = strip
    return Result({head.name: labels}, kept)


def _made(net: TrainedNet, options: Options) -> JsonObject:
    """How predictions are made."""
    return {
        "run": str(net.workdir.resolve()),
        "step": net.checkpoint.step,
        "scales": list(net.scales or (net.config.eval_scale,)),
        "flip": net.flip,
        "crf": net.config.crf.parameters,
        "inference": net.config.inference.method,
        **dataclasses.asdict(options),
    }
