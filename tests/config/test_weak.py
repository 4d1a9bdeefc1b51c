"""Keys of weak labels: what they open, and what does not fit together."""

import numpy as np
import pytest

from fcn_jax.config import datasets, losses, weak
from fcn_jax.config.types import Config
from fcn_jax.data.weak.source import WeakLabels
from fcn_jax.training import estimation
from fcn_jax.training.estimated import ByConstants, ByPortions, Estimated
from fcn_jax.training.losses import CrossEntropy
from tests.support.runs import make_folder, tiny_config

NAMES = ("background", "middle", "bright")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("folder"), names=NAMES)


def weak_config(folder, **changes):
    keys = {"data.supervision": "image_labels", "loss.estimation": "em_adapt"}
    return tiny_config(folder, **keys, **changes)


def test_the_source_and_the_loss_of_a_config(folder):
    config = weak_config(folder, **{"loss.label_shrink": 8})
    source = datasets.open_source(config, "train")
    assert isinstance(source, WeakLabels)
    assert not isinstance(datasets.open_source(config, "eval"), WeakLabels)
    loss = losses.make_loss(config)
    assert loss == Estimated(CrossEntropy(), ByPortions((0.2, 0.4), 5), 8)
    assert loss.reduction == "mean"


@pytest.mark.parametrize("name", ("em_fixed", "em_boxes"))
def test_steps_by_constants(folder, name):
    given = "boxes" if name == "em_boxes" else "crop_labels"
    keys = {"data.supervision": given, "loss.estimation": name}
    config = tiny_config(folder, **keys, **{"loss.estimation_biases": (5.0, 3.0)})
    expected = ByConstants(getattr(estimation, name), (5.0, 3.0))
    assert weak.e_step(config) == expected


def test_rectangles_are_learned_as_they_are(folder):
    config = tiny_config(folder, **{"data.supervision": "boxes"})
    assert losses.make_loss(config) == CrossEntropy()
    labels = datasets.open_source(config, "train")[0]["labels"]
    assert set(np.unique(labels)) <= {0, 1, 2}  # No void row is left.


def test_older_runs_have_masks(folder):
    config = tiny_config(folder)
    older = Config(config.to_dict())
    for part, names in (
        (
            "data",
            [n for n in config.data if n.startswith(("strong", "box_", "superv"))],
        ),
        ("loss", [n for n in config.loss if n.startswith("estimation")]),
    ):
        for name in names:
            del older[part][name]
    weak.check_weak_labels(older)
    assert weak.e_step(older) is None
    source = datasets.open_source(older, "train")
    assert not isinstance(source, WeakLabels)


def test_images_that_keep_their_masks(folder):
    """Those of another split, or as many as asked for, the same ones each time."""
    config = weak_config(folder, **{"data.strong_images": 2})
    source = datasets.open_source(config, "train")
    assert source.strong.sum() == 2
    np.testing.assert_array_equal(
        datasets.open_source(config, "train").strong, source.strong
    )
    config.data.strong_images = 3
    more = datasets.open_source(config, "train").strong
    assert more.sum() == 3
    assert more[source.strong].all()
    config.data.strong_images, config.data.strong_split = 0, "val"
    config.data.train_split = "val"
    config.data.strong_share = 0.0
    assert datasets.open_source(config, "train").strong.all()
    config.data.strong_images = 1
    assert datasets.open_source(config, "train").strong.sum() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.strong_split": "val"}, "strong_split='val': none of its images is amo"),
        ({"data.strong_images": 5}, "strong_images=5, and there are 4 images with mas"),
    ],
)
def test_images_with_masks_have_to_be_there(folder, changes, message):
    with pytest.raises(ValueError, match=message):
        datasets.open_source(weak_config(folder, **changes), "train")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss.estimation": "em"}, "config.loss.estimation='em' is not known; use on"),
        ({"data.supervision": "box"}, "config.data.supervision='box' is not known; us"),
        (
            {"data.supervision": ""},
            "estimation='em_adapt' does not fit config.data.supervision='', with which "
            "it is ''; 'em_adapt' takes 'image_labels' or 'crop_labels'",
        ),
        (
            {"data.supervision": "boxes"},
            "supervision='boxes', with which it is '' or 'em_boxes'; 'em_adapt' takes",
        ),
        (
            {"loss.estimation": ""},
            "estimation='' does not fit config.data.supervision='image_labels', with "
            "which it is 'em_fixed' or 'em_adapt'",
        ),
        ({"loss.estimation_biases": (6.0,)}, r"biases=\(6.0,\) are added to the score"),
        ({"loss.estimation_portions": (0.2, 1.0)}, r"estimation_portions=\(0.2, 1.0\)"),
        ({"loss.estimation_sweeps": 0}, "portions are reached in sweeps=0; at least"),
        ({"data.box_centre": 0.0}, "config.data.box_centre=0.0 is what of a box is it"),
        (
            {"data.train_cue": "shape"},
            "config.data.train_cue='shape' asks for masks, a",
        ),
        (
            {"data.objects.stage": "objects"},
            "stage='objects' asks for masks, and confi",
        ),
        ({"loss.balance": "median_frequency"}, "balance='median_frequency' asks for m"),
        ({"data.class_mix": 0.5}, "config.data.class_mix=0.5 asks for masks, and conf"),
        (
            {
                "data.supervision": "box_segments",
                "loss.estimation": "",
                "data.num_workers": 2,
            },
            "config.data.num_workers=2 has other processes read images, and the CRF of",
        ),
        ({"data.strong_share": 0.2}, "strong_share=0.2 is what of each batch of 2 ima"),
        ({"data.strong_share": 1.5}, "strong_share=1.5 is what of each batch of 2 ima"),
        ({"data.strong_name": "shapes"}, "strong_name='shapes' is the data set of con"),
        ({"data.strong_images": -1}, "strong_images=-1 is no number of images; give o"),
        (
            {"data.supervision": "", "loss.estimation": "", "data.strong_images": 3},
            "config.data.strong_images=3 says which images keep their masks, and all",
        ),
    ],
)
def test_keys_that_do_not_fit_are_named(folder, changes, message):
    config = weak_config(folder)
    config.update_from_flattened_dict(changes)
    with pytest.raises(ValueError, match=message):
        losses.check_loss(config)
