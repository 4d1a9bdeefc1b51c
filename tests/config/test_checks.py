"""Numbers of a config that have no sense, by the names of their keys."""

import json

import pytest

from fcn_jax.config.base import base_config
from fcn_jax.config.checks import check_numbers
from fcn_jax.config.types import Config
from fcn_jax.data import shared_items
from tests.support.runs import tiny_config


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("num_steps", 0, "config.num_steps=0 is not positive; give a whole number fr"),
        ("keep_checkpoints", 0, "config.keep_checkpoints=0 is not positive"),
        ("eval_every", -1, "config.eval_every=-1 is not positive"),
        ("seed", -1, "config.seed=-1 is no whole number from 0 on; give one"),
        ("data.num_threads", -1, "config.data.num_threads=-1 is no whole number from"),
        ("data.num_workers", -2, "config.data.num_workers=-2 is no whole number from"),
        ("data.cache", -1.0, "config.data.cache=-1.0 is no number of GiB; give one fr"),
        ("data.cache", float("nan"), "config.data.cache=nan is no number of GiB"),
        ("eval_scale", 0.0, "config.eval_scale=0.0 is not positive; 1 is the image's"),
        ("eval_scale", float("inf"), "config.eval_scale=inf is not positive"),
        ("data.crop", (5,), r"config.data.crop=\(5,\) is no size; give \(HEIGHT,WIDT"),
        ("data.crop", ("(a,b)",), r"config.data.crop=\('\(a,b\)',\) is no size"),
        ("data.crop", (5, 0), r"config.data.crop=\(5, 0\) is no size"),
        ("data.canvas", (5, 6, 7), r"config.data.canvas=\(5, 6, 7\) is no size"),
        ("data.scale", (1,), r"config.data.scale=\(1,\) is no range; give \(LOWEST,H"),
        ("data.scale", (2, 1), r"config.data.scale=\(2, 1\) is no range"),
        ("data.scale", (0, 1), r"config.data.scale=\(0, 1\) is no range"),
        ("data.rotation", 270.0, "config.data.rotation=270.0 is no angle; give degree"),
        ("data.hue", -1.0, "config.data.hue=-1.0 is no angle; give degrees from 0 to"),
        ("data.contrast", 1.5, "config.data.contrast=1.5 is no fraction; give one fr"),
        ("data.saturation", -0.1, "config.data.saturation=-0.1 is no fraction; give"),
        ("data.class_mix", 2.0, "config.data.class_mix=2.0 is no fraction; give one"),
        ("data.blur", -1.0, "config.data.blur=-1.0 is no number of pixels; 0 is for"),
        ("data.cutout", (0, 5), r"config.data.cutout=\(0, 5\) is no size; give \(HEI"),
    ],
)
def test_a_number_without_sense_is_refused(key, value, message):
    config = base_config()
    config.update_from_flattened_dict({key: value})
    with pytest.raises(ValueError, match=message):
        check_numbers(config)


def test_colours_of_images_that_have_none():
    config = tiny_config("", **{"data.channels": "hha", "data.hue": 9.0})
    with pytest.raises(ValueError, match="data.hue=9.0 changes colours, .*'hha' have"):
        check_numbers(config)


def test_processes_share_what_is_kept_where_the_system_lets_them(monkeypatch):
    config = tiny_config("", **{"data.cache": 0.5, "data.num_workers": 4})
    monkeypatch.setattr(shared_items, "AVAILABLE", True)
    check_numbers(config)
    monkeypatch.setattr(shared_items, "AVAILABLE", False)
    with pytest.raises(
        ValueError, match=r"cache=0.5 is to be shared by .*num_workers=4 .* one of them"
    ):
        check_numbers(config)


def test_the_smallest_that_have_sense():
    check_numbers(base_config())
    small = {
        "num_steps": 1,
        "seed": 0,
        "eval_scale": 0.1,
        "data.crop": (1, 1),
        "data.scale": (0.5, 0.5),
    }
    check_numbers(tiny_config("", **small))


def test_those_of_an_older_run_read_from_json():
    older = json.loads(tiny_config("", **{"data.crop": (5, 6)}).to_json())
    del older["data"]["canvas"], older["eval_scale"]
    check_numbers(Config(older))
    older["data"]["crop"] = [5]
    with pytest.raises(ValueError, match=r"config.data.crop=\(5,\) is no size"):
        check_numbers(Config(older))
