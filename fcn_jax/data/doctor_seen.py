"""What an examination sees of one image and its mask."""

import dataclasses
import hashlib

import numpy as np
from PIL import Image

_THIN = 4  # Labels without an inner pixel from which on a mask is taken for smoothed.


@dataclasses.dataclass
class Seen:
    """What one image and its mask are.

    Attributes:
        split: Where it is listed.
        index: Its place there.
        name: Its id.
        size: Height and width as a batch has it; None: it could not be read.
        counts: Pixels of each value of the labels, int64 [256]; None likewise.
        others: The same of heads beside the first, by name.
        digest: Of the image's pixels, or of a smaller draft of them; b"" likewise.
        stored: How the mask holds labels: "palette", "grey", "rgb"; "": not told.
        turned: Whether the image has an EXIF orientation.
        smoothed: Whether most of its labels lie along borders alone.
        faults: (what was looked at, the error, its file) of what is wrong.
    """

    split: str
    index: int
    name: str
    size: tuple[int, int] | None = None
    counts: np.ndarray | None = None
    others: dict[str, np.ndarray] = dataclasses.field(default_factory=lambda: {})
    digest: bytes = b""
    stored: str = ""
    turned: bool = False
    smoothed: bool = False
    faults: list[tuple[str, Exception, str]] = dataclasses.field(
        default_factory=lambda: []
    )

    def fault(self, check: str, error: Exception, file: str) -> None:
        """Note what is wrong.

        Args:
            check: What was looked at.
            error: What was raised.
            file: The file.
        """
        self.faults.append((check, error, file))

    def labelled(self, labels: np.ndarray) -> None:
        """Note what labels there are, uint8 [H, W]."""
        self.counts = counted(labels)
        self.smoothed = _is_smoothed(labels, self.counts)


def counted(labels: np.ndarray) -> np.ndarray:
    """Pixels of each value, int64 [256], of labels, uint8 [H, W]."""
    # Pillow counts bytes several times as fast as NumPy does.
    return np.array(Image.fromarray(labels).histogram())


def digest_of(pixels: np.ndarray) -> bytes:
    """A hash of an image."""
    total = hashlib.blake2b(str(pixels.shape).encode(), digest_size=16)
    total.update(pixels.tobytes())
    return total.digest()


def _is_smoothed(labels: np.ndarray, counts: np.ndarray) -> bool:
    """Whether more labels lie along borders alone than have a pixel amid their own."""
    if np.count_nonzero(counts) < _THIN:
        return False
    if min(labels.shape) < 3:
        return False
    inner = labels[1:-1, 1:-1]
    amid = inner == labels[:-2, 1:-1]
    for other in (labels[2:, 1:-1], labels[1:-1, :-2], labels[1:-1, 2:]):
        amid &= inner == other
    if not amid.any():
        return False
    solid = np.count_nonzero(Image.fromarray(inner[amid][None]).histogram())
    thin = np.count_nonzero(counts) - solid
    return bool(_THIN <= thin > solid)
