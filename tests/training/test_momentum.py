"""Momentum and rate by batch size: what an image does to the parameters, and when."""

import numpy as np
import optax
import pytest

from fcn_jax.training import momentum


def moved_by_one(momentum_, rate, batch_size, updates):
    """How far the parameters have moved by one image's gradient of 1, by images seen.

    It is in the first batch; the gradients of all others are 0.
    """
    optimizer = optax.sgd(rate, momentum_)
    state, moved, found = optimizer.init(np.float32(0)), 0.0, []
    for update in range(updates):
        gradient = np.float32(1 / batch_size if update == 0 else 0)
        change, state = optimizer.update(gradient, state)
        moved -= float(change)
        found.append(moved)
    return np.array(found)


def test_by_hand():
    assert momentum.equivalent_momentum(0.9, 20, 1) == pytest.approx(0.994746, abs=1e-6)
    assert momentum.equivalent_momentum(0.99, 1, 20) == pytest.approx(
        0.817907, abs=1e-6
    )
    assert momentum.equivalent_momentum(0.9, 8, 8) == 0.9
    # 1e-4 * 1 * (1 - 0.994746) / (20 * 0.1)
    rate = momentum.equivalent_rate(1e-4, 0.9, 20, 1)
    assert rate == pytest.approx(2.6272e-7, rel=1e-4)


@pytest.mark.parametrize(("batch_size", "other"), ((20, 1), (4, 2)))
def test_an_image_moves_as_much_and_is_forgotten_as_fast(batch_size, other):
    ours = momentum.equivalent_momentum(0.9, batch_size, other)
    rate = momentum.equivalent_rate(0.1, 0.9, batch_size, other)
    times = batch_size // other
    first = moved_by_one(0.9, 0.1, batch_size, 60)
    second = moved_by_one(ours, rate, other, 60 * times)[times - 1 :: times]
    np.testing.assert_allclose(first, second, rtol=1e-4)  # After the same images.
    assert first[-1] == pytest.approx(0.1 / (batch_size * 0.1), rel=0.01)


def test_there_and_back():
    there = momentum.equivalent_momentum(0.9, 20, 1)
    assert momentum.equivalent_momentum(there, 1, 20) == pytest.approx(0.9)
    rate = momentum.equivalent_rate(0.1, 0.9, 20, 1)
    assert momentum.equivalent_rate(rate, there, 1, 20) == pytest.approx(0.1)


def test_errors():
    with pytest.raises(ValueError, match=r"momentum=1.0 is not in \[0, 1\): at 1 no"):
        momentum.equivalent_momentum(1.0, 1, 20)
    with pytest.raises(
        ValueError, match="batch sizes 0 and 20: an update has at least"
    ):
        momentum.equivalent_rate(0.1, 0.9, 0, 20)
