"""Photographs through a trained network, into a directory of predictions."""

import dataclasses
import functools
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
from fcn_jax.data import photos
from fcn_jax.data.photos import Photo
from fcn_jax.runs import given, looking
from fcn_jax.runs.looking import Options
from fcn_jax.runs.predicted import Claims, Predictions, Result
from fcn_jax.runs.progress import Counter, Tally
from fcn_jax.runs.trained import TrainedNet
from fcn_jax.storage import files
from fcn_jax.storage.files import JsonObject

_AHEAD = 4  # Images that are read, and results that are written, beside the network.
_MOST_AHEAD = 50_000_000  # Pixels of images that are held beside the one looked at.


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
            with several heads, or the network sees more than colours and
            `options` have no depth.
        FileNotFoundError: If there is no folder of depth.
        OSError: If something cannot be written.
    """
    options = options or Options()
    _check_channels(net, options)
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


def _check_channels(net: TrainedNet, options: Options) -> None:
    """Raise unless photographs, with depth if there is any, are what a network sees.

    Raises:
        ValueError: If they are not.
        FileNotFoundError: If there is no folder of depth.
    """
    if options.depth is None:
        given.check_photos(net.preprocessing, net.workdir)
        return
    sees, is_given = net.preprocessing.channels_given, options.depth.inputs.upper()
    if sees != is_given:
        raise ValueError(f"{net.workdir} sees {sees}, and would be given {is_given}.")
    options.depth.check()


class _Seen(NamedTuple):
    """A photograph: uint8 RGB [H, W, 3], and what the network sees of it."""

    colours: np.ndarray
    image: np.ndarray


class _Ahead(NamedTuple):
    """An image on its way: its lock, and its pixels, when they are read.

    Attributes:
        claim: None: another process has it.
        image: None: it is done already.
        pixels: That it takes room for.
    """

    photo: Photo
    claim: filelock.BaseFileLock | None
    image: Future[_Seen] | None
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
            result = looking.looked_at(self._net, seen.image, self._options, progress)
        except ValueError as error:
            if len(self._net.heads) > 1:  # It may be what is asked, not the image.
                raise
            self._pass_over(ahead, claim, f"{ahead.photo.source}: {error}")
            return
        written = self._writers.submit(
            self._write, ahead.photo, seen.colours, result, claim
        )
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
                image = self._readers.submit(self._read, photo)
            waiting.append(_Ahead(photo, claim, image, pixels))
            if len(waiting) > most:
                yield waiting.popleft()
        yield from waiting

    def _read(self, photo: Photo) -> _Seen:
        colours, depth = photos.read(photo), self._options.depth
        return _Seen(colours, depth.beside(photo, colours) if depth else colours)

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
