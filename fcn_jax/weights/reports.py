"""The account of a load: what became of every name."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of every name.

    Attributes:
        matched: Parameters of the net that the file gave.
        missing: Parameters of the net that the file lacks; they keep their initial
            values: scores zero, upsampling bilinear, all else as the net starts it.
        unused: Names of the file that the net has no place for.
        mismatched: (name, shape in the file, shape in the net); not taken.
        notes: What else was done, a sentence each.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = []
        for title in ("matched", "missing", "unused"):
            found = getattr(self, title)
            lines.append(f"{title} ({len(found)}): {', '.join(found) or '-'}")
        shapes = ", ".join(f"{n}: {a} -> {b}" for n, a, b in self.mismatched)
        lines.append(f"mismatched ({len(self.mismatched)}): {shapes or '-'}")
        return "\n".join((*lines, *(f"note: {note}" for note in self.notes)))
