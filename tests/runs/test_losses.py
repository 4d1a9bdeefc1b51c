"""Losses that are read late, and the message where one is not finite."""

import types

import jax
import numpy as np
import pytest

from fcn_jax.runs.losses import RecentLosses, lowest
from fcn_jax.storage.checkpoints import CheckpointStore


def metrics(loss, norm=1.0):
    return {
        name: jax.device_put(np.array([value], np.float32))
        for name, value in (("loss", loss), ("grad_norm", norm))
    }


def test_what_is_collected_is_the_mean_and_the_last(tmp_path):
    losses = RecentLosses([4.0])
    losses.add(2, metrics(1.0, 5.0))
    losses.add(3, metrics(2.0, 6.0))
    losses.collect(CheckpointStore(tmp_path / "checkpoints"))
    assert losses.losses == [4.0, 1.0, 2.0]
    expected = {"loss": 2.0, "mean_loss": 7 / 3, "grad_norm": 6.0}
    assert losses.summary() == pytest.approx(expected)
    assert losses.losses == []


@pytest.mark.parametrize(
    ("steps", "named"), [([], "none in "), ([3, 6], r"\[3, 6\] in ")]
)
@pytest.mark.parametrize("bad", [(np.nan, 1.0), (1.0, np.inf)])
def test_divergence_names_the_step_and_the_good_checkpoints(steps, named, bad):
    closed = []
    store = types.SimpleNamespace(
        steps=lambda: steps, directory="W", close=lambda: closed.append(1)
    )
    losses = RecentLosses()
    losses.add(7, metrics(1.0))
    losses.add(8, metrics(*bad))
    with pytest.raises(FloatingPointError, match=rf"^step 8: .*checkpoints: {named}W"):
        losses.collect(store)
    assert closed == [1]


@pytest.mark.parametrize(
    ("step", "why"),
    (
        (1, "no update was done yet: look at the weights that it starts from, and at"),
        (3, "the learning rate, 2, was still rising, and is likely too high already"),
        (9, "the warm-up was over, and the learning rate, 5, is likely too high"),
    ),
)
def test_divergence_says_what_the_learning_rate_was(step, why):
    store = types.SimpleNamespace(steps=list, directory="W", close=lambda: None)
    losses = RecentLosses(rate=lambda done: float(min(done + 1, 5)))
    losses.add(step, metrics(np.nan))
    with pytest.raises(
        FloatingPointError, match=f"has diverged and was stopped: {why}"
    ):
        losses.collect(store)


def test_a_batch_of_void_is_not_the_lowest_loss():
    assert lowest({1: 0.0, 2: 3.0, 3: 2.0, 4: 0.0}) == 3
    assert lowest({1: 0.0, 2: 0.0}) == 1
