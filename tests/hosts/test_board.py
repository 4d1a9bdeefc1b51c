"""What processes tell each other."""

from fcn_jax.hosts.board import Board
from tests.support.boards import Service, together


def boards(count):
    service = Service()
    return service, [Board(service, index, count) for index in range(count)]


def test_all_hear_of_all_in_their_order():
    _, every = boards(3)
    values = [{"a": [1, None]}, 2**60, float("inf")]  # JSON as Python has it.
    found = together(
        *(lambda b=b, v=v: b.gather("x", v) for b, v in zip(every, values, strict=True))
    )
    assert found == [values] * 3


def test_rounds_do_not_mix_and_leave_nothing_behind():
    service, every = boards(2)

    def tell(board, index):
        return [board.gather("x", [index, n]) for n in range(20)]

    found = together(*(lambda i=i: tell(every[i], i) for i in range(2)))
    assert found == [[[[0, n], [1, n]] for n in range(20)]] * 2
    assert len(service.values) == 2  # Of the last round.


def test_who_is_elsewhere_in_the_program_is_told():
    _, (one, two) = boards(2)
    found = together(lambda: one.gather("x", 1), lambda: two.gather("y", 2))
    assert "process 0 tells 'x' where process 1 tells 'y'" in str(found[0])
    assert "start all from the same installation" in str(found[1])


def test_a_service_that_is_gone_is_no_wait():
    service, (one, _) = boards(2)

    def gone(key, timeout_in_ms):
        raise RuntimeError("UNAVAILABLE: gone")

    service.blocking_key_value_get = gone
    (found,) = together(lambda: one.gather("x", 1))
    assert "UNAVAILABLE" in str(found)


def test_posts_are_written_over():
    _, (one, two) = boards(2)
    one.post("beat", 1)
    one.post("beat", 2)
    two.post("gone", [1, "x"])
    assert two.look() == {"beat": {0: 2}, "gone": {1: [1, "x"]}}
