"""Videos through a trained network: an overlay video each, and labels of frames."""

import contextlib
import dataclasses
import math
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from fcn_jax import viz
from fcn_jax.data import videos
from fcn_jax.data.contracts import Head
from fcn_jax.data.photos import Photo
from fcn_jax.data.videos import BrokenVideo, Frame, Video, Writer
from fcn_jax.runs import looking, prediction
from fcn_jax.runs.looking import Options
from fcn_jax.runs.predicted import Claims, Predictions, Result
from fcn_jax.runs.progress import Counter, Tally
from fcn_jax.runs.trained import TrainedNet
from fcn_jax.storage import files
from fcn_jax.storage.files import JsonObject

_DIGITS = 6  # Of a frame's number in the name of its labels.


@dataclasses.dataclass(frozen=True)
class Frames:
    """Which frames of a video are predicted, and what is kept of each.

    Attributes:
        every: One of as many, from the first on.
        labels: Whether a palette PNG of each is written: labels/NAME/000000.png.

    Raises:
        ValueError: If `every` is not positive.
    """

    every: int = 1
    labels: bool = False

    def __post_init__(self):
        if self.every < 1:
            raise ValueError(
                f"every={self.every} is not positive; 1 takes each frame of a video."
            )


def predict(
    net: TrainedNet,
    listed: Sequence[Photo],
    out: str | Path,
    options: Options | None = None,
    frames: Frames | None = None,
    tell: Callable[[JsonObject], object] | None = None,
) -> Tally:
    """Predict videos into a directory; those that are there already are left.

    overlays/NAME.mp4, of the size and the speed of the video and without its sound;
    labels/NAME/NUMBER.png, if asked for; and a line of predictions.jsonl, written last;
    of several heads in a folder each. One frame is held at a time, beside the next that
    is read and the last that is written.

    Args:
        net: The network.
        listed: The videos.
        out: The directory, as `prediction.predict` has prepared it.
        options: How a frame is looked at, and whether overlays are written.
        frames: Which are taken; None: all.
        tell: Is given a line for each frame, as of an image, with its number.

    Returns:
        What became of them: `done` counts frames, `before` videos. Of a video that
        breaks off, what could be read is kept, and it is named.

    Raises:
        ImportError: If PyAV is not there.
        ValueError: If probabilities are asked for, or the directory holds predictions
            that were made otherwise, or of others by the same names, or of images in
            a folder that labels of frames would take the place of.
        OSError: If something cannot be written.
    """
    options, frames = options or Options(), frames or Frames()
    videos.check_installed()
    if options.probs:
        raise ValueError(
            f"probs={options.probs!r} is for images; of videos overlays and labels are "
            f"written: give the one after the other."
        )
    predictions = Predictions(out, net.heads, prediction.made(net, options))
    predictions.check()
    predictions.check_names(listed)
    if frames.labels:
        _check_folders(predictions, listed)
    claims, tally = Claims(predictions.out), Tally()
    start = time.perf_counter()
    try:
        for video in listed:
            claim = claims.take(video, wait=True)
            assert claim is not None  # It was waited for.
            try:
                if _is_done(predictions, video, options, frames):
                    tally.before += 1
                else:
                    work = _Work(net, predictions, options, frames, tell)
                    _passed_through(work, video, tally)
            finally:
                claim.release()
    finally:
        claims.close()
    tally.seconds = time.perf_counter() - start
    return tally


def _check_folders(predictions: Predictions, listed: Sequence[Photo]) -> None:
    """Refuse videos whose labels would take the place of those of others."""
    folders: dict[str, str] = {}
    there = [line["name"] for line in predictions.lines.read()]
    for name in (*there, *(video.name for video in listed)):
        for folder in PurePosixPath(name).parents:
            folders.setdefault(str(folder), name)
    for video in listed:
        if video.name in folders:
            raise ValueError(
                f"labels of the frames of {video.path} would take the place of "
                f"labels/{video.name}, where those of {folders[video.name]} are; give "
                f"another --out, or rename the video."
            )


def _passed_through(work: "_Work", video: Photo, tally: Tally) -> None:
    """Predict a video; one that cannot be read whole is named."""
    try:
        work.through(video)
    except (BrokenVideo, FileNotFoundError) as error:
        tally.failed.append(str(error))
        kept = f" {work.done} frames are kept." if work.done else ""
        tqdm.write(f"passed over: {error}{kept}", file=sys.stderr)
    tally.done += work.done


def _is_done(
    predictions: Predictions, video: Photo, options: Options, frames: Frames
) -> bool:
    """Whether a video is predicted to its end, as it is asked for."""
    lines = [each for each in predictions.lines.read() if each["name"] == video.name]
    last = lines[-1] if lines else {}
    if last.get("broken", True) or last.get("every") != frames.every:
        return False
    places = _places(predictions, video, options, frames)
    return all(place.path.exists() for place in places)


