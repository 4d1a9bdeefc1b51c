"""What an examination finds: the same fault of many files is told once."""

import dataclasses
import re
from collections.abc import Sequence

STOPS, HINT = "stops", "hint"
_MOST_FILES = 20  # That a finding names; it counts them all.
# What differs in a message from file to file: paths, what is quoted, numbers.
_OF_ONE_FILE = re.compile(r"'[^']*'|\S*[/\\]\S*|\S+\.[a-z]{3,4}\b|\d+")


@dataclasses.dataclass
class Finding:
    """A fault, and the files that have it.

    Attributes:
        check: What was looked at, such as "mask".
        level: "stops": training would not begin, or would learn what is wrong; "hint":
            it would, and something is worth a look.
        message: What is wrong and what to do, of the first file.
        count: Files, or whatever has it.
        files: The first of them.
    """

    check: str
    level: str
    message: str
    count: int = 0
    files: list[str] = dataclasses.field(default_factory=lambda: [])


class Findings:
    """Collects findings, in the order in which they come."""

    def __init__(self):
        self._found: dict[tuple[str, str, str], Finding] = {}

    def add(self, check: str, level: str, message: object, name: str = "") -> None:
        """Add a fault of a file.

        Args:
            check: What was looked at.
            level: "stops" or "hint".
            message: What is wrong and what to do; an error, or text.
            name: The file or id; "": it is of the whole data set.
        """
        text = str(message)
        whole = rf"(?<!\w){re.escape(name)}(?!\w)"
        kind = re.sub(whole, "#", text) if name else text
        key = (check, level, _OF_ONE_FILE.sub("#", kind))
        finding = self._found.setdefault(key, Finding(check, level, text))
        finding.count += 1
        if name and len(finding.files) < _MOST_FILES:
            finding.files.append(name)

    def add_all(
        self, check: str, level: str, message: str, names: Sequence[str]
    ) -> None:
        """Add a fault that files have together; none where there are no files.

        Args:
            check: What was looked at.
            level: "stops" or "hint".
            message: What is wrong and what to do.
            names: The files or ids.
        """
        if names:
            found = Finding(
                check, level, message, len(names), list(names[:_MOST_FILES])
            )
            self._found[check, level, message] = found

    def sorted(self) -> list[Finding]:
        """Those that stop training first."""
        return sorted(self._found.values(), key=lambda each: each.level != STOPS)
