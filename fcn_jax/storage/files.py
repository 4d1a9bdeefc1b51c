"""Files that appear under their name only when they are whole."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]  # Those who read a value know its type.


def write_whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then give it that name.

    Whatever interrupts it, `path` holds what it held before, or all of the new; when
    `write` fails, nothing else is left behind.

    Args:
        path: The file; its directory is made if there is none.
        write: Called with the path of the file to fill.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: str | Path, value: object) -> None:
    """Write JSON whole or not at all.

    Args:
        path: The file.
        value: What JSON can hold.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all; makes its directory.

    Args:
        path: The file.
        text: Its content.
    """
    write_whole(path, lambda part: part.write_text(text, "utf-8"))
