"""One head of a source with several."""

import numpy as np
import pytest

from fcn_jax.data import contracts, fingerprints, one_head
from fcn_jax.data.one_head import OneOfHeads
from tests.support import made_up


def test_its_labels_are_those_of_the_head():
    both = made_up.Rooms("val", 2)
    one = OneOfHeads(both, "geometric")
    assert (one.name, one.split, len(one)) == ("rooms, geometric", "val", 2)
    (head,) = one.heads
    assert (head.name, head.classes, head.ignore_label) == (
        "", made_up.GEOMETRIC.classes, 0
    )  # fmt: skip
    assert contracts.num_classes(one) == 3
    np.testing.assert_array_equal(one[1]["labels"], both[1]["labels"]["geometric"])
    np.testing.assert_array_equal(one[1]["image"], both[1]["image"])
    np.testing.assert_array_equal(one.image_sizes(), both.image_sizes())
    assert fingerprints.of(one) == fingerprints.of(both)


def test_what_may_be_absent_stays_so():
    source = made_up.Rooms("val", 2)
    head = contracts.Head("a", ("x", "y"), made_up.PALETTE, may_be_absent=("y",))
    source.heads = (head, made_up.GEOMETRIC)
    assert OneOfHeads(source, "a").heads[0].may_be_absent == ("y",)


def test_a_head_that_there_is_not():
    match = "--head 'semantc' is not known; did you mean 'semantic'. There are: geometr"
    with pytest.raises(ValueError, match=match):
        OneOfHeads(made_up.Rooms("val", 2), "semantc")
    with pytest.raises(ValueError, match="--head=a: outdoors has one head; leave --he"):
        OneOfHeads(made_up.Outdoors("val", 2), "a")
    assert one_head.chosen(made_up.Rooms.heads, "semantic", "it") == "semantic"