@dataclasses.dataclass(frozen=True)
class _Place:
    """What is written of a head: an overlay video, or a folder of labels.

    Attributes:
        path: Its name, once it is whole.
        part: Its name until then.
        head: Whose it is.
        is_video: Whether it is a video.
    """

    path: Path
    part: Path
    head: Head
    is_video: bool


def _places(
    predictions: Predictions, video: Photo, options: Options, frames: Frames
) -> list[_Place]:
    """What is written of a video."""
    found: list[_Place] = []
    for kind, name, wanted in (
        ("overlays", f"{video.name}.mp4", options.overlays),
        ("labels", video.name, frames.labels),
    ):
        for head in predictions.heads if wanted else ():
            path = predictions.out / kind / head.name / name
            part = files.part_of(path)
            found.append(_Place(path, part, head, kind == "overlays"))
    return found


class _Outputs:
    """What is written of a video: under its names when it is whole, or breaks off.

    Args:
        places: Files and folders.
        video: What they are made of.
    """

    def __init__(self, places: Sequence[_Place], video: Video):
        self._places, self._video = places, video
        self._writers: dict[Path, Writer] = {}

    def __enter__(self) -> "_Outputs":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            for path, writer in self._writers.items():
                with files.writing(path):
                    writer.close(whole=kind is None)
            for place in self._places if kind is None else ():
                if place.part.exists():
                    # What another start has left.
                    shutil.rmtree(place.path, ignore_errors=True)
                    files.give_name(place.part, place.path)
        finally:
            for place in self._places:
                shutil.rmtree(place.part, ignore_errors=True)
                with contextlib.suppress(OSError):
                    place.part.unlink(missing_ok=True)

    def add(self, frame: Frame, result: Result) -> None:
        """Write what was found of a frame.

        Args:
            frame: The frame.
            result: What was found.
        """
        for place in self._places:
            labels, palette = result.labels[place.head.name], place.head.palette
            if not place.is_video:
                number = f"{frame.number:0{_DIGITS}}.png"
                viz.save_label_png(place.part / number, labels, palette)
                continue
            with files.writing(place.path):
                drawn = viz.overlay(frame.image, labels, palette=palette)
                self._writer(place).add(drawn, frame.time)

    def _writer(self, place: _Place) -> Writer:
        """Writes a video; it is begun with the first frame."""
        found = self._writers.get(place.path)
        if found is None:
            video = self._video
            found = Writer(place.part, video.rate, video.time_base)
            self._writers[place.path] = found
        return found


class _Work:
    """A video that is read ahead, looked at, and written behind, a frame each.

    Attributes:
        done: Frames.
    """

    def __init__(
        self,
        net: TrainedNet,
        predictions: Predictions,
        options: Options,
        frames: Frames,
        tell: Callable[[JsonObject], object] | None,
    ):
        self._net, self._predictions, self._options = net, predictions, options
        self._frames, self._tell = frames, tell
        self.done, self._size = 0, (0, 0)

    def through(self, photo: Photo) -> None:
        """Predict a video.

        Args:
            photo: Its name and its file.

        Raises:
            BrokenVideo: Once what can be read is written, if it breaks off, or a frame
                is none for the network.
            FileNotFoundError: If the file is gone.
            OSError: If something cannot be written.
        """
        assert photo.path is not None  # Those from the standard input are images.
        places = _places(self._predictions, photo, self._options, self._frames)
        broken: BrokenVideo | None = None
        with Video(photo.path) as video, _Outputs(places, video) as outputs:
            self._predictions.begin()
            try:
                self._frames_of(photo, video, outputs)
            except BrokenVideo as error:
                broken = error
        if self.done:
            self._predictions.lines.append(
                {
                    "image": photo.source,
                    "name": photo.name,
                    "height": self._size[0],
                    "width": self._size[1],
                    "frames": self.done,
                    "every": self._frames.every,
                    "broken": broken is not None,
                }
            )
        if broken is not None:
            raise broken

    def _frames_of(self, photo: Photo, video: Video, outputs: _Outputs) -> None:
        """Look at each frame, while the next is read and the last is written."""
        source = video.frames(self._frames.every)
        written: Future[None] | None = None
        counter = Counter(math.ceil(video.about / self._frames.every))
        with counter, ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            coming = reader.submit(next, source, None)
            try:
                while (frame := coming.result()) is not None:
                    coming = reader.submit(next, source, None)
                    result = self._looked_at(photo, frame)
                    if written is not None:
                        written.result()
                    written = writer.submit(outputs.add, frame, result)
                    self.done += 1
                    counter.update()
            finally:
                if written is not None:
                    written.result()

    def _looked_at(self, photo: Photo, frame: Frame) -> Result:
        try:
            result = looking.looked_at(
                self._net, frame.image, self._options, lambda _: None
            )
        except ValueError as error:
            if len(self._net.heads) > 1:  # It may be what is asked, not the frame.
                raise
            raise BrokenVideo(f"{photo.path}, frame {frame.number}: {error}") from error
        self._size = (frame.image.shape[0], frame.image.shape[1])
        if self._tell is not None:
            line = self._predictions.line(photo, result.labels)
            self._tell({**line, "frame": frame.number})
        return result
