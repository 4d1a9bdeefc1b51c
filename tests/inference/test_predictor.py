"""How several networks are asked together, and what a batch must hold for them."""

import pytest

from fcn_jax.inference.predictor import Predictor, combine
from fcn_jax.regions.superpixels import Slic


def of(**given):
    return Predictor(lambda variables, batch: None, **given)


def test_an_ensemble_needs_what_its_members_need():
    found = combine([of(), of(scales=(0.5,), divide=Slic(9))], "mean_prob")
    assert (found.scales, found.divide, found.windows) == ((0.5, 1.0), Slic(9), None)
    assert combine([of(divide=Slic(9)), of(divide=Slic(9))], "mean_prob").divide
    assert combine([of(), of()], "mean_prob").divide is None


def test_a_batch_has_one_map_of_superpixels():
    members = [of(divide=Slic(9)), of(divide=Slic(4))]
    with pytest.raises(
        ValueError, match=r"different superpixels, of Slic.*Slic\(num=4"
    ):
        combine(members, "mean_prob")
