"""JSON as annotation tools write it, with errors that name the file and the key."""

import json
from pathlib import Path
from typing import TypeVar

from fcn_jax.storage.files import JsonObject

T = TypeVar("T")
_NAMES: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a whole number",
}


def read(path: Path) -> JsonObject:
    """The object that a file holds.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds something else.
    """
    found = parse(path)
    if not isinstance(found, dict):
        raise ValueError(
            f"{path} holds a {type(found).__name__}; expected an object of JSON."
        )
    return found


def parse(path: Path) -> object:
    """What a file holds, be it an object or not.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist.")
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # Of text, JSON, digits, depth.
        raise ValueError(
            f"{path} is no readable JSON ({error}); export it once more."
        ) from error


def field(record: object, key: str, kind: type[T], where: object) -> T:
    """A value of an object, of the type that it must have.

    Args:
        record: The object.
        key: Of the value.
        kind: Its type.
        where: The file and place, for the message.

    Raises:
        ValueError: If it is not there, or of another type.
    """
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        held = "is missing" if value is None else f"is {value!r:.40}"
        raise ValueError(
            f"{where}: {key!r} {held}; expected {_NAMES.get(kind, kind.__name__)}."
        )
    return value


def whole_number(record: object, key: str, where: object) -> int:
    """A whole number of an object, which may be written as text or with a point.

    Args:
        record: The object.
        key: Of the number.
        where: The file and place, for the message.

    Raises:
        ValueError: If it is not there, or another thing.
    """
    value = record.get(key) if isinstance(record, dict) else None
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return field(record, key, int, where)


def records(record: object, key: str, where: object) -> list[JsonObject]:
    """A list of objects in an object.

    Args:
        record: The object.
        key: Of the list.
        where: The file and place, for the message.

    Raises:
        ValueError: If it is not there, or holds something else.
    """
    found = field(record, key, list, where)
    wrong = [each for each in found if not isinstance(each, dict)]
    if wrong:
        raise ValueError(
            f"{where}: {key!r} holds {wrong[0]!r:.40}; expected objects in it."
        )
    return found


_FARTHEST = 1e6  # Of a point, pixels: what lies beyond is none.


def check_numbers(found: object, where: object) -> None:
    """Raise unless something is a list of numbers that may be pixels.

    Args:
        found: What is to be checked.
        where: The file and place, for the message.

    Raises:
        ValueError: Naming the first that is none.
    """
    for number in found if isinstance(found, list) else [found]:
        if isinstance(number, bool) or not isinstance(number, int | float):
            fine = False
        else:
            fine = -_FARTHEST < number < _FARTHEST
        if not fine:
            raise ValueError(
                f"{where}: {number!r:.40} is no coordinate; expected pixels."
            )
