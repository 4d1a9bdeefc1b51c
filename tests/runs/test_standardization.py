"""Mean and variance of rows that come in parts."""

import numpy as np
import pytest

from fcn_jax.runs.standardization import Moments


def test_parts_are_as_the_whole():
    rng = np.random.default_rng(0)
    rows = (1e4 + rng.normal(size=(31, 5))).astype(np.float32)
    found = Moments()
    for part in (rows[:1], rows[1:1], rows[1:20], rows[20:]):
        found.add(part)
    wide = rows.astype(np.float64)
    assert found.count == 31
    np.testing.assert_allclose(found.mean(), wide.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(found.variance(), wide.var(axis=0), rtol=1e-6)


@pytest.mark.parametrize("constant", (0, 1, 0.1, 1e8, -1e-8))
def test_what_does_not_vary_has_no_variance(constant):
    found = Moments()
    for count in (3, 7, 1):
        found.add(np.full((count, 2), constant, np.float32))
    assert found.variance().tolist() == [0, 0]
    np.testing.assert_allclose(found.mean(), constant, rtol=1e-6)


def test_of_nothing_there_is_no_mean():
    found = Moments()
    found.add(np.zeros((0, 4), np.float32))
    for ask in (found.mean, found.variance):
        with pytest.raises(ValueError, match="no superpixels to take a mean of: every"):
            ask()
