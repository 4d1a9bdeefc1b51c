"""What follows an early answer, by a clock that is moved by hand."""

import asyncio

import pytest

from fcn_jax.serving.endings import Lingering
from tests.support.clocks import Clock

ANSWER = (
    {"type": "http.response.start", "status": 408, "headers": []},
    {"type": "http.response.body", "body": b"late"},
)


def asked(parts, reads=0, seconds=2.0):
    """An answer after `reads` parts: its messages, seconds, and the parts left.

    A part of the request is (seconds before it, message); behind the last one comes
    none.
    """
    left, messages = list(parts), []

    async def receive():
        if not left:
            await asyncio.Event().wait()
        seconds, message = left[0]
        await asyncio.sleep(seconds)
        del left[0]
        return message

    async def send(message):
        messages.append(message)

    async def app(scope, receive, send):
        for _ in range(reads):
            await receive()
        for message in ANSWER:
            await send(message)

    async def run():
        await Lingering(app, seconds)({"type": "http"}, receive, send)
        return round(asyncio.get_running_loop().time(), 3)

    loop = Clock()
    try:
        return messages, loop.run_until_complete(run()), len(left)
    finally:
        loop.close()


def part(more):
    return {"type": "http.request", "body": b".", "more_body": more}


@pytest.mark.parametrize("reads", (1, 2))
def test_a_request_that_came_whole_is_answered_as_it_was(reads):
    parts = [(1, part(more)) for more in [True] * (reads - 1) + [False]]
    assert asked(parts, reads) == (list(ANSWER), reads, 0)


def test_the_rest_of_a_body_is_read_behind_the_answer():
    messages, at, left = asked([(0.5, part(True))] * 3 + [(0, part(False))], reads=1)
    assert (at, left) == (1.5, 0)
    assert messages == [
        ANSWER[0],
        {**ANSWER[1], "more_body": True},
        {"type": "http.response.body", "body": b""},
    ]


def test_who_sends_on_is_left_after_some_seconds():
    messages, at, left = asked([(0.5, part(True))] * 10, reads=1, seconds=2.25)
    assert (at, left, len(messages)) == (2.75, 5, 3)


def test_who_sends_nothing_is_left_too():
    assert asked([])[1] == 2


def test_who_hangs_up_is_not_waited_for():
    assert asked([(0.5, {"type": "http.disconnect"})])[1:] == (0.5, 0)


def test_an_answer_in_parts_keeps_them():
    async def app(scope, receive, send):
        await send({**ANSWER[1], "more_body": True})
        await send(ANSWER[1])

    messages = []

    async def receive():
        return part(False)

    async def send(message):
        messages.append(message)

    asyncio.run(Lingering(app)({"type": "http"}, receive, send))
    assert [message.get("more_body", False) for message in messages] == [
        True,
        True,
        False,
    ]


def test_what_is_no_request_passes_through():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    asyncio.run(Lingering(app)({"type": "lifespan"}, 1, 2))
    assert seen == [({"type": "lifespan"}, 1, 2)]
