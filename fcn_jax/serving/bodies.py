"""The body of a request: an image as it is, or in a form, and never beyond a limit."""

import sys
from collections.abc import AsyncGenerator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from fcn_jax.serving.arrivals import Arrivals
from fcn_jax.serving.refusals import BAD, TOO_LARGE, Refusal

_MOST_FIELDS, _FIELD = 300, 1000  # Bytes of a field.
# What is read, and thrown away, beyond the limit: who is still sending hears no answer.
_MOST_THROWN_AWAY = 1 << 28


class _InMemory(MultiPartParser):
    """A form whose file is not written to disk, which may have no room."""

    spool_max_size = sys.maxsize


async def read(
    request: Request, max_bytes: int, arrivals: Arrivals
) -> tuple[bytes, list[tuple[str, str]]]:
    """The image of a request, and what its form says beside it.

    Args:
        request: Whose body is the image, or a form (multipart/form-data) with one file.
        max_bytes: Of the body.
        arrivals: Of the server.

    Returns:
        The image's bytes, and the form's other fields, names and values.

    Raises:
        Refusal: If the body is empty, larger, too slow, or a form without an image or
            with two; or if too much is on its way.
    """
    data = await _bounded(request, max_bytes, arrivals)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fields: list[tuple[str, str]] = []
    if kind == "multipart/form-data":
        data, fields = await _of_form(request, data)
    if not data:
        raise Refusal(BAD, "the image is missing; send its bytes, or a form with it")
    return data, fields


async def _bounded(request: Request, max_bytes: int, arrivals: Arrivals) -> bytes:
    declared = request.headers.get("content-length", "0")
    size = int(declared) if declared.isdigit() else 0
    data = bytearray()
    total = 0
    try:
        async with arrivals.one() as arrival:
            async for chunk in request.stream():
                total += len(chunk)
                fits = max(size, total) <= max_bytes
                arrival.came(len(chunk), kept=fits)
                if fits:
                    data += chunk
                elif total > max_bytes + _MOST_THROWN_AWAY:
                    break
                else:
                    data.clear()
    except ClientDisconnect as error:
        raise Refusal(BAD, "the image did not arrive whole") from error
    if max(size, total) > max_bytes:
        raise Refusal(
            TOO_LARGE,
            f"what was sent has {max(size, total):,} bytes, and {max_bytes:,} is the "
            f"most; send a smaller image, or start the server with --max_bytes",
        )
    return bytes(data)


async def _of_form(
    request: Request, body: bytes
) -> tuple[bytes, list[tuple[str, str]]]:
    async def once() -> AsyncGenerator[bytes, None]:
        yield body

    parser = _InMemory(
        request.headers,
        once(),
        max_files=1,
        max_fields=_MOST_FIELDS,
        max_part_size=_FIELD,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refusal(
            BAD, f"the form is not understood: {error.message.rstrip('.')}"
        ) from error
    except ValueError as error:  # Of the charset that it names.
        raise Refusal(
            BAD, "the form is not understood: its charset is odd; send UTF-8"
        ) from error
    fields: list[tuple[str, str]] = []
    data = b""
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            data = await value.read()
        else:
            fields.append((_plain(name), _plain(value)))
    await form.close()
    return data, fields


def _plain(text: str) -> str:
    """A text that can be sent back: the charset that a form names may have others."""
    return text.encode("utf-8", "replace").decode()
