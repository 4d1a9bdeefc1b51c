"""The order of images: as it was without groups, and fixed shares of two groups."""

import numpy as np
import pytest

from fcn_jax.data import order
from fcn_jax.data.loader import Readers
from fcn_jax.data.order import Shares
from fcn_jax.data.sharing import Share
from tests.support.loading import assert_same, seen, train
from tests.support.noise import Source

STRONG = np.array([True, False, False, True, False, False, False])


class Grouped(Source):
    """Seven images of noise, two of them of the first group."""

    shares = Shares(STRONG, 0.4)

    def __init__(self):
        super().__init__([(4, 5)] * 7)


@pytest.mark.parametrize("with_replacement", (False, True))
def test_every_batch_has_as_many_of_each_group(with_replacement):
    batches = train(Grouped(), 20, batch_size=5, with_replacement=with_replacement)
    for batch in batches:
        rows = STRONG[batch["index"]]
        assert rows.tolist() == [False, False, True, False, True]
    drawn = np.concatenate([batch["index"] for batch in batches])
    assert set(drawn.tolist()) == set(range(7))
    firsts = [place for place in drawn.tolist() if STRONG[place]]
    pairs = [tuple(firsts[i : i + 2]) for i in range(0, len(firsts), 2)]
    alike = all(sorted(pair) == [0, 3] for pair in pairs)
    assert alike != with_replacement  # Epochs of the group, or draws.
    if not with_replacement:
        assert len({*pairs}) == 2  # Each in an order of its own.


def test_a_batch_depends_on_the_step_alone():
    options = {"batch_size": 5, "readers": Readers(0)}
    batches = train(Grouped(), 6, **options)
    assert_same(train(Grouped(), 3, start_step=3, **options), batches[3:])
    assert seen(train(Grouped(), 6, seed=4, **options)) != seen(batches)


def test_processes_share_the_rows_of_a_batch():
    options = {"batch_size": 4, "readers": Readers(0)}
    whole = train(Grouped(), 3, **options)
    parts = [train(Grouped(), 3, share=Share(i, 2), **options) for i in range(2)]
    for number, batch in enumerate(whole):
        rows = np.concatenate([part[number]["index"] for part in parts])
        np.testing.assert_array_equal(rows, batch["index"])


@pytest.mark.parametrize(("share", "size"), ((0.1, 4), (0.9, 4), (0.5, 1)))
def test_a_share_leaves_some_of_both_kinds(share, size):
    message = (
        rf"a share of {share} of {size} image\(s\) is .*, which leaves none of one"
    )
    with pytest.raises(ValueError, match=message):
        Shares(STRONG, share).count(size)


def test_another_image_is_of_the_same_group():
    rng = np.random.default_rng(0)
    drawn = {order.redrawn(Grouped(), 0, rng) for _ in range(30)}
    assert drawn == {0, 3}
    others = {order.redrawn(Grouped(), 1, rng) for _ in range(60)}
    assert others == {1, 2, 4, 5, 6}
