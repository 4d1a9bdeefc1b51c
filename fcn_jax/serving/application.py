"""The server's addresses: a page, what it is made of, and answers in JSON."""

import asyncio
import contextlib
import dataclasses
import logging
import os
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import fcn_jax
from fcn_jax.serving import bodies, questions
from fcn_jax.serving.answers import Answers
from fcn_jax.serving.arrivals import Arrivals, Pace
from fcn_jax.serving.endings import Lingering
from fcn_jax.serving.guards import Guard
from fcn_jax.serving.questions import Question
from fcn_jax.serving.refusals import BUSY, TIMED_OUT, Refusal

_log = logging.getLogger(__name__)
_PAGE = {"/": "page.html", "/page.css": "page.css", "/page.js": "page.js"}
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_STATIC = Path(__file__).parent / "static"
_FAILED, _GONE = 500, 499  # Nobody reads the second, which is nginx's.
_MORE = {  # Headers that a refusal has beside its text.
    BUSY: {"Retry-After": "2"},
    TIMED_OUT: {"Connection": "close"},
}


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one server takes at a time.

    Attributes:
        max_bytes: Of a request.
        waiting: Requests that wait for the one that the network looks at. Those that
            are on their way may hold as many times max_bytes, and that of one more.
        pace: At which a request must come.
    """

    max_bytes: int = 20_000_000
    waiting: int = 8
    pace: Pace = dataclasses.field(default_factory=Pace)


class Server:
    """Answers requests: one at a time goes through the network, few wait.

    Args:
        answers: Of the network.
        limits: What is taken at a time.

    Attributes:
        inside: Requests that came whole, and are being looked at, or wait.
        answered: Images so far.
    """

    def __init__(self, answers: Answers, limits: Limits):
        self._answers, self._limits = answers, limits
        self.inside = self.answered = 0
        room = (limits.waiting + 1) * limits.max_bytes
        self._arrivals = Arrivals(limits.pace, room)
        self._turn = asyncio.Lock()
        # JAX and Pillow's limits are asked in one thread, beside that of the server.
        self._worker = ThreadPoolExecutor(1, "network")

    @contextlib.asynccontextmanager
    async def running(self, app: Starlette) -> AsyncGenerator[None]:
        """What begins and ends with the loop.

        Args:
            app: Of which nothing is wanted.
        """
        del app
        yield
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def predict(self, request: Request) -> Response:
        """POST /predict: what the network says of an image.

        Args:
            request: Its body is an image, or a form with one.

        Raises:
            Refusal: If it is not answered.
        """
        self._check_room()  # Before it is sent, and again when it has come.
        try:
            data, fields = await bodies.read(
                request, self._limits.max_bytes, self._arrivals
            )
            query = request.query_params.multi_items()
            question = questions.parsed([*query, *fields])
            self._check_room()
            self.inside += 1
            try:
                return await self._predicted(request, data, question)
            finally:
                self.inside -= 1
        except Refusal:
            raise
        except Exception as error:  # The server goes on.
            return _failed(error)

    def _check_room(self) -> None:
        if self.inside > self._limits.waiting:
            raise Refusal(
                BUSY, f"{self.inside} images are waiting already; try again soon"
            )

    async def _predicted(
        self, request: Request, data: bytes, question: Question
    ) -> Response:
        loop = asyncio.get_running_loop()
        async with self._turn:
            if await request.is_disconnected():
                return Response(status_code=_GONE)
            found = await loop.run_in_executor(
                self._worker, self._answers.answer, data, question
            )
        self.answered += 1
        return JSONResponse(found)

    async def health(self, request: Request) -> Response:
        """GET /health: that it answers, and how busy it is.

        Args:
            request: Of which nothing is wanted.
        """
        del request
        return JSONResponse(
            {
                "ok": True,
                "fcn_jax": fcn_jax.__version__,
                "arriving": self._arrivals.count,
                "inside": self.inside,
                "answered": self.answered,
            }
        )

    async def classes(self, request: Request) -> Response:
        """GET /classes: the network, its classes and their colours, and the limits.

        Args:
            request: Of which nothing is wanted.
        """
        del request
        limits = {"max_bytes": self._limits.max_bytes}
        return JSONResponse({**self._answers.about(), **limits})


def make(
    answers: Answers, limits: Limits | None = None, names: Iterable[str] = ()
) -> Starlette:
    """The application of a server.

    Args:
        answers: Of the network.
        limits: What is taken at a time; None: the defaults.
        names: By which it may be called; see `guards.known_names`.
    """
    server = Server(answers, limits or Limits())
    return Starlette(
        routes=[
            *(Route(path, _file(name)) for path, name in _PAGE.items()),
            Route("/health", server.health),
            Route("/classes", server.classes),
            Route("/predict", server.predict, methods=["POST"]),
        ],
        middleware=[
            Middleware(Lingering),
            Middleware(Guard, names=frozenset(names)),
        ],
        lifespan=server.running,
        exception_handlers={Refusal: _refused, HTTPException: _not_there},
    )


def _file(name: str):
    """An endpoint that gives a part of the page."""
    content = (_STATIC / name).read_bytes()

    async def give(request: Request) -> Response:
        del request
        return Response(content, media_type=_TYPES[Path(name).suffix])

    return give


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, Refusal)
    text = f"{str(error).rstrip('.')}."
    return JSONResponse({"error": text}, error.status, _MORE.get(error.status))


def _failed(error: Exception) -> Response:
    """What is answered where the fault is the server's, whose owner is told of it."""
    _log.error(
        "an image could not be answered: %s: %s",
        type(error).__name__,
        error,
        exc_info=error if os.environ.get("FCN_JAX_TRACEBACK") else None,
    )
    text = "the server failed; what is wrong stands where it was started."
    return JSONResponse({"error": text}, _FAILED)


async def _not_there(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    given = f"{request.method} {request.url.path}"[:80]
    text = (
        f"there is no {given!r}; there are GET {', '.join(_PAGE)}, /health, /classes, "
        f"and POST /predict with an image."
    )
    return JSONResponse({"error": text}, error.status_code, error.headers)
