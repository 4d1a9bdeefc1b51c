"""Videos, read and written frame by frame with PyAV, an extra.

One frame is held at a time. Audio is neither read nor written.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fcn_jax import messages

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

VIDEO_ENDINGS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
_CODECS = ("libx264", "mpeg4")  # Of what is written; the first that is there.
_QUALITY = {"libx264": {"crf": "18", "preset": "fast"}, "mpeg4": {"qscale": "2"}}
# Of FFmpeg; others that it has are lists, which lead to other files, or to the network.
_FORMATS = (
    *("mov", "avi", "matroska", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg"),
    *("gif", "yuv4mpegpipe", "h264", "hevc"),
)
_FILES_ALONE = {"protocol_whitelist": "file", "format_whitelist": ",".join(_FORMATS)}
_MISSING = 0.5  # Seconds that a whole video may lack of what its header says.


class Frame(NamedTuple):
    """A picture of a video.

    Attributes:
        number: Its place, from 0 on.
        time: In units of the time base of the video, from the first on.
        image: uint8 RGB [H, W, 3], turned as it is to be seen.
    """

    number: int
    time: int
    image: np.ndarray


class BrokenVideo(ValueError):
    """A video that cannot be read to its end."""


def is_video(path: Path | None) -> bool:
    """Whether a file is taken for a video: by its ending.

    Args:
        path: The file; None: it is none.
    """
    return path is not None and path.suffix.lower() in VIDEO_ENDINGS


def check_installed() -> None:
    """Refuse to begin without PyAV.

    Raises:
        ImportError: If it is not there.
    """
    if messages.lacking(["av"]):
        raise ImportError("videos need PyAV: pip install av (the extra [video])")


class Video:
    """A video file, open; a context that closes it.

    Args:
        path: The file.

    Attributes:
        path: As given.
        rate: Frames a second, on average.
        time_base: Seconds of a unit of `Frame.time`.
        about: Frames, as far as the header tells; 0: it does not.

    Raises:
        BrokenVideo: If it is no video that can be read.
        FileNotFoundError: If there is no such file.
        ImportError: If PyAV is not there.
    """

    def __init__(self, path: Path):
        check_installed()
        from av.error import FFmpegError

        self.path = path
        try:
            self._container: InputContainer = _opening()(
                _address(path), options=_FILES_ALONE
            )
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path} does not exist.") from error
        except (FFmpegError, OSError) as error:
            raise BrokenVideo(
                f"{path} cannot be read as a video ({error.strerror}); it may be cut "
                f"off, or none: copy it anew, or take it out."
            ) from error
        if not self._container.streams.video:
            self._container.close()
            raise BrokenVideo(f"{path} holds no pictures; take it out.")
        self._stream: VideoStream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.rate = self._stream.average_rate or Fraction(25)
        self.time_base = self._stream.time_base or 1 / self.rate
        self.about = self._stream.frames or round((self._seconds() or 0) * self.rate)

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def frames(self, every: int = 1) -> Iterator[Frame]:
        """The frames in turn.

        Args:
            every: One of as many is taken, from the first on.

        Raises:
            BrokenVideo: After the last one that can be read, if there should be more;
                if one is damaged, or of another size than the first.
        """
        from av.error import FFmpegError

        number, first, last = 0, 0, -1
        size: tuple[int, int] | None = None
        try:
            for frame in self._container.decode(self._stream):
                size = size or (frame.height, frame.width)
                if frame.is_corrupt or (frame.height, frame.width) != size:
                    what = "is damaged" if frame.is_corrupt else "has another size"
                    raise self._broken(number, f"the next {what}")
                time = self._step() * number if frame.pts is None else frame.pts
                first = time if number == 0 else first
                last = max(time - first, last + 1)  # Times of a bad file may go back.
                if number % every == 0:
                    yield Frame(number, last, _upright(frame))
                number += 1
        except FFmpegError as error:
            raise self._broken(number, str(error.strerror)) from error
        if number == 0:
            raise self._broken(0, "there is none")
        self._check_end(number, last)

    def _check_end(self, number: int, last: int) -> None:
        """Raise where there should be more: by MP4's index, or by how long it is."""
        if "mp4" in self._container.format.name:
            entries = self._stream.index_entries
            ends = max((entry.pos + entry.size for entry in entries), default=0)
            if ends > self.path.stat().st_size:
                raise self._broken(number, "the end of the file is missing")
            return
        expected = self._seconds()
        if expected is None:
            return
        seconds = float(last * self.time_base + 1 / self.rate)
        if seconds < expected - _MISSING:
            text = f"that is {seconds:.1f} of {expected:.1f} seconds"
            raise self._broken(number, text)

    def _seconds(self) -> float | None:
        """How long it is by its header; None: that does not tell of the pictures."""
        stream = self._stream
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        if len(self._container.streams) == 1 and self._container.duration:
            return self._container.duration / 1_000_000
        return None

    def _step(self) -> int:
        """How long a frame is, in units of time."""
        return max(1, round(1 / (self.rate * self.time_base)))

    def _broken(self, number: int, why: str) -> BrokenVideo:
        return BrokenVideo(
            f"{self.path} breaks off after {number} frames ({why}); copy it anew, or "
            f"take it out."
        )


def _opening() -> Callable[..., "InputContainer"]:
    """What opens a video whose titles may be no UTF-8: PyAV 19 asks for nothing."""
    import av

    if int(av.__version__.split(".")[0]) < 19:
        return partial(av.open, metadata_errors="replace")
    return av.open


def _address(path: Path) -> str:
    """A path as FFmpeg takes it: what stands before a colon would be a protocol."""
    return str(path.absolute())


def _upright(frame: "VideoFrame") -> np.ndarray:
    """A frame as it is to be seen: cameras store how they were held."""
    image = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


class Writer:
    """A video that is written frame by frame, until it is closed.

    An MP4 of H.264, of the size of its first frame.

    Args:
        path: The file, of any name.
        rate: Frames a second, on average.
        time_base: Seconds of a unit of the frames' times.
    """

    def __init__(self, path: Path, rate: Fraction, time_base: Fraction):
        import av

        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(_address(path), "w", format="mp4")
        name = next(c for c in _CODECS if c in av.codecs_available)
        stream = self._container.add_stream(name, rate=rate, options=_QUALITY[name])
        assert isinstance(stream, av.VideoStream)  # By its codec.
        self._stream: VideoStream = stream
        self._stream.codec_context.time_base = time_base
        self._time_base, self._begun = time_base, False

    def close(self, whole: bool = True) -> None:
        """Write the end.

        Args:
            whole: Whether the file is to be one that can be read.
        """
        try:
            if whole and self._begun:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def add(self, image: np.ndarray, time: int) -> None:
        """Add a frame.

        Args:
            image: uint8 RGB [H, W, 3], of the size of the first.
            time: In units of the time base, after that of the one before.
        """
        import av

        height, width = image.shape[:2]
        if not self._begun:
            self._stream.height, self._stream.width = height, width
            # Pairs of pixels share a colour where there are pairs.
            odd = height % 2 or width % 2
            self._stream.pix_fmt = "yuv444p" if odd else "yuv420p"
            self._begun = True
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = time, self._time_base
        self._container.mux(self._stream.encode(frame))
