"""What is said while images are seen."""

import io

import pytest

from fcn_jax.runs import progress


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_line_now_and_then_where_there_is_no_terminal():
    clock, file = Clock(), io.StringIO()
    with progress.Counter(40, file, clock) as counter:
        for _ in range(10):
            clock.now += 8
            counter.update(2)
        clock.now += 31
        counter.within("scene", 0.25)
        counter.within("scene", 0.5)
    assert file.getvalue().splitlines() == [
        "8 of 40 images after 0:00:32, 0.25 a second, 0:02:08 left",
        "16 of 40 images after 0:01:04, 0.25 a second, 0:01:36 left",
        "20 of 40 images after 0:01:51, 0.18 a second, 0:01:51 left; scene: 25%",
    ]


def test_nothing_is_known_before_the_first():
    clock, file = Clock(), io.StringIO()
    counter = progress.Counter(2, file, clock)
    clock.now += 60
    counter.within("scene", 0.1)
    assert file.getvalue() == "0 of 2 images after 0:01:00; scene: 10%\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_on_a_terminal():
    clock, file = Clock(), Terminal()
    with progress.Counter(4, file, clock) as counter:
        clock.now += 100
        counter.update(4)
    assert "of 4 images" not in file.getvalue()
    assert "0/4" in file.getvalue()


@pytest.fixture
def paced():
    clock = Clock()
    return clock, progress.Progress(10, 0, 4, shown=False, clock=clock)


def test_speed_is_of_the_time_since_the_last_line(paced):
    clock, of_run = paced
    for waited in (0.0, 1.5):
        clock.now += 2
        of_run.waiting(waited)
        of_run.step_done()
    assert of_run.measure(2) == {"images_per_second": 2, "waiting": 0.375, "eta": 16}
    clock.now += 1
    of_run.step_done()
    assert of_run.measure(3) == {"images_per_second": 4, "waiting": 0, "eta": 7}


def test_a_step_waits_for_no_more_than_the_time_that_counts(paced):
    """As where masks were estimated in between, which a log called 1456 %."""
    clock, of_run = paced
    clock.now += 30
    of_run.skip_clock()
    clock.now += 2
    of_run.waiting(31.5)
    clock.now += 2
    of_run.step_done()
    assert of_run.measure(1)["waiting"] == 0.5
