"""The table of labels: which class each value of the annotations is.

A text file, one line a value:

    # A comment: a mark and a space.
    0 -> background
    128,64,128 -> road
    #6b8e23 -> vegetation
    traffic light -> sign
    255 -> void
    * -> void

On the left a value of the masks, a colour (`R,G,B` or `#RRGGBB`) or a name, as the
format has it, and `*` for all others; on the right the class, or `void`. What the
format has as a name is that name, and no number or colour. Labels are in the order in
which classes appear first; several values may be one class.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from fcn_jax.data import label_files
from fcn_jax.data.imports.contracts import VOID, Colour, Key, colour_of
from fcn_jax.data.label_sets import MAX_CLASSES

OTHERS = "*"
_LINE = re.compile(r"(?P<left>.*\S)\s*->\s*(?P<right>\S.*)")
_COMMENT = re.compile(r"#\s")
_NUMBERS = re.compile(r"(\d+)(?:\s*,\s*|\s+)(\d+)(?:\s*,\s*|\s+)(\d+)")
_HEX = re.compile(r"#([0-9a-fA-F]{6})")
_INTEGER = re.compile(r"\d+")


class LabelTable:
    """Which class each value is.

    Args:
        lines: Class, or "void", by what stands on the left.
        where: The file, for messages; "": there is none.
        names: Of the format, which are no numbers or colours.

    Attributes:
        classes: Names, in the order of the labels.
        where: As given.
        by_colour: Whether colours stand on the left.

    Raises:
        ValueError: If there are no two classes, or too many, or the name of one would
            not be read from a line of a file as it is.
    """

    def __init__(
        self, lines: dict[str, str], where: str = "", names: Iterable[str] = ()
    ):
        self._lines, self.where = lines, where
        names = set(names)
        # What stands on the left, by the number or colour that it is.
        self._values = {
            _normal(left, f"{where}: {left!r}"): left
            for left in lines
            if left not in names
        }
        self.by_colour = any(_HEX.fullmatch(value) for value in self._values)
        named = dict.fromkeys(lines.values())
        self.classes = tuple(name for name in named if name != VOID)
        place = where or "the annotations"
        for name in self.classes:
            if not _is_line(name):
                raise ValueError(
                    f"{place}: the class {name!r} cannot be a line of classes.txt; "
                    f"name it without line breaks, and not as a comment ('# ...')."
                )
        if len(self.classes) < 2:
            held = f"one class, {self.classes[0]!r}" if self.classes else "no class"
            raise ValueError(
                f"{place}: {held}; a network chooses between classes, so that at "
                f"least two are needed: give a table with --labels=FILE, 'VALUE -> "
                f"CLASS' a line."
            )
        if len(self.classes) > MAX_CLASSES:
            raise ValueError(
                f"{place}: {len(self.classes)} classes; labels are 8 bits with 255 for "
                f"void, so at most {MAX_CLASSES} are possible. Give a table with "
                f"--labels=FILE that makes several of them one, or void."
            )

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What stands on the left, and the class, in order."""
        return list(self._lines.items())

    def class_of(self, key: Key) -> str | None:
        """The class of a value, or "void".

        Args:
            key: What is known of the value.

        Returns:
            None: no line is for it, not even `*`.
        """
        return self._lines.get(next(iter(self.lefts_of(key)), OTHERS))

    def lefts_of(self, key: Key) -> list[str]:
        """What stands on the left for a value, but for `*`: name, number, colour.

        Args:
            key: What is known of the value.
        """
        found = [key.name] if key.name in self._lines else []
        values = [] if key.internal or key.value < 0 else [str(key.value)]
        values += [_hex(key.colour)] if key.colour else []
        return found + [self._values[v] for v in values if v in self._values]

    def for_names(self, names: Iterable[str]) -> "LabelTable":
        """The same table for a format with names, which are no numbers or colours.

        Args:
            names: Of the format.
        """
        return LabelTable(self._lines, self.where, names)


def _is_line(name: str) -> bool:
    """Whether a name is one line of a file, and read from it as it is."""
    try:
        name.encode()
    except UnicodeEncodeError:  # Half of a character, as JSON may have it.
        return False
    return name.splitlines() == [name] and not _COMMENT.match(name) and name != "#"


def plainly(key: Key, colours: bool) -> str:
    """How a table is to write a value.

    Args:
        key: What is known of it.
        colours: Whether values are colours.
    """
    if colours:
        return _hex(key.colour or colour_of(key.value))
    return key.name or str(key.value)


def table_of(keys: Iterable[Key], colours: bool) -> LabelTable:
    """The table that a format comes with.

    Args:
        keys: What it names.
        colours: Whether its values are colours.

    Raises:
        ValueError: If there are no two classes, or too many.
    """
    named = [key for key in keys if key.default]
    lines = {plainly(key, colours): key.default for key in named}
    return LabelTable(lines, names=[key.name for key in named])


def read(path: str | Path) -> LabelTable:
    """Read a table.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: Naming the line, if one is not understood or stands twice; if there
            are no two classes, or too many; or if the file is no text.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{path} does not exist; expected a table of labels, 'VALUE -> CLASS' a "
            f"line."
        )
    lines: dict[str, str] = {}
    known: set[str] = set()
    for text in label_files.read_lines(path):
        if _COMMENT.match(text) or text == "#":
            continue
        match = _LINE.fullmatch(text)
        if not match:
            raise ValueError(
                f"{path}: {text!r} is not understood; expected 'VALUE -> CLASS', where "
                f"VALUE is a number, a colour (R,G,B or #RRGGBB), a name or *, and "
                f"CLASS a name or void."
            )
        left = _normal(match["left"], f"{path}: {text!r}")
        if left in known:
            raise ValueError(
                f"{path}: {match['left']!r} stands on the left more than once; give it "
                f"one class."
            )
        known.add(left)
        lines[match["left"]] = match["right"]
    return LabelTable(lines, str(path))


def written(rows: Iterable[tuple[str, str]]) -> str:
    """The text of a table.

    Args:
        rows: What stands on the left, and the class.
    """
    head = "# What the annotations hold -> its class; void pixels do not count."
    return "\n".join([head, *(f"{left} -> {right}" for left, right in rows), ""])


def _normal(left: str, where: str) -> str:
    """The left of a line in the one form in which values are looked up."""
    numbers = _NUMBERS.fullmatch(left)
    if numbers:
        red, green, blue = (int(n) for n in numbers.groups())
        if max(red, green, blue) > 255:
            raise ValueError(
                f"{where} has no colour on its left; the numbers of one are 0 to 255."
            )
        return _hex((red, green, blue))
    if _HEX.fullmatch(left):
        return left.lower()
    return str(int(left)) if _INTEGER.fullmatch(left) else left


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
