"""Who is gone, who hangs, and with what this process ends then."""

import pytest

from fcn_jax.hosts import ends, pace, watch
from fcn_jax.hosts.board import Board
from fcn_jax.hosts.crew import Joined
from fcn_jax.hosts.watch import Watch
from tests.support.boards import Service

NAMES = ("a, pid 1", "b, pid 2")


class Ended(BaseException):
    pass


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(watch, "time", found)
    monkeypatch.setattr(pace, "time", found)
    return found


@pytest.fixture(autouse=True)
def ended(monkeypatch):
    """How processes ended: codes and lines."""
    found = []

    def end(code, text):
        found.append((code, text))
        raise Ended

    monkeypatch.setattr(ends, "end", end)
    return found


def two():
    service = Service()
    return service, [Watch(Board(service, n, 2), n, NAMES) for n in range(2)]


def look(*watches):
    for each in watches:
        each._look()


def test_who_gives_signs_of_life_is_there(clock, ended):
    _, (one, other) = two()
    for _ in range(100):
        clock.now += 1
        look(one, other)
    assert ended == []


def test_who_gives_none_is_gone(clock, ended):
    service, (one, other) = two()
    look(one, other)
    while not ended:
        clock.now += 0.5
        before = clock.now
        try:
            look(one)
        except Ended:
            break
    code, text = ended[0]
    assert code == ends.GONE == 75
    assert text.startswith("process 1 of 2 (b, pid 2) is gone: no sign of life for 1")
    assert "Run the same command on all again" in text
    assert clock.now - 100 < 15
    assert clock.now == before  # Nobody is left to read it.
    # A third would be told so at once.
    third = Watch(Board(service, 2, 3), 2, (*NAMES, "c"))
    with pytest.raises(Ended):
        third._look()
    assert "process 0 of 3 (a, pid 1) ended: process 1 of 2" in ended[1][1]


def test_the_first_keeps_the_board_until_the_others_know_who_is_gone(clock, ended):
    service = Service()
    one, _, third = (
        Watch(Board(service, n, 3), n, (*NAMES, "c, pid 3")) for n in range(3)
    )
    for _ in range(11):
        look(one, third)
        clock.now += 1
    before = clock.now
    with pytest.raises(Ended):
        one._look()
    assert watch._SOON <= clock.now - before < watch._SOON + 1
    with pytest.raises(Ended):
        third._look()
    assert ended[1][1].startswith("process 0 of 3 (a, pid 1) ended: process 1 of 3 (b")


def test_a_failed_collective_makes_it_sooner(clock, ended):
    _, (one, other) = two()
    look(one, other)
    one.suspect()
    look(one)
    clock.now += 4
    with pytest.raises(Ended):
        look(one)
    assert ended[0][0] == ends.GONE


def test_why_another_ends_is_told_and_its_code_taken(clock, ended):
    _, (one, other) = two()
    look(one, other)
    other.farewell(1, "n2: the image is 7x9 and its mask 6x9")
    with pytest.raises(Ended):
        look(one)
    assert ended == [
        (1, "process 1 of 2 (b, pid 2) ended: n2: the image is 7x9 and its mask 6x9")
    ]


def test_the_first_waits_until_its_end_is_read(clock, ended):
    _, (one, other) = two()
    one.farewell(1, "x")  # Nobody reads it: it does not wait for ever.
    assert clock.now < 104
    with pytest.raises(Ended):
        look(other)
    before = clock.now
    one.farewell(1, "x")
    assert clock.now == before


def test_a_signal_to_one_stops_both(clock):
    _, (one, other) = two()
    one.agreement.tick()
    one.agreement.tick()
    other.agreement.tick()
    other.listen(lambda: 15)
    look(other, one, other, one)
    assert one.agreement.tick() == 15
    assert (other.agreement.tick(), other.agreement.tick()) == (0, 15)


