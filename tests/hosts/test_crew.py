"""What a run asks of its processes, alone and of several."""

import time

import pytest

from fcn_jax import hosts
from fcn_jax.hosts import crew as crews_of
from fcn_jax.hosts import ends
from fcn_jax.hosts.stops import Stop
from tests.support.boards import crews, each


def test_alone_all_of_it_is_nothing(tmp_path):
    one = hosts.ALONE
    assert (one.index, one.count, one.first) == (0, 1, True)
    assert one.gather("x", 3) == [3]
    assert one.tell("x", 3) == 3
    assert one.tick() == 0
    one.agree({"a": 1})
    one.listen(lambda: 15)
    one.limit(1, tmp_path)
    one.doing("x")
    with one.unhurried(), hosts.together(one):
        assert one.tick() == 0


def test_the_first_tells():
    assert each(crews(3), lambda crew: crew.tell("x", crew.index)) == [0, 0, 0]


def test_what_differs_is_named_with_its_values():
    def agree(crew):
        crew.agree({"seed": 0, "batch": [2, 3][crew.index], "name": "abc"[crew.index]})

    for error in each(crews(2), agree):
        assert isinstance(error, ValueError)
        assert str(error) == (
            "the 2 processes of this run differ: batch is 2 in process 0, 3 in process "
            "1; name is 'a' in process 0, 'b' in process 1. Start all with the same "
            "command, installation and data."
        )
    assert each(crews(2), lambda crew: crew.agree({"a": [1]})) == [None, None]


@pytest.fixture
def ended(monkeypatch):
    found = []
    monkeypatch.setattr(ends, "at_once", found.append)
    return found


def test_who_fails_tells_the_others(ended):
    two = crews(2)
    with pytest.raises(ValueError, match="a mask"), hosts.together(two[1]):
        raise ValueError("a mask\nof more lines")
    assert two[0]._board.look()["gone"] == {1: [1, "a mask"]}
    assert ended == [1]  # Python waits for nobody after that.


def test_who_is_interrupted_tells_the_others_too(ended):
    two = crews(2)
    with pytest.raises(KeyboardInterrupt), hosts.together(two[1]):
        raise KeyboardInterrupt
    assert two[0]._board.look()["gone"] == {1: [130, "KeyboardInterrupt"]}
    assert ended == [130]


@pytest.mark.parametrize(("number", "said"), ((15, "terminated"), (2, "interrupted")))
def test_who_is_asked_to_stop_tells_the_others_too(ended, number, said):
    """Where nothing is agreed on: an evaluation, and before a run trains."""
    two = crews(2)
    with pytest.raises(Stop), hosts.together(two[1]):
        raise Stop(number)
    assert two[0]._board.look()["gone"] == {1: [128 + number, said]}
    assert ended == [128 + number]


def test_who_is_asked_to_stop_while_it_waits_for_the_end_tells_it(ended, monkeypatch):
    two = crews(2)

    def asked(what, value):
        assert what == "the end"
        assert two[1]._watch.pace._unhurried == 1  # Process 0 may write for long.
        raise Stop(15)

    monkeypatch.setattr(two[1], "gather", asked)
    with pytest.raises(Stop), hosts.together(two[1]):
        pass
    assert two[0]._board.look()["gone"] == {1: [143, "terminated"]}
    assert ended == [143]


def test_a_failed_collective_waits_for_who_is_gone(ended, monkeypatch):
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    two = crews(2)
    with pytest.raises(ValueError, match="Gloo"), hosts.together(two[1]):
        raise ValueError("UNKNOWN: Gloo all-reduce failed: reset by peer")
    assert waited == [crews_of._VERDICT]


def test_who_is_stopped_leaves_with_the_others():
    def stop(crew):
        with pytest.raises(SystemExit, match="143"), hosts.together(crew):
            raise SystemExit(143)
        return crew._board.look()

    two = crews(2)
    for crew in two:
        crew._watch._silence = 3600  # That would end all tests.
        crew._watch.start()
    assert [found.get("gone") for found in each(two, stop)] == [None, None]


def test_what_is_unhurried_may_take_longer_than_a_step(tmp_path, monkeypatch):
    (crew,) = crews(1)
    crew.limit(60, tmp_path)
    begun = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: begun + 61)
    with crew.unhurried():
        monkeypatch.setattr(time, "monotonic", lambda: begun + 200)
        assert crew._watch.pace.overdue() == 0
    monkeypatch.setattr(time, "monotonic", lambda: begun + 261)
    assert crew._watch.pace.overdue() == 61
    crew.tick()  # It has got on.
    assert crew._watch.pace.overdue() == 0
