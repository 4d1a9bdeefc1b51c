"""Class names and colours in text files, in the forms that annotation tools write.

| file | a line | written by |
| --- | --- | --- |
| classes.txt | name | people |
| labelmap.txt | name:R,G,B:parts:actions | CVAT, Datumaro |
| class_names.txt | name | labelme's labelme2voc.py |
| label_colors.txt | R G B name | CamVid, Datumaro |
| class_dict.csv | name,r,g,b | Kaggle, Semantic Segmentation Suite |

Every form is read from every file: what a line is shows by itself.
"""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fcn_jax import messages
from fcn_jax.data.label_sets import IGNORE_LABEL, MAX_CLASSES, VOC

# Looked for in this order in the root of a folder.
FILES = (
    "classes.txt",
    "labelmap.txt",
    "class_names.txt",
    "label_colors.txt",
    "class_dict.csv",
)
# What the tools call pixels that are no class.
_VOID = ("void", "ignored", "ignore", "__ignore__")

Colour = tuple[int, int, int]

_NUMBERS = r"(?P<red>\d+)[\s,]+(?P<green>\d+)[\s,]+(?P<blue>\d+)"
_FORMS = (
    re.compile(rf"(?:(?P<name>.*[^\s,])[\s,]+)?{_NUMBERS}"),
    re.compile(rf"{_NUMBERS}[\s,]+(?P<name>\S.*)"),
)
_HEX_FORMS = (
    re.compile(r"(?:(?P<name>.*[^\s,])[\s,]+)?#(?P<hex>[0-9a-fA-F]{6})"),
    re.compile(r"#(?P<hex>[0-9a-fA-F]{6})[\s,]+(?P<name>\S.*)"),
)
_LABELMAP = re.compile(r"(?P<name>[^:]+):(?P<colour>[^:]*):[^:]*:[^:]*")
_COMMENT = re.compile(r"#\s")  # "#808080 sky" is a colour.
_HEADER = re.compile(
    r"\s*(name|class|label)\w*\s*,\s*r(ed)?\s*,\s*g(reen)?\s*,\s*b(lue)?\s*",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Line:
    """What a line says of a class.

    Attributes:
        number: Of the line in its file, from 1.
        text: The line.
        name: Of the class; None: the line has a colour alone.
        colour: Of the class, RGB; None: the line has a name alone.
    """

    number: int
    text: str
    name: str | None
    colour: Colour | None

    @property
    def is_void(self) -> bool:
        """Whether it is what a tool writes for pixels without a class."""
        return self.name is not None and self.name.lower() in _VOID


@dataclasses.dataclass(frozen=True, eq=False)
class LabelFile:
    """A file of class names, perhaps with colours.

    Attributes:
        path: The file.
        classes: Names, in the order of the labels.
        palette: Colour of every label, uint8 RGB [256, 3]; None: it gives none.
        colours: The file of the colours, which may be another.
    """

    path: Path
    classes: tuple[str, ...]
    palette: np.ndarray | None
    colours: Path


def find(root: Path) -> LabelFile | None:
    """The class names that a folder comes with, from the first of `FILES` there.

    Args:
        root: The folder.

    Returns:
        Names and colours; None: there is no such file.

    Raises:
        FileNotFoundError: If one of them is a link to nothing.
        ValueError: If the file cannot be understood; see `read_classes`.
    """
    for name in FILES:
        path = root / name
        dead = messages.dead_link(path)
        if dead:
            raise FileNotFoundError(f"{dead}; mend the link or remove it.")
        if path.is_file():
            classes, lines = read_classes(path), _parsed(path)
            if _all_coloured(lines):
                return LabelFile(path, classes, read_palette(path, classes), path)
            # Datumaro leaves the colours of a labelmap out where they are VOC's.
            if _is_labelmap(path):
                return LabelFile(path, classes, VOC.palette.copy(), path)
            beside = _coloured_beside(root, classes)
            palette = read_palette(beside, classes) if beside else None
            return LabelFile(path, classes, palette, beside or path)
    return None


def omits_background(found: LabelFile | None) -> bool:
    """Whether a file may be Datumaro's, which names no background beside its classes.

    CamVid's own of that name has its void, and black, on a line.

    Args:
        found: The file; None: there is none.
    """
    if found is None or found.path.name != "label_colors.txt":
        return False
    first = found.classes[0].strip("_").lower()
    lines = _parsed(found.path)
    return first != "background" and not any(
        line.is_void or line.colour == (0, 0, 0) for line in lines
    )


def _coloured_beside(root: Path, classes: tuple[str, ...]) -> Path | None:
    """Another file of a folder that gives the same classes colours."""
    for name in FILES[1:]:
        path = root / name
        coloured = path.is_file() and _all_coloured(_parsed(path))
        if coloured and read_classes(path) == classes:
            return path
    return None


def read_classes(path: str | Path) -> tuple[str, ...]:
    """Class names from a text file, a name a line; blank lines do not count.

    Args:
        path: The file, such as ROOT/classes.txt. Where its lines have colours, a line
            for void ("void", "ignored") is no class.

    Raises:
        ValueError: If there is no name, one stands twice, there are more than 255, or
            the file is no text.
    """
    lines = _parsed(path)
    _check_alike(path, lines)
    if _all_coloured(lines) or _is_labelmap(path):
        names = [line.name for line in lines if line.name and not line.is_void]
    else:
        names = [line.text for line in lines if line.text != "__ignore__"]
    if not names:
        raise ValueError(f"{path} names no class; write one name a line.")
    if len(names) == 1 and re.search("[,;\t]", names[0]):
        raise ValueError(
            f"{path} has a single line, {names[0]!r}; write one name a line."
        )
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
    """Colours of the classes from a text file, in any form of this module.

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
    colours: dict[int, Colour] = {}  # Of every label.
    lines: dict[Colour, int] = {}  # Where each colour stands.
    next_label = number = 0
    for line in _parsed(path):
        number, where = line.number, f"{path}, line {line.number}"
        colour = line.colour
        if colour is None or max(colour) > 255:
            raise ValueError(
                f"{where}: {line.text!r} is no colour; expected 'R G B', 'name R G B' "
                f"or 'R G B name', numbers from 0 to 255, or '#RRGGBB' in their place."
            )
        if colour in lines:
            raise ValueError(
                f"{where}: colour {colour} stands on line {lines[colour]} already; a "
                f"mask could not tell the two apart."
            )
        lines[colour] = number
        if line.is_void and line.name not in classes:
            if IGNORE_LABEL in colours:
                raise ValueError(f"{where}: void has a colour already; give it one.")
            colours[IGNORE_LABEL] = colour
            continue
        _check_place(line, next_label, classes, where)
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


def _check_place(line: Line, label: int, classes: Sequence[str], where: str) -> None:
    """Raise unless a colour's line stands where its class does."""
    if label == len(classes):
        raise ValueError(
            f"{where}: {line.text!r} is one colour more than the {len(classes)} "
            f"classes ({', '.join(classes)}); take it off, or add its class to "
            f"classes.txt. Void is a line 'void R G B'."
        )
    if line.name is not None and line.name != classes[label]:
        raise ValueError(
            f"{where}: {line.name!r} stands where class {label} is "
            f"{classes[label]!r}; list the colours in the order of the classes, "
            f"{', '.join(classes)}."
        )


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file in UTF-8 that are not blank, stripped.

    Args:
        path: The file.

    Raises:
        ValueError: If the file is not in UTF-8.
    """
    return [line for _, line in _numbered_lines(path)]


def _check_alike(path: str | Path, lines: Sequence[Line]) -> None:
    """Raise where a tool's file of names and colours has a line that is neither."""
    name = Path(path).name
    odd = [n for n in lines if not _LABELMAP.fullmatch(n.text)]
    if name == "labelmap.txt" and 0 < len(odd) < len(lines):
        wrong = odd[0]
        raise ValueError(
            f"{path}, line {wrong.number}: {wrong.text!r} is no line of a labelmap; "
            f"expected 'name:R,G,B:parts:actions', with three colons."
        )
    bare = [line for line in lines if not line.colour]
    if name in ("label_colors.txt", "class_dict.csv") and 0 < len(bare) < len(lines):
        raise ValueError(
            f"{path}, line {bare[0].number}: {bare[0].text!r} gives no colour, as "
            f"other lines do; expected 'R G B name' or 'name R G B'."
        )


def _all_coloured(lines: Sequence[Line]) -> bool:
    """Whether every line names a class and gives its colour.

    Where one does not, none is taken to: "lane 1 2 3" may well be a name.
    """
    return bool(lines) and all(line.name and line.colour for line in lines)


def _parsed(path: str | Path) -> list[Line]:
    """The lines of a file, without a header of columns or comments of a labelmap."""
    numbered = _numbered_lines(path)
    if _is_labelmap(path):
        rows = [(n, line) for n, line in numbered if not line.startswith("#")]
        return [_labelmap_line(n, line) for n, line in rows]
    if numbered and _HEADER.fullmatch(numbered[0][1]):
        numbered = numbered[1:]
    numbered = [(n, line) for n, line in numbered if not _COMMENT.match(line)]
    return [Line(n, line, *_name_and_colour(line)) for n, line in numbered]


def _name_and_colour(line: str) -> tuple[str | None, Colour | None]:
    for form in _HEX_FORMS:
        match = form.fullmatch(line)
        if match:
            red, green, blue = bytes.fromhex(match["hex"])
            return match["name"], (red, green, blue)
    for form in _FORMS:
        match = form.fullmatch(line)
        if match:
            red, green, blue = (int(match[c]) for c in ("red", "green", "blue"))
            return match["name"], (red, green, blue)
    return line, None


def _is_labelmap(path: str | Path) -> bool:
    lines = [line for line in read_lines(path) if not line.startswith("#")]
    return bool(lines) and all(map(_LABELMAP.fullmatch, lines))


def _labelmap_line(number: int, text: str) -> Line:
    match = _LABELMAP.fullmatch(text)
    assert match is not None
    _, colour = _name_and_colour(match["colour"].strip())
    return Line(number, text, match["name"].strip(), colour)


def _numbered_lines(path: str | Path) -> list[tuple[int, str]]:
    """`read_lines`, each with its number in the file, from 1."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # Some editors write a mark.
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error}); save it so.") from None
    numbered = enumerate(text.splitlines(), start=1)
    return [(number, line.strip()) for number, line in numbered if line.strip()]
