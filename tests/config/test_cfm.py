"""What a config says of CFM: its geometry, its examples, what does not fit."""

import importlib

import jax
import numpy as np
import pytest

from fcn_jax.config import base, build, datasets, examples, families, losses, predictor
from fcn_jax.models import MODELS, option_names
from fcn_jax.training import optim


def load(name, mode="full"):
    return importlib.import_module(f"configs.{name}").get_config(mode)


def test_the_recipe_is_the_published_one():
    """SPP_net's fine-tuning, with CFM's overlaps."""
    config = load("voc_cfm")
    assert config.batch_size * config.data.objects.boxes == 32
    assert config.batch_size * config.data.objects.background_boxes == 96
    assert config.data.objects.min_iou == 0.5
    assert config.data.objects.negative_iou == (0.1, 0.3)
    assert (config.optim.momentum, config.optim.weight_decay) == (0.9, 5e-4)
    assert config.num_steps == 200_000
    schedule = build.make_schedule(config)
    with jax.numpy_dtype_promotion("standard"):
        rates = [float(schedule(done)) for done in (0, 30_000, 60_000)]
    assert rates == pytest.approx([1e-3, 1e-4, 1e-5])
    params = {"conv1_1": {"kernel": np.ones(1)}, "fc6_segment": {"kernel": np.ones(1)}}
    learning = optim.learns(params, config.optim.frozen)
    assert learning == {
        "conv1_1": {"kernel": False},
        "fc6_segment": {"kernel": True},
    }
    assert round(375 * config.eval_scale) == 688
    assert load("voc_cfm", "zf").model.name == "cfm_design_b"


def test_networks_of_the_family_have_its_options():
    for name in ("cfm", "cfm_design_b"):
        assert families.family_of(name) == "cfm"
        for encoder in ("vgg16", "zf5"):
            known = {*option_names(name, encoder), "name", "num_classes", "encoder"}
            assert set(base.base_config("cfm").model) <= known
        assert name in MODELS


def test_cells_are_those_of_the_config_s_encoder():
    config = base.base_config("cfm")
    cells = examples.cells_of(config)
    assert (cells.first, cells.stride, cells.inwards) == (7.5, 16, 6.5)
    assert [cells.along(side) for side in (1, 16, 17, 224)] == [1, 1, 2, 14]
    assert cells.along(round(1.835 * 4000)) == 459  # A photograph of 4000x1000.
    config.model.encoder, config.model.inwards = "zf5", 3.0
    cells = examples.cells_of(config)
    assert (cells.first, cells.stride, cells.inwards) == (20, 16, 3)
    assert cells.along(224) == 13


def test_networks_without_segments_are_told():
    with pytest.raises(
        ValueError, match="config.model.name='fcn8s' is none; take 'cfm'"
    ):
        examples.cells_of(base.base_config())


@pytest.mark.parametrize(
    "change",
    (
        {"loss.name": "cross_entropy"},
        {"loss.name": "box_masks+box_classes"},
        {"data.objects.stage": "regions"},
        {"data.objects.stage": ""},
    ),
)
def test_what_does_not_fit_is_refused(change):
    config = load("shapes_cfm")
    losses.check_loss(config)
    config.update_from_flattened_dict(change)
    with pytest.raises(ValueError, match="do not fit: .* CFM on 'segments' with"):
        losses.check_loss(config)


@pytest.mark.parametrize(
    "change",
    (
        {"loss.class_weights": (1.0,) * 7},
        {"loss.balance": "median_frequency"},
        {"loss.pixel_probability": 0.5},
        {"loss.label_shrink": 8},
    ),
)
def test_keys_of_pixels_are_no_keys_of_boxes(change):
    config = load("shapes_cfm")
    config.update_from_flattened_dict(change)
    (key,) = change
    with pytest.raises(
        ValueError, match=f"config.{key}=.* weighs pixels .* box_classes is of whole"
    ):
        losses.check_loss(config)


def test_stuff_is_named_by_classes():
    config = load("shapes_cfm")
    config.data.objects.stuff = ("sky",)
    with pytest.raises(
        ValueError, match="names 'sky', and .* has the classes background"
    ):
        datasets.open_source(config, "train[:2]")


def test_how_segments_are_asked_for():
    config = load("shapes_cfm")
    model = build.make_model(config)
    given = build.make_preprocessing(config)
    found = predictor.make_predictor(config, model, given, (1.0, 2.0))
    assert found.scales == (1.0, 2.0)
    assert found.windows.max_windows((96, 128)) == 100
    assert found.windows.scales == (1.0, 2.0)
    assert found.windows.min_side == 12
    with pytest.raises(
        ValueError, match="flip=True: segments are classified in images"
    ):
        predictor.make_predictor(config, model, given, flip=True)
