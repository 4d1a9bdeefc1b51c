"""Names and colours of the classes of a data set.

References:
    PASCAL VOC development kit, VOClabelcolormap.m (the palette, by bits of the label).
"""

import dataclasses
from pathlib import Path

import numpy as np

IGNORE_LABEL = 255
MAX_CLASSES = 255  # Labels are uint8, and 255 is void.


@dataclasses.dataclass(frozen=True, eq=False)
class LabelSet:
    """What the labels of a data set stand for.

    Attributes:
        name: Of the set.
        classes: Names, in the order of the labels.
        palette: Colour of every label, uint8 RGB [256, 3].
        ignore_label: The label of pixels that count nowhere.
    """

    name: str
    classes: tuple[str, ...]
    palette: np.ndarray
    ignore_label: int = IGNORE_LABEL


def voc_palette() -> np.ndarray:
    """The colour map of PASCAL VOC, uint8 RGB [256, 3]; 255 is (224, 224, 192).

    Bits 0, 3 and 6 of a label are the upper bits of red, bits 1, 4 and 7 of green,
    bits 2 and 5 of blue.
    """
    labels = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for channel in range(3):
        for bit in range(8):
            if 3 * bit + channel < 8:
                value = (labels >> (3 * bit + channel)) & 1
                palette[:, channel] |= (value << (7 - bit)).astype(np.uint8)
    return palette


VOC = LabelSet(
    "voc",
    (
        "background",
        "aeroplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ),
    voc_palette(),
)


def read_classes(path: str | Path) -> tuple[str, ...]:
    """Class names from a text file, a name a line; blank lines do not count.

    Args:
        path: The file, such as ROOT/classes.txt.

    Raises:
        ValueError: If there is no name, one stands twice, there are more than 255, or
            the file is no text.
    """
    names = read_lines(path)
    if not names:
        raise ValueError(f"{path} names no class; write one name a line.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{path} names {twice[0]!r} more than once; names must differ."
        )
    if len(names) > MAX_CLASSES:
        raise ValueError(
            f"{path} names {len(names)} classes; labels are 8 bits with 255 for void, "
            f"so at most {MAX_CLASSES} are possible."
        )
    return tuple(names)


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file in UTF-8 that are not blank, stripped.

    Raises:
        ValueError: If the file is not in UTF-8.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # Some editors write a mark.
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error}); save it so.") from None
    return [line.strip() for line in text.splitlines() if line.strip()]
