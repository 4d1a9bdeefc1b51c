"""fcn_jax regions: what counts of masks and objects, with regions that are told."""

import types

import numpy as np

from fcn_jax.commands import regions as command
from fcn_jax.inference.regions import Regions
from tests.support.object_sources import LABELS, OBJECTS, Source, item


def test_void_is_neither_a_region_s_nor_an_object_s(monkeypatch):
    """The dog's map has two pixels of void; a region has void and three of the dog."""
    things = np.array(OBJECTS)
    things[3, 1:3] = 7
    masks = np.zeros((1, 5, 6), bool)
    masks[0, 4, 1:4] = masks[0, 3, 1] = True
    told = Regions(masks, np.log([0.9]), np.array([2]), np.ones(1, bool))
    monkeypatch.setattr(command, "regions_of", lambda run: [(0, told)])
    run = types.SimpleNamespace(source=Source(item(LABELS, things)))
    found, threshold = command.score(run, 1)
    assert found["ap_r"]["0.7"] == [None, 0.0, 1.0]
    assert found["num_objects"] == [0, 2, 1]
    assert 0 < threshold < 0.9
