"""Values as labels, by a table, and what became of each."""

import dataclasses

import numpy as np

from fcn_jax.data import image_files, label_sets
from fcn_jax.data.imports import label_table
from fcn_jax.data.imports.contracts import VOID, Collection, Key, colour_of
from fcn_jax.data.imports.label_table import LabelTable

_COUNTABLE = 1 << 16  # Values between the least and the greatest of a mask.
_LOOKED_AT, _LISTED = 20, 12  # Masks, and values of them, of which a message tells.


@dataclasses.dataclass
class Row:
    """What became of a value.

    Attributes:
        value: As a table writes it.
        name: The class, or "void".
        images: That hold it.
        pixels: Of all images.
        matched: Whether a line is for it, and not `*` alone.
    """

    value: str
    name: str
    images: int = 0
    pixels: int = 0
    matched: bool = True


class Labels:
    """Makes labels of values, and counts them.

    Args:
        collection: What the values mean by their format.
        table: Which class each is.

    Attributes:
        rows: What became of each value, once all are read.
    """

    def __init__(self, collection: Collection, table: LabelTable):
        self._table = table.for_names(key.name for key in collection.keys)
        self._colours = collection.colours
        self._known = {key.value: key for key in collection.keys}
        self._rows: dict[int, Row] = {}
        self.rows: list[Row] = []

    def of(self, values: np.ndarray, where: str) -> np.ndarray:
        """The labels of an image.

        Args:
            values: int32 [H, W].
            where: The file, for messages.

        Returns:
            uint8 [H, W].

        Raises:
            ValueError: If a value is in no line of the table.
        """
        held, places, counts = _counted(values)
        table = np.empty(len(held), np.uint8)
        for place in np.flatnonzero(counts):
            row = self._row(int(held[place]), int(counts[place]), where)
            row.images += 1
            row.pixels += int(counts[place])
            void = row.name == VOID
            table[place] = (
                label_sets.IGNORE_LABEL if void else self._table.classes.index(row.name)
            )
        return table[places]

    def finish(self) -> list[str]:
        """Put the rows in order, with those of values that occurred nowhere.

        Returns:
            What stands in the table for nothing that was read.
        """
        for value, key in self._known.items():
            name = self._table.class_of(key)
            if value not in self._rows and name:
                self._rows[value] = self._new_row(key, name)
        order = [*self._table.classes, VOID]
        found = sorted(self._rows.items(), key=lambda each: each[0])
        self.rows += sorted(
            (row for _, row in found), key=lambda row: order.index(row.name)
        )
        keys = [self._known.get(value) or self._unknown(value) for value in self._rows]
        held = {left for key in keys for left in self._table.lefts_of(key)}
        lines = (left for left, _ in self._table.rows)
        return [n for n in lines if n not in held and n != label_table.OTHERS]

    def _row(self, value: int, count: int, where: str) -> Row:
        if value not in self._rows:
            key = self._known.get(value) or self._unknown(value)
            name = self._table.class_of(key)
            if name is None:
                written = label_table.plainly(key, self._colours)
                table = self._table.where or "what the format names"
                raise ValueError(
                    f"{where}: {written} ({count} pixels) is not in {table}; give a "
                    f"table with --labels=FILE and a line '{written} -> CLASS' (or "
                    f"void); '* -> void' stands for all others."
                )
            self._rows[value] = self._new_row(key, name)
        return self._rows[value]

    def _unknown(self, value: int) -> Key:
        return Key(value, colour=colour_of(value) if self._colours else None)

    def _new_row(self, key: Key, name: str) -> Row:
        matched = bool(self._table.lefts_of(key))
        return Row(label_table.plainly(key, self._colours), name, matched=matched)


def _counted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values that may occur, for each pixel its place among them, and their counts."""
    low, high = int(values.min()), int(values.max())
    if high - low < _COUNTABLE:  # Several times as fast as sorting.
        places = values - low
        counts = np.bincount(places.ravel(), minlength=high - low + 1)
        return np.arange(low, high + 1), places, counts
    held, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return held, places.reshape(values.shape), counts


def check_named(collection: Collection) -> None:
    """Raise where nothing says what the values mean.

    Args:
        collection: What an importer has found.

    Raises:
        ValueError: Naming some of the values, and the file of names if one is missing.
    """
    if any(key.default not in ("", VOID) for key in collection.keys):
        return
    held: dict[int, None] = {}
    for example in collection.examples[:_LOOKED_AT]:
        header = image_files.read_header(example.image)
        held |= dict.fromkeys(np.unique(example.read(header)).tolist())
    colours = collection.colours
    listed = [
        label_table.plainly(Key(value, colour=colour_of(value)), colours)
        for value in sorted(held)[:_LISTED]
    ]
    first = collection.names_missing and f"{collection.names_missing}, or "
    raise ValueError(
        f"nothing names what the masks hold, which is {', '.join(listed)}"
        f"{', ...' * (len(held) > _LISTED)}; {first}give a table with --labels=FILE, "
        f"'{listed[0]} -> CLASS' a line (or void)."
    )
