"""The built-in data set with two heads."""

import numpy as np
import pytest

from fcn_jax import data
from fcn_jax.data import checks, contracts
from fcn_jax.data.sources import landscapes


def test_what_it_says_of_itself():
    source = data.open_source("landscapes", "train")
    assert (source.name, len(source)) == ("landscapes", 240)
    assert contracts.num_classes(source) == {"sem": 7, "geo": 3}
    assert source.image_sizes().shape == (240, 2)
    assert source.heads[0].may_be_absent == ("moon",)
    assert data.DATASETS["landscapes"].splits == ("train", "test")
    with pytest.raises(
        ValueError, match="landscapes has no split 'val'; there are tra"
    ):
        data.open_source("landscapes", "val")


def test_an_item_is_the_same_each_time():
    source = landscapes.Landscapes("train")
    first, again, other = source[3], source[3], source[4]
    for key in ("sem", "geo"):
        np.testing.assert_array_equal(first["labels"][key], again["labels"][key])
    np.testing.assert_array_equal(first["image"], again["image"])
    assert (first["image"] != other["image"]).any()
    checks.check_item(first, {"sem": 7, "geo": 3}, {"sem": 255, "geo": 255}, "it")


def test_the_geometric_class_follows_from_the_semantic_one():
    expected = {
        "building": "vertical", "field": "horizontal", "moon": "sky",
        "road": "horizontal", "sea": "horizontal", "sky": "sky", "tree": "vertical",
    }  # fmt: skip
    source = landscapes.Landscapes("train")
    for index in range(20):
        labels = source[index]["labels"]
        pairs = np.unique(
            np.stack([labels["sem"], labels["geo"]]).reshape(2, -1), axis=1
        )
        for semantic, geometric in pairs.T.tolist():
            if semantic == 255:
                assert geometric == 255
                continue
            name = landscapes.SEMANTIC[semantic]
            assert landscapes.GEOMETRIC[geometric] == expected[name]


def held(split):
    source = landscapes.Landscapes(split)
    found = set()
    for index in range(len(source)):
        found |= set(np.unique(source[index]["labels"]["sem"]).tolist())
    return {landscapes.SEMANTIC[label] for label in found - {255}}


def test_there_is_no_moon_in_test():
    assert held("train") == set(landscapes.SEMANTIC)
    assert held("test") == set(landscapes.SEMANTIC) - {"moon"}
