"""How fast a body must come, by a clock that is moved by hand."""

import asyncio

import pytest

from fcn_jax.serving.arrivals import Arrivals, Pace
from fcn_jax.serving.refusals import BUSY, TIMED_OUT, Refusal
from tests.support.clocks import Clock

PACE = Pace(seconds=60.0, window=10.0, least=100)


def sent(pieces, pace=PACE, most=10**9):
    """When a body ends whose pieces are (seconds before it, bytes); how it ended."""

    async def send():
        arrivals = Arrivals(pace, most)
        loop = asyncio.get_running_loop()
        try:
            async with arrivals.one() as arrival:
                for seconds, count in pieces:
                    await asyncio.sleep(seconds)
                    arrival.came(count, kept=True)
            why = None
        except Refusal as refusal:
            why = refusal
        assert arrivals.count == 0
        return round(loop.time(), 3), why

    loop = Clock()
    try:
        return loop.run_until_complete(send())
    finally:
        loop.close()


def test_a_quick_body_has_its_time():
    assert sent([(1, 10)]) == (1, None)
    assert sent([(9, 1000)] * 6) == (54, None)


def test_a_slow_one_ends_with_its_window():
    at, why = sent([(1, 99)] * 60)
    assert (at, why.status) == (10, TIMED_OUT)
    assert str(why) == (
        "the image came at less than 100 bytes a second; send a smaller one"
    )


def test_what_came_quickly_is_no_credit():
    """A megabyte at once, then a byte a second: ended ten seconds later."""
    at, why = sent([(1, 10**6)] + [(1, 1)] * 60)
    assert (at, why.status) == (11, TIMED_OUT)


def test_at_its_pace_it_has_the_whole_time():
    at, why = sent([(1, 112)] * 70)  # 1,008 bytes in nine seconds.
    assert (at, why.status) == (60, TIMED_OUT)
    assert str(why) == "the image did not arrive within 60 seconds"


def test_all_together_have_room_for_so_many_bytes():
    at, why = sent([(0, 600), (0, 600)], most=1000)
    assert (at, why.status) == (0, BUSY)
    assert str(why) == "1 images are on their way already; try again soon"


def test_room_is_given_back():
    async def twice():
        arrivals = Arrivals(PACE, 1000)
        for _ in range(2):
            async with arrivals.one() as arrival:
                arrival.came(900, kept=True)
                arrival.came(900, kept=False)
                assert arrival.held == 900

    asyncio.run(twice())


def test_what_is_no_fault_of_the_pace_goes_on():
    async def fails():
        async with Arrivals(PACE, 1000).one():
            raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        asyncio.run(fails())
