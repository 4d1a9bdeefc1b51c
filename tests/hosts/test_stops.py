"""All stop after the same tick."""

import threading

import pytest

from fcn_jax.hosts.stops import Agreement
from tests.support.boards import together


def test_ticks_go_on_where_nobody_asks():
    one = Agreement(2)
    assert [one.tick() for _ in range(5)] == [0] * 5
    assert (one.begun, one.asked) == (5, 0)


@pytest.mark.parametrize("ahead", (0, 1, 4))
def test_who_is_behind_goes_on_to_where_the_others_are(ahead):
    every = [Agreement(2), Agreement(2)]
    for _ in range(3 + ahead):
        every[0].tick()
    for _ in range(3):
        every[1].tick()
    begun = {n: each.heard(15) for n, each in enumerate(every)}
    assert begun == {0: 3 + ahead, 1: 3}
    for each in every:
        each.settle({0: 3 + ahead})  # One has not posted yet.
        each.settle(begun)
    assert every[0].tick() == 15
    assert [every[1].tick() for _ in range(ahead + 1)] == [0] * ahead + [15]
    assert every[0].begun == every[1].begun == 3 + ahead
    assert every[0].tick() == 15  # And stays.


def test_no_tick_begins_between_the_post_and_the_decision():
    one = Agreement(2)
    one.tick()
    begun = one.heard(2)
    waits = threading.Event()

    def main():
        waits.set()
        return one.tick()

    def settle():
        waits.wait(10)
        one.settle({0: begun, 1: 2})

    assert together(main, settle)[0] == 0  # To tick 2, which the other has begun.
    assert one.tick() == 2
