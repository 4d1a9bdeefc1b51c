"""Training from ImageNet's AlexNet and GoogLeNet, as Caffe wrote them."""

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax.config import named
from fcn_jax.data.sources import shapes
from fcn_jax.runs import trainer
from fcn_jax.weights.errors import WeightsError
from tests.support import classifiers
from tests.support import foreign_weights as foreign


@pytest.fixture(autouse=True)
def _few_images(monkeypatch):
    monkeypatch.setattr(shapes, "SIZES", {"train": 4, "val": 2})
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    with jax.numpy_dtype_promotion("standard"):  # Of optax's schedules.
        yield


def smoked(kind, tmp_path):
    """Two steps of the config, on a net as wide as the file that is written for it."""
    config = named.load(f"voc_fcn_{kind}").get_config("smoke")
    config.data.data_dir = str(tmp_path / "data")
    config.model.width = classifiers.WIDTH[kind]
    config.init_from = str(tmp_path / "start.caffemodel")
    config.num_pictures = 0
    return config


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "written"),
    (
        ("alexnet", "caffenet"),
        pytest.param("googlenet", "googlenet", marks=pytest.mark.slow),
    ),
)
def test_two_steps_from_a_caffemodel(tmp_path, capsys, kind, written):
    """What is frozen stays as the file has it; the scores learn."""
    blobs = classifiers.write(tmp_path / "start.caffemodel", written)
    config = smoked(kind, tmp_path)
    config.optim.learning_rate = 1e-4
    if kind == "alexnet":
        config.model.fc_features = 512
    config.optim.frozen = ("conv*", "fc*") if kind == "alexnet" else ("conv*", "inc*")
    trainer.train(config, tmp_path / "run")
    assert "missing (2): params/score_fr/bias" in capsys.readouterr().out
    found = foreign.flat(fcn_jax.load(tmp_path / "run").variables)
    assert np.abs(found["params/score_fr/kernel"]).max() > 0
    for name, x in found.items():
        _, layer, part = name.split("/")
        if layer == "score_fr":
            continue
        theirs = classifiers.caffe_name(layer) if kind == "googlenet" else layer
        blob = blobs[theirs][part == "bias"]
        if part == "kernel":
            rows, columns, inputs, outputs = x.shape
            blob = blob.reshape(outputs, inputs, rows, columns).transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(x, blob, err_msg=name)


def test_bvlc_alexnet_needs_the_option(tmp_path):
    classifiers.write(tmp_path / "start.caffemodel", "alexnet")
    config = smoked("alexnet", tmp_path)
    config.model.fc_features = 512
    with pytest.raises(WeightsError, match="--config.model.norm_first=True"):
        trainer.train(config, tmp_path / "run")
