"""Names and colours of the classes of a data set.

References:
    PASCAL VOC development kit, VOClabelcolormap.m (the palette, by bits of the label).
"""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

IGNORE_LABEL = 255
MAX_CLASSES = 255  # Labels are uint8, and 255 is void.
_COLOUR_LINE = re.compile(r"(?:(?P<name>.*\S)\s+)?(\d+)\s+(\d+)\s+(\d+)")


@dataclasses.dataclass(frozen=True, eq=False)
class LabelSet:
    """What the labels of a data set stand for.

    Attributes:
        name: Of the set.
        classes: Names, in the order of the labels.
        palette: Colour of every label, uint8 RGB [256, 3].
        ignore_label: The label of void pixels, which are ignored.
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


# Of the built-in shapes.
SHAPES = ("background", "disc", "square", "triangle", "star", "ring", "cross")


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


def read_palette(path: str | Path, classes: Sequence[str]) -> np.ndarray:
    """Colours of the classes from a text file, `R G B` or `name R G B` a line.

    The lines are in the order of the classes; names are checked, where they are given.
    One more line, `void R G B`, may give the colour of void, which is VOC's without
    it. Blank lines do not count.

    Args:
        path: The file.
        classes: Names, in the order of the labels.

    Returns:
        Colour of every label, uint8 RGB [256, 3]. Labels that are no class repeat the
        colour of the first one, so that a mask cannot hold them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming the line, if one is no colour, repeats one or names another
            class; if there are more or fewer colours than classes; or if the file is
            no text.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{path} does not exist; expected a text file with a line 'R G B' or "
            f"'name R G B' for each class."
        )
    colours: dict[int, tuple[int, ...]] = {}  # Of every label.
    lines: dict[tuple[int, ...], int] = {}  # Where each colour stands.
    next_label = number = 0
    for number, line in _numbered_lines(path):
        where = f"{path}, line {number}"
        name, colour = _parse_colour(line, where)
        if colour in lines:
            raise ValueError(
                f"{where}: colour {colour} stands on line {lines[colour]} already; a "
                f"mask could not tell the two apart."
            )
        lines[colour] = number
        if name == "void" and name not in classes:
            if IGNORE_LABEL in colours:
                raise ValueError(f"{where}: void has a colour already; give it one.")
            colours[IGNORE_LABEL] = colour
            continue
        if next_label == len(classes):
            raise ValueError(
                f"{where}: {line!r} is one colour more than the {len(classes)} classes "
                f"({', '.join(classes)}); take it off, or add its class to "
                f"classes.txt. Void is a line 'void R G B'."
            )
        if name is not None and name != classes[next_label]:
            raise ValueError(
                f"{where}: {name!r} stands where class {next_label} is "
                f"{classes[next_label]!r}; list the colours in the order of the "
                f"classes, {', '.join(classes)}."
            )
        colours[next_label] = colour
        next_label += 1
    if next_label < len(classes):
        raise ValueError(
            f"{path} ends after line {number} without a colour for class {next_label}, "
            f"{classes[next_label]!r}; give one a class."
        )
    palette = np.tile(np.array(colours[0], np.uint8), (256, 1))
    palette[IGNORE_LABEL] = VOC.palette[IGNORE_LABEL]
    for label, colour in colours.items():
        palette[label] = colour
    return palette


def _parse_colour(line: str, where: str) -> tuple[str | None, tuple[int, ...]]:
    """The name, if there is one, and the colour of a line."""
    match = _COLOUR_LINE.fullmatch(line)
    colour = tuple(int(part) for part in match.groups()[1:]) if match else ()
    if not match or max(colour) > 255:
        raise ValueError(
            f"{where}: {line!r} is no colour; expected 'R G B' or 'name R G B', "
            f"numbers from 0 to 255."
        )
    return match["name"], colour


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file in UTF-8 that are not blank, stripped.

    Raises:
        ValueError: If the file is not in UTF-8.
    """
    return [line for _, line in _numbered_lines(path)]


def _numbered_lines(path: str | Path) -> list[tuple[int, str]]:
    """`read_lines`, each with its number in the file, from 1."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # Some editors write a mark.
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error}); save it so.") from None
    numbered = enumerate(text.splitlines(), start=1)
    return [(number, line.strip()) for number, line in numbered if line.strip()]
