"""A socket, and the loop that answers on it until the process is asked to stop."""

import errno
import ipaddress
import logging
import socket

import uvicorn
from starlette.types import ASGIApp

_BACKLOG = 64
_AT_THE_END = 1  # Seconds that answers have which are on their way.


def listen(host: str, port: int) -> socket.socket:
    """Listen; who asks is answered once a `Loop` runs.

    Args:
        host: Name or address of an interface of this machine.
        port: 0: any that is free.

    Raises:
        OSError: Saying what is in the way.
    """
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise OSError(
            f"--host={host} is not known ({error}); give a name or an address of this "
            f"machine, 127.0.0.1 for itself alone, 0.0.0.0 for all that reach it."
        ) from error
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)  # Now, since two may bind and only one listen.
    except OSError as error:
        listening.close()
        raise OSError(_why(error, host, port)) from error
    return listening


def _why(error: OSError, host: str, port: int) -> str:
    """Why a port cannot be had, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use; give another --port, or --port=0 for "
            f"any that is free."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"port {port} of {host} is not for this user ({error.strerror}); give a "
            f"--port from 1024 on."
        )
    return (
        f"{host} is no address to listen on ({error.strerror}); give one of this "
        f"machine, 127.0.0.1 for itself alone, 0.0.0.0 for all that reach it."
    )


def address(listening: socket.socket) -> str:
    """Where a browser of this machine finds it: "http://127.0.0.1:8000/".

    Args:
        listening: Of `listen`.
    """
    host, port = listening.getsockname()[:2]
    place = ipaddress.ip_address(host.partition("%")[0])
    if place.is_unspecified:
        return f"http://localhost:{port}/"
    return (
        f"http://[{host}]:{port}/" if place.version == 6 else f"http://{host}:{port}/"
    )


def is_open(listening: socket.socket) -> bool:
    """Whether other machines may reach it.

    Args:
        listening: Of `listen`.
    """
    host = listening.getsockname()[0].partition("%")[0]
    return not ipaddress.ip_address(host).is_loopback


class Loop:
    """Answers on a socket until the process, or who started it, asks it to stop.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp):
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_AT_THE_END,
        )
        self._server = uvicorn.Server(config)

    def run(self, listening: socket.socket) -> None:
        """Answer; SIGINT and SIGTERM end it, and then do what they did before.

        Args:
            listening: Of `listen`.
        """
        log = logging.getLogger("uvicorn.error")
        log.addFilter(self._is_to_be_seen)
        try:
            self._server.run(sockets=[listening])
        finally:
            log.removeFilter(self._is_to_be_seen)

    def stop(self) -> None:
        """End it, from any thread."""
        self._server.should_exit = True

    def _is_to_be_seen(self, record: logging.LogRecord) -> bool:
        """At the end it tells, with tracebacks, of what is broken off."""
        del record
        return not self._server.should_exit
