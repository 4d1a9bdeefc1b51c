"""What a config says of sampling: images of an update, and what has no sense."""

import json

import jax
import numpy as np
import pytest

from fcn_jax.config import datasets, losses, parts, sampling
from fcn_jax.config.types import Config
from fcn_jax.runs import logs, trainer
from tests.support.runs import make_folder, tiny_config


@pytest.mark.parametrize(
    ("changes", "images"),
    (
        ({"batch_size": 6}, 6),
        ({"batch_size": 6, "loss.pixel_probability": 0.5}, 6),
        ({"batch_size": 6, "loss.larger_batch": True}, 6),
        (
            {
                "batch_size": 6,
                "loss.larger_batch": True,
                "loss.pixel_probability": 0.25,
            },
            24,
        ),
        (
            {
                "batch_size": 1,
                "loss.larger_batch": True,
                "loss.pixel_probability": 0.333333333,
            },
            3,
        ),
    ),
)
def test_the_images_of_an_update(changes, images):
    assert sampling.images_of_update(tiny_config("", **changes)) == images


def test_a_run_that_is_older_than_the_keys():
    config = json.loads(tiny_config("").to_json())
    for name in ("larger_batch", "weigh_by", "pixel_stride"):
        del config["loss"][name]
    older = Config(config)
    assert sampling.images_of_update(older) == 2
    options = losses.make_loss(older).options
    assert (options.weigh_by, options.stride, options.larger_batch) == (
        "loss",
        1,
        False,
    )


def test_all_of_it_reaches_the_loss():
    changes = {
        "loss.pixel_probability": 0.5,
        "loss.pixel_stride": 8,
        "loss.larger_batch": True,
        "loss.weigh_by": "sampling",
        "loss.class_weights": (1.0, 2.0, 3.0),
    }
    options = losses.make_loss(tiny_config("", **changes)).options
    assert (options.pixel_probability, options.stride) == (0.5, 8)
    assert (options.larger_batch, options.weigh_by) == (True, "sampling")


@pytest.mark.parametrize(
    ("changes", "message"),
    (
        ({"pixel_probability": 0.0}, "pixel_probability=0.0 is not above 0 and at mo"),
        ({"pixel_probability": 1.5}, "pixel_probability=1.5 is not above 0 and at mo"),
        ({"pixel_stride": -8}, "pixel_stride=-8 is no whole number from 0 on; it is"),
        ({"weigh_by": "luck"}, "weigh_by='luck' is not known; use 'loss' .* 'sampling"),
        ({"weigh_by": "sampling"}, "weigh_by='sampling' has no weights to sample by;"),
        (
            {"weigh_by": "sampling", "class_weights": (0.0, 0.0, 0.0)},
            r"class_weights=\(0.0, 0.0, 0.0\) cannot be sampled by .* give weights fr",
        ),
        (
            {"larger_batch": True, "pixel_probability": 0.3},
            "batch_size=2 over config.loss.pixel_probability=0.3 is 6.67 images; .* "
            "such as 2 and 0.285714",
        ),
    ),
)
def test_what_has_no_sense_is_refused(changes, message):
    config = tiny_config("", **{f"loss.{key}": x for key, x in changes.items()})
    with pytest.raises(ValueError, match=message):
        losses.check_loss(config)


BALANCED = {
    "loss.pixel_probability": 0.5,
    "loss.pixel_stride": 8,
    "loss.larger_batch": True,
    "loss.weigh_by": "sampling",
    "loss.balance": "median_frequency",
    "num_steps": 2,
}


def test_batches_are_larger_and_weights_say_what_they_do(tmp_path, capsys):
    config = tiny_config(make_folder(tmp_path), **BALANCED)
    made = parts.build_parts(config, jax.local_devices()[:1])
    assert len(next(made.train_batches(0))["image"]) == 4
    assert made.loss.options.class_weights == made.class_weights
    assert "(pixels count as often)" in capsys.readouterr().out
    note = datasets.batch_note(config, made.train_source)
    assert note == ""
    config.batch_size = 3
    assert "/ config.loss.pixel_probability=6 is more than the 4 im" in (
        datasets.batch_note(config, made.train_source)
    )


@pytest.mark.slow
def test_a_run_with_larger_batches_that_are_balanced(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    config = tiny_config(make_folder(tmp_path / "data"), **BALANCED)
    trainer.train(config, tmp_path / "run")
    steps = [e for e in logs.read(tmp_path / "run/log.jsonl") if e["kind"] == "train"]
    assert np.isfinite([entry["loss"] for entry in steps]).all()


@pytest.mark.parametrize("key", ("train_cue", "eval_cue"))
def test_an_unknown_cue_is_refused(key, tmp_path):
    config = tiny_config(make_folder(tmp_path), **{f"data.{key}": "outline"})
    which = key.removesuffix("_cue")
    with pytest.raises(ValueError, match=f"{key}='outline' is not known; use one of"):
        datasets.open_source(config, which)


def test_cues_reach_what_is_trained_on_and_what_is_scored(tmp_path):
    names = ("background", "middle", "bright")
    config = tiny_config(make_folder(tmp_path, names=names))
    plain = [datasets.open_source(config, which)[0] for which in ("train", "eval")]
    config.data.train_cue, config.data.eval_cue = "foreground", "shape"
    for which, (item, colour) in zip(
        ("train", "eval"), ((plain[0], None), (plain[1], 255)), strict=True
    ):
        found = datasets.open_source(config, which)[0]["image"]
        objects = (item["labels"] > 0) & (item["labels"] != 255)
        expected = item["image"][objects] if colour is None else colour
        assert (found[objects] == expected).all()
        assert (found[~objects] == (123, 117, 104)).all()
