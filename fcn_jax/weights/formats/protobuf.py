"""The wire format of protocol buffers: as much of it as reading Caffe's files takes.

References:
    protobuf.dev, "Encoding".
"""

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10  # Bytes; 64 bits, 7 a byte.


class Field(NamedTuple):
    """One field of a message.

    `value` is the integer of a VARINT, and else where its bytes begin in the buffer;
    `end` is where the field ends.
    """

    number: int
    wire_type: int
    value: int
    end: int


def fields(buffer: memoryview, start: int, end: int) -> Iterator[Field]:
    """The fields of the message in buffer[start:end], in order.

    Args:
        buffer: Bytes.
        start: Where the message begins.
        end: Where it ends.

    Yields:
        Every field; nothing is copied.

    Raises:
        ValueError: If the bytes are no message: a field that reaches beyond `end`, a
            number of more than 64 bits, or a wire type that proto2 messages of today
            do not use.
    """
    at = start
    while at < end:
        tag, at = _varint(buffer, at, end)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise ValueError(f"a field with the number 0 at byte {at}")
        if wire_type == VARINT:
            value, at = _varint(buffer, at, end)
            yield Field(number, wire_type, value, at)
            continue
        if wire_type == BYTES:
            size, at = _varint(buffer, at, end)
        elif wire_type in (FIXED32, FIXED64):
            size = 4 if wire_type == FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire_type} at byte {at}")
        if size > end - at:
            raise ValueError(
                f"field {number} at byte {at} claims {size} bytes where {end - at} "
                f"are left"
            )
        yield Field(number, wire_type, at, at + size)
        at += size


def varints(buffer: memoryview, start: int, end: int) -> Iterator[int]:
    """The integers of a packed field.

    Args:
        buffer: The file.
        start: Of the field, bytes.
        end: Of the field, bytes.

    Raises:
        ValueError: As of `fields`.
    """
    at = start
    while at < end:
        value, at = _varint(buffer, at, end)
        yield value


def _varint(buffer: memoryview, at: int, end: int):
    """An integer of 7 bits a byte, the lowest first; and where it ends."""
    value = 0
    for shift in range(0, 7 * _LONGEST_VARINT, 7):
        if at >= end:
            raise ValueError(f"it ends within a number, at byte {at}")
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise ValueError(f"a number of more than {_LONGEST_VARINT} bytes before byte {at}")
