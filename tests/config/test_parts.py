"""What a run is made of, as its config says."""

import jax
import numpy as np
from PIL import Image

from fcn_jax.config import parts
from fcn_jax.data import frequencies
from tests.support.runs import make_folder, tiny_config


def test_weights_of_the_training_masks_reach_the_loss(tmp_path, capsys):
    folder = make_folder(tmp_path)
    labels = np.zeros((24, 32), np.uint8)
    labels[:6] = 1
    Image.fromarray(labels).save(folder / "SegmentationClass/im2.png")
    config = tiny_config(folder, **{"loss.balance": "median_frequency"})
    found = parts.build_parts(config, jax.local_devices()[:1])
    expected = frequencies.median_frequency_weights(
        frequencies.class_frequencies(found.train_source)
    )
    np.testing.assert_array_equal(found.loss.options.class_weights, expected)
    assert len({*expected}) > 1
    assert "class weights by median_frequency: " in capsys.readouterr().out


def test_the_rate_of_an_update(tmp_path):
    config = tiny_config(make_folder(tmp_path), num_steps=100)
    config.optim.learning_rate, config.optim.schedule = 0.5, "polynomial"
    with config.unlocked():
        config.optim.schedule_options.power = 1.0
    found = parts.build_parts(config, jax.local_devices()[:1])
    rates = [found.learning_rate(done) for done in (0, 50, 100)]
    np.testing.assert_allclose(rates, [0.5, 0.25, 0.0], atol=1e-7)
