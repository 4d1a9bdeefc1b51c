"""The report of a load: which names matched, and which did not."""

import dataclasses
from typing import TypeAlias

# A name, its shape in the file and in the net.
Mismatch: TypeAlias = tuple[str, tuple[int, ...], tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Report:
    """Which names matched, and which did not.

    Attributes:
        source: What was read: the file, its format, whose names.
        matched: Parameters of the net that the file gave.
        missing: Parameters of the net that the file lacks; they keep their initial
            values: scores zero, upsampling bilinear, all else as the net starts it.
        unexpected: Names of the file that the net has no place for.
        mismatched: (name, shape in the file, shape in the net); not taken.
        notes: What else was done, a sentence each.
        anew: Share of the net's numbers that the file does not give, in [0, 1].
    """

    source: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[Mismatch, ...]
    notes: tuple[str, ...] = ()
    anew: float = 0.0

    def __str__(self) -> str:
        lines = [self.source]
        for title in ("matched", "missing", "unexpected"):
            found = getattr(self, title)
            lines.append(f"{title} ({len(found)}): {', '.join(found) or '-'}")
        shapes = ", ".join(f"{n}: {a} -> {b}" for n, a, b in self.mismatched)
        lines.append(f"mismatched ({len(self.mismatched)}): {shapes or '-'}")
        if self.anew:
            lines.append(f"starts anew: {self.anew:.1%} of the net's numbers")
        return "\n".join((*lines, *(f"note: {note}" for note in self.notes)))