def test_who_is_gone_after_a_signal_was_stopped_by_it(clock, ended):
    _, (one, other) = two()
    one.listen(lambda: 15)
    look(other, one)
    clock.now += 11
    with pytest.raises(Ended):
        look(one)
    assert ended[0][0] == 143
    assert one.lost()[0] == 143


def test_without_the_board_it_is_the_first_that_is_gone():
    _, (_, other) = two()
    code, text = other.lost()
    assert code == ends.GONE
    assert text.startswith("process 0 of 2 (a, pid 1) is gone: its coordination")


def test_the_first_is_told_by_its_board_that_another_is_gone(clock):
    """JAX's own watch may be the sooner one; which it is, is who is silent longest."""
    service = Service()
    names = (*NAMES, "c, pid 3")
    every = [Watch(Board(service, n, 3), n, names) for n in range(3)]
    assert every[0].lost()[1].startswith("another process is gone. Run the same")
    look(*every, every[0])
    clock.now += 5
    look(every[1], every[0])
    code, text = every[0].lost()
    assert code == ends.GONE
    assert text.startswith("process 2 of 3 (c, pid 3) is gone. Run the same command")


def test_a_step_that_does_not_end_ends_all_with_stack_traces(clock, ended, tmp_path):
    _, (one, other) = two()
    for each, what in ((one, "step 3"), (other, "the batch of step 3")):
        each.pace.limit, each.pace.dumps = 60.0, tmp_path
        each.pace.doing(what)
    clock.now += 59
    look(one, other)
    assert ended == []
    clock.now += 2
    for each in (one, other):
        with pytest.raises(Ended):
            look(each)
    (code, text), (other_code, said) = ended
    assert code == other_code == 75
    assert text.startswith(
        "nothing got on for 61 s (config.hang_timeout=60): process 0 (a, pid 1) is at "
        "step 3; process 1 (b, pid 2) is at the batch of step 3. Stack traces are in "
    )
    assert said.startswith("process 0 of 2 (a, pid 1) ended: nothing got on")
    for number in range(2):
        dump = (tmp_path / f"hang_{number}.txt").read_text()
        assert dump.startswith(f"process {number} of 2")
        assert "test_a_step_that_does_not_end" in dump


def test_compilation_and_evaluation_may_take_longer(clock, ended, tmp_path):
    _, (one, other) = two()
    one.pace.limit, one.pace.dumps = 60.0, tmp_path
    one.pace.hurry(False)
    clock.now += 1000
    look(other, one)
    assert one.pace.overdue() == 0
    clock.now += 1000
    assert one.pace.overdue() == 2000
    one.pace.hurry(True)
    clock.now += 61
    assert one.pace.overdue() == 61
    assert ended == []


def test_where_no_stack_trace_can_be_written_it_is_said_all_the_same(
    clock, ended, tmp_path
):
    _, (one, _) = two()
    one.pace.limit, one.pace.dumps = 60.0, tmp_path / "gone"
    clock.now += 61
    with pytest.raises(Ended):
        look(one)
    assert ended[0][1].startswith("nothing got on for 61 s")


class Looked(pace.Pace):
    """One that is looked at whenever anything of it has changed."""

    def __init__(self):
        self.looks = []
        super().__init__()

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if "_unhurried" in self.__dict__:
            self.looks.append(self.overdue())


def test_what_may_take_long_is_not_overdue_in_the_moment_when_it_ends(clock):
    seen = Looked()
    seen.limit = 60.0
    seen.hurry(False)
    clock.now += 1000
    seen.hurry(True)
    assert len(seen.looks) > 4
    assert set(seen.looks) == {0}


def test_what_came_before_the_limit_is_not_held_to_it(clock, tmp_path):
    """All may have waited for each other for minutes."""
    _, (watched, _) = two()
    watched.pace = seen = Looked()
    clock.now += 1000
    Joined(0, 2, watched._board, watched, print).limit(60.0, tmp_path)
    assert seen.limit == 60
    assert set(seen.looks) == {0}
