"""What a config says of superpixels, and what does not fit together."""

import numpy as np
import pytest

from fcn_jax.config import build, datasets, losses, superpixels
from fcn_jax.config import predictor as predictors
from fcn_jax.config.base import base_config
from fcn_jax.data.superpixels import divides
from fcn_jax.preprocessing import CAFFE
from fcn_jax.regions.superpixels import Slic
from fcn_jax.training.superpixels import SuperpixelCrossEntropy
from tests.support.made_up import Outdoors
from tests.support.runs import make_folder


def config_of(**changes):
    config = base_config("zoomout")
    config.model.num_classes = 3
    config.model.num_superpixels, config.model.compactness = 24, 20.0
    config.loss.name = "superpixel_cross_entropy"
    config.update_from_flattened_dict(changes)
    return config


def test_a_network_that_looks_at_superpixels_has_them_made():
    assert superpixels.make_superpixels(config_of()) == Slic(24, 20.0)
    assert superpixels.make_superpixels(base_config()) is None
    source = Outdoors("train", 2)
    assert superpixels.divided(base_config(), source) is source
    assert divides(superpixels.divided(config_of(), source)) == Slic(24, 20.0)


def test_sources_of_both_kinds_are_divided(tmp_path):
    config = config_of(**{"data.name": "folder", "data.cache": 0.1})
    config.data.root = str(make_folder(tmp_path / "data"))
    for which in ("train", "eval"):
        assert divides(datasets.open_source(config, which)) == Slic(24, 20.0)


def test_the_loss_and_the_network_have_the_room_of_slic():
    for most, room in ((0, 36), (50, 50)):
        config = config_of(**{"model.max_superpixels": most})
        loss = losses.make_loss(config)
        assert isinstance(loss, SuperpixelCrossEntropy)
        assert loss.options.superpixels == build.make_model(config).room == room
    assert losses.make_loss(base_config()).options.superpixels == 0


def test_the_network_knows_what_images_have_been_through():
    config = config_of(preprocessing="imagenet")
    assert build.make_model(config).preprocessing == "imagenet"


def test_classes_weigh_one_over_their_share_of_superpixels(monkeypatch):
    """Two images; superpixels are rows of 2 of the upper 8 and all else."""

    def divide(self, image, name):
        del self, name
        rows = np.minimum(np.arange(image.shape[0]) // 2, 4)
        return np.repeat(rows[:, None], image.shape[1], 1).astype(np.int32)

    monkeypatch.setattr(Slic, "__call__", divide)
    config = config_of(**{"loss.balance": "inverse_frequency"})
    # 2 is above row 10 (11): the four rows of 2 each, and 1 is most of what is below.
    found = datasets.class_weights(config, Outdoors("train", 2))
    np.testing.assert_allclose(found, (0, 5, 1.25))


@pytest.mark.parametrize(
    ("changes", "text"),
    (
        (
            {"model.name": "fcn8s"},
            "is of superpixels, and config.model.name='fcn8s' loo",
        ),
        (
            {"loss.label_shrink": 8},
            "label_shrink=8 weighs pixels or leaves some out, and superpixel_c",
        ),
        ({"loss.pixel_probability": 0.5}, "pixel_probability=0.5 weighs pixels or le"),
        ({"model.compactness": 0.0}, "compactness=0.0, max_superpixels=0: expected a"),
    ),
)
def test_losses_that_do_not_fit_are_named(changes, text):
    with pytest.raises(ValueError, match=text):
        losses.check_loss(config_of(**changes))


def test_balances_that_do_not_fit_are_named():
    config = base_config()
    config.loss.balance = "inverse_frequency"
    with pytest.raises(
        ValueError, match="counts superpixels, and config.model.name='fc"
    ):
        datasets.class_weights(config, Outdoors("train", 2))


def test_an_encoder_that_nothing_trains_does_not_decay():
    params = {name: {"kernel": np.ones(1)} for name in ("conv1_1", "fc6", "hidden")}
    with pytest.raises(
        ValueError, match=r"fc6 of zoomout has no gradient .* to \('conv\*', 'fc6'\)"
    ):
        build.make_optimizer(config_of(**{"optim.frozen": ("conv*",)}), params)
    build.make_optimizer(config_of(**{"optim.frozen": ("conv*", "fc6")}), params)


def test_windows_have_no_superpixels():
    config = config_of(**{"inference.method": "tiles"})
    with pytest.raises(
        ValueError, match="method='tiles' looks at windows, and 'zoomou"
    ):
        predictors.make_predictor(config, build.make_model(config), CAFFE)
