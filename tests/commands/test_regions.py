"""fcn_jax regions: what counts of masks and objects, with regions that are told."""

import json
import types

import numpy as np
import pytest

from fcn_jax.commands import regions as command
from fcn_jax.config import named
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
    found, threshold, count = command.score(run, 1)
    assert found["ap_r"]["0.7"] == [None, 0.0, 1.0]
    assert found["num_objects"] == [0, 2, 1]
    assert 0 < threshold < 0.9
    assert count == 1


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.9, 0.5, 0.305], 0.31),
        ([0.9995, 0.9985, 0.9965], 0.997),  # All above 0.99.
        ([0.999995, 0.999985, 0.999965], 0.99997),
        ([1.0, 1.0, 1.0], 0.999999),  # None leaves two.
    ],
)
def test_a_net_that_is_sure_of_itself_has_a_threshold_too(scores, expected):
    found = command.threshold_of([np.array(scores)], 2)
    assert found == pytest.approx(expected, rel=1e-9)
    assert float(f"{found:g}") == found
    assert np.sum(np.array(scores) > found) == (3 if scores[0] == 1 else 2)


def test_how_many_regions_there_are_is_said(monkeypatch, tmp_path, capsys):
    """Three of probability 1: no threshold leaves one."""
    masks = np.zeros((3, 5, 6), bool)
    masks[:, 1, 1] = True
    told = Regions(masks, np.zeros(3), np.array([1, 2, 1]), np.ones(3, bool))
    monkeypatch.setattr(command, "regions_of", lambda run: [(0, told)])
    source = Source(item(LABELS, OBJECTS))
    checkpoint = types.SimpleNamespace(step=1)
    run = types.SimpleNamespace(source=source, checkpoint=checkpoint)
    monkeypatch.setattr(command, "Evaluation", lambda *rest: run)
    config = named.load("shapes_hypercolumn").get_config("smoke")
    monkeypatch.setattr(command.command_line, "config_of_flags", lambda: config)
    values = types.SimpleNamespace(
        workdir=tmp_path, split="val", step=None, average=1.0, out=None
    )
    command.run_flags(values)
    said = capsys.readouterr().out
    assert "3 regions an image on average, of 1 at most: " in said
    assert "--config.inference.background=0.999999; in" in said
    assert "no threshold leaves 1 an image; lower config.inference.region_iou" in said
    assert json.loads((tmp_path / "regions.json").read_text())["regions"] == 3
