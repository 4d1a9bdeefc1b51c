"""The loss that a config describes: its terms, its numbers, and what does not fit."""

import json

import pytest

from fcn_jax.config import losses
from fcn_jax.config.types import Config
from fcn_jax.training.focal import Focal
from fcn_jax.training.losses import CrossEntropy, WeightedSum
from fcn_jax.training.overlaps import Dice, Tversky
from tests.support.runs import tiny_config


def test_terms_of_a_sum():
    assert losses.terms_of("cross_entropy") == {"cross_entropy": 1.0}
    found = losses.terms_of("0.5*dice + 1e-1 * lovasz+focal")
    assert found == {"dice": 0.5, "lovasz": 0.1, "focal": 1.0}
    assert list(found) == ["dice", "lovasz", "focal"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "cross_entropi",
            "loss.name='cross_entropi' is not known; did you mean 'cross",
        ),
        (
            "focal+dise",
            "'dise' of config.loss.name='focal[+]dise' is not known; did yo",
        ),
        (
            "",
            "config.loss.name='' is not known; choose one of cross_entropy, focal, di",
        ),
        ("focal+", "'' of config.loss.name='focal[+]' is not known; choose one of"),
        ("dice+2*dice", "config.loss.name='dice[+]2[*]dice' has dice twice; give it o"),
        (
            "half*dice",
            "loss.name='half[*]dice' has the weight 'half'; weights are posi",
        ),
        ("0*dice", "config.loss.name='0[*]dice' has the weight '0'; weights are posit"),
        ("-1*dice", "config.loss.name='-1[*]dice' has the weight '-1'; weights are"),
        ("inf*dice", "config.loss.name='inf[*]dice' has the weight 'inf'; weights are"),
    ],
)
def test_terms_without_sense_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        losses.terms_of(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"loss.label_shrink": 0},
            "config.loss.label_shrink=0 is no number of pixels from 1 on; 1 is a loss",
        ),
        (
            {"loss.reduction": "avg"},
            "config.loss.reduction='avg' is not known; use one",
        ),
        (
            {"loss.focal_gamma": -1.0},
            "config.loss.focal_gamma=-1.0 is no number from 0",
        ),
        (
            {"loss.tversky": (0, 0)},
            r"config.loss.tversky=\(0, 0\) is what a false posi",
        ),
        (
            {"loss.tversky": (1,)},
            r"config.loss.tversky=\(1,\) is what a false positive",
        ),
        ({"loss.tversky": ("a", 1)}, r"config.loss.tversky=\('a', 1\) is what a false"),
        (
            {"loss.name": "focal+dice", "loss.reduction": "sum"},
            "reduction='sum' adds up pixels, and dice compares regions, as ratios",
        ),
        (
            {"loss.name": "cross_entropy+lovasz", "accumulate": 2},
            "config.accumulate=2 sees a part .* lovasz compares regions of all",
        ),
        (
            {"loss.name": "dice+lovasz", "loss.class_weights": (1.0, 2.0, 3.0)},
            r"class_weights=\(1.0, 2.0, 3.0\) weighs the pixels .* dice and lovasz ",
        ),
        (
            {"loss.name": "tversky", "loss.balance": "median_frequency"},
            "config.loss.balance='median_frequency' weighs the pixels .*; leave it out",
        ),
        (
            {"loss.focal_gamma": 3.0},
            "config.loss.focal_gamma=3.0 is of focal, and config.loss.name='cross_entr",
        ),
        (
            {"loss.name": "dice", "loss.tversky": (0.5, 0.5)},
            r"config.loss.tversky=\(0.5, 0.5\) is of tversky, and .*='dice' does not",
        ),
        (
            {"loss.per_image": True},
            "config.loss.per_image=True is of dice and tversky and lovasz, and ",
        ),
        ({"loss.class_weights": (1.0,)}, "class_weights has 1 entries for 3 classes"),
        (
            {"loss.class_weights": ("median_frequency",)},
            "class_weights='median_frequency' is no list of .*config.loss.balance='med",
        ),
        (
            {"loss.class_weights": (1.0, "a", 2.0)},
            r"class_weights=\(1.0, 'a', 2.0\) is no list of numbers, one a class; wei",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        losses.make_loss(tiny_config("", **changes))


def test_weights_of_classes_are_of_one_head():
    config = tiny_config("", **{"loss.class_weights": (1.0, 2.0)})
    with config.ignore_type():
        config.model.num_classes = {"a": 2, "b": 3}
    with pytest.raises(
        ValueError, match="class_weights is for networks with one head; .* a, b: leave"
    ):
        losses.make_loss(config)


def test_a_loss_has_what_the_keys_say():
    keys = {
        "loss.name": "0.5*focal+tversky",
        "loss.focal_gamma": 1.5,
        "loss.tversky": (0.1, 0.9),
        "loss.per_image": True,
        "accumulate": 2,
    }
    found = losses.make_loss(tiny_config("", **keys), 7, (1.0, 2.0, 3.0), "devices")
    assert isinstance(found, WeightedSum)
    (weight, first), (one, second) = found.terms
    assert (weight, one, type(first), type(second)) == (0.5, 1.0, Focal, Tversky)
    assert first.options is second.options
    options = first.options
    assert (options.focal_gamma, options.tversky) == (1.5, (0.1, 0.9))
    assert (options.per_image, options.axis_name) == (True, "devices")
    assert (options.ignore_label, options.class_weights) == (7, (1.0, 2.0, 3.0))


def test_one_loss_of_weight_one_is_no_sum():
    assert type(losses.make_loss(tiny_config(""))) is CrossEntropy
    assert type(losses.make_loss(tiny_config("", **{"loss.name": "dice"}))) is Dice
    half = losses.make_loss(tiny_config("", **{"loss.name": "0.5*dice"}))
    assert isinstance(half, WeightedSum)


def test_a_run_that_is_older_than_the_keys():
    older = json.loads(tiny_config("").to_json())
    for key in ("name", "balance", "focal_gamma", "tversky", "per_image"):
        del older["loss"][key]
    assert losses.make_loss(Config(older)) == losses.make_loss(tiny_config(""))
