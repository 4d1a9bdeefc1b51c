"""Published numbers are those of the config that a run is most like."""

import pytest

from fcn_jax.config import named, published


def config_of(name, mode="full"):
    return named.load(name).get_config(mode)


def test_those_of_the_config_itself():
    found = published.of_run(config_of("voc_fcn8s"))
    assert found is not None
    assert (found.config, found.differing) == ("voc_fcn8s", ())
    assert found.text == (
        "Published: mean IU 65.5 on seg11valid, 67.2 on VOC 2012 test."
    )


def test_what_differs_is_named():
    config = config_of("camvid_fcn8s")
    config.num_steps = 7
    found = published.of_run(config)
    assert found is not None
    assert (found.config, found.differing) == ("camvid_fcn8s", ("num_steps",))
    assert "FCN 0.498" in found.text


def test_a_config_that_names_none():
    assert published.of_run(config_of("shapes_fcn8s")) is None


@pytest.mark.parametrize(
    ("key", "value"),
    (("model.num_classes", 12), ("data.root", "elsewhere/mine"), ("data.root", "")),
)
def test_another_data_set(key, value):
    config = config_of("camvid_fcn8s")
    config.update_from_flattened_dict({key: value})
    assert published.of_run(config) is None


def test_the_same_folder_in_another_place():
    config = config_of("camvid_fcn8s")
    config.data.root = "/somewhere/CamVid"
    found = published.of_run(config)
    assert found is not None
    assert "data.root" in found.differing


@pytest.mark.parametrize(
    ("head", "text"),
    (
        ("A net.\n\nPublished: 1,\nand 2.\nOurs: 3.\n", "Published: 1, and 2."),
        ("A net.\n\nPublished: 1.\n", "Published: 1."),
        ("A net.\n\nOurs: 3.\n", ""),
    ),
)
def test_sentences(head, text):
    assert published.sentences(head) == text
