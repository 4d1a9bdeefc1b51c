"""The end of an answer that is given before its request has come whole.

A connection that is closed while bytes of it lie unread is reset by the system, and the
one at its other end may lose the answer with it (RFC 9112, section 9.6). So the server
answers, reads on for a while, throws that away, and closes then.
"""

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = 2.0


class Lingering:
    """Reads on behind an early answer, until the request's end or for some seconds.

    Args:
        app: What answers.
        seconds: For which it reads on at most.
    """

    def __init__(self, app: ASGIApp, seconds: float = _SECONDS):
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does.

        Args:
            scope: Of ASGI, as the two others.
            receive: The request's next part.
            send: Take a part of the answer.
        """
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        whole = False

        async def received() -> Message:
            nonlocal whole
            message = await receive()
            whole = not message.get("more_body", False)  # Nor after a disconnect.
            return message

        async def sent(message: Message) -> None:
            last = message["type"] == "http.response.body"
            if last and not whole and not message.get("more_body", False):
                await send({**message, "more_body": True})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds):
                        while not whole:
                            await received()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, received, sent)
