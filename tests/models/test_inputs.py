"""What every step asks of a batch; those of networks are in test_contracts.py."""

import numpy as np
import pytest

import fcn_jax.models
from fcn_jax import crf
from fcn_jax.models import inputs


def made(**changes):
    return {
        "image": np.zeros((2, 4, 6, 3), np.uint8),
        "labels": np.zeros((2, 4, 6), np.uint8),
        "sizes": np.full((2, 2), 4, np.int32),
    } | changes


@pytest.mark.parametrize(
    "changes",
    (
        {},
        {"labels": {"semantic": np.zeros((2, 4, 6), np.uint8)}},
        {"labels": None, "sizes": None},
        {"image": np.zeros((2, 4, 6, 4), np.float32)},
    ),
)
def test_what_a_step_takes(changes):
    inputs.assert_batch(**made(**changes))


@pytest.mark.parametrize(
    ("changes", "what"),
    (
        ({"image": np.zeros((4, 6, 3), np.uint8)}, "assert_rank"),
        ({"labels": np.zeros((2, 6, 4), np.uint8)}, "assert_shape"),
        ({"labels": {"a": np.zeros((2, 4, 6, 1), np.uint8)}}, "assert_shape"),
        ({"labels": np.zeros((2, 4, 6), np.float32)}, "assert_type"),
        ({"sizes": np.zeros((2, 3), np.int32)}, "assert_shape"),
        ({"sizes": np.zeros((2, 2), np.float32)}, "assert_type"),
    ),
)
def test_what_a_step_does_not_take(changes, what):
    with pytest.raises(AssertionError, match=f"{what} failed"):
        inputs.assert_batch(**made(**changes))


def test_what_a_network_takes_beside_images():
    net = fcn_jax.models.create("zoomout", 3, width=1 / 32)
    superpixels = np.zeros((2, 4, 6), np.int32)
    for model in (net, crf.WithCRF(net, crf.CRF(3))):
        found = inputs.extra_inputs(model, made(superpixels=superpixels))
        assert found.keys() == {"superpixels"}
        with pytest.raises(
            ValueError, match="looks at superpixels of an image, and the"
        ):
            inputs.extra_inputs(model, made())
    plain = fcn_jax.models.create("fcn32s", 3, width=1 / 32)
    assert inputs.extra_inputs(plain, made(superpixels=superpixels)) == {}
