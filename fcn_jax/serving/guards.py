"""Who may ask: programs, and pages of this server; no page of another.

A page of any site that is open in a browser can send requests to a server on the same
machine. It could not read the answers, but have the work done; and where its own name
is made to lead here (DNS rebinding), it could read them too. Hence the names by which
this server is called are known ones, and posts of other pages are refused.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fcn_jax.serving.refusals import FORBIDDEN

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data: blob:; media-src blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def known_names(host: str, given: Iterable[str] = ()) -> frozenset[str]:
    """The names by which a server may be called; addresses always are.

    Args:
        host: That it listens on.
        given: Further names, as of a proxy before it; a port behind one counts for
            nothing, as it does not in the requests.
    """
    names = {"localhost", host, *map(_without_port, given)}
    if not _is_loopback(host):
        own = socket.gethostname()
        names |= {own, f"{own}.local"}
    return frozenset(name.lower() for name in names if name)


def _without_port(name: str) -> str:
    """The name of "name:8000", as a request's Host is read; others as they are."""
    try:
        return urlsplit(f"//{name}").hostname or name
    except ValueError:
        return name


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class Guard:
    """Middleware that refuses what comes from other pages, and says who may embed what.

    Args:
        app: The application behind it.
        names: By which the server may be called; see `known_names`.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]):
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, or refuse it.

        Args:
            scope: Of ASGI.
            receive: Likewise.
            send: Likewise.
        """
        if scope["type"] != "http":  # The server's own beginning and end.
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        why = self._wrong(Headers(scope=scope), scope["method"])
        app = JSONResponse({"error": f"{why}."}, FORBIDDEN) if why else self._app
        await app(scope, receive, with_headers)

    def _wrong(self, headers: Headers, method: str) -> str:
        """Why a request is refused; "": it is not."""
        host = headers.get("host", "")
        if not self._is_known(host):
            return (
                f"this server is not called {host[:80]!r}; ask by its address, or "
                f"start it with --names"
            )
        if method in ("GET", "HEAD"):
            return ""
        origin = headers.get("origin")
        elsewhere = origin is not None and _netloc(origin) != host.lower()
        site = headers.get("sec-fetch-site", "none")
        if elsewhere or site not in ("same-origin", "none"):
            return "posts of pages of other sites are not answered"
        return ""

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _address(name) is not None


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
