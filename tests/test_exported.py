"""What an exported network takes for an image."""

import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax import export
from fcn_jax.data import label_sets


@pytest.mark.parametrize(("channels", "dtype"), ((1, "uint8"), (4, "float32")))
def test_depth_is_no_byte(tmp_path, monkeypatch, channels, dtype):
    """A double of a network: its images, summed."""

    def score(images):
        return images.astype(jnp.float32).sum(-1, keepdims=True)

    def traced(model, variables, preprocessing, output, dtype, scale):
        return export._exported(score, 1, channels, dtype)

    monkeypatch.setattr(export, "stablehlo", traced)
    small = {"num_classes": 3, "width": 1 / 64, "fc_features": 128}
    model = fcn_jax.create("fcn32s", padding="same", channels=channels, **small)
    palette = label_sets.VOC.palette
    classes = ("a", "b", "c")
    path = tmp_path / "net.zip"
    export.export_network(path, model, {}, classes=classes, palette=palette)
    net = fcn_jax.load_exported(path)
    assert net.metadata["input"].startswith(f"{dtype} ")
    images = np.full((1, 40, 40, channels), 2, np.uint8)
    given = images if dtype == "uint8" else images + np.float32(0.25)
    assert float(net(given).max()) == channels * given.max()
    assert float(net(images).max()) == channels * 2
