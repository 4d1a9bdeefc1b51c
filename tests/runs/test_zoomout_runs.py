"""Zoom-out from training to scores: what is standardised, resumed, and predicted."""

import dataclasses

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax import crf, runs
from fcn_jax.config import workdir as workdirs
from fcn_jax.config.base import base_config
from fcn_jax.config.parts import build_parts
from fcn_jax.data.superpixels import divides
from fcn_jax.inference.predictor import Predictor, combine
from fcn_jax.regions.superpixels import Slic
from fcn_jax.runs import evaluation, standardization, trainer
from fcn_jax.training import init_variables
from tests.support.made_up import Outdoors
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")


def config_of(folder, **changes):
    config, small = base_config("zoomout"), tiny_config(folder)
    for part in ("data", "optim"):
        config[part] = small[part]
    for key in ("batch_size", "eval_batch_size", "log_every"):
        config[key] = small[key]
    config.model.num_classes = 3
    config.model.width, config.model.fc_features = 1 / 32, 128
    config.model.padding, config.model.side = "same", 32
    config.model.num_superpixels, config.model.hidden = 12, 8
    config.model.compactness = 40.0
    config.optim.frozen = ("conv*", "fc6", "fc7")
    config.loss.name = "superpixel_cross_entropy"
    config.loss.balance = "inverse_frequency"
    config.num_pictures = 0
    config.num_steps = config.eval_every = 4
    config.checkpoint_every = 2
    config.update_from_flattened_dict(changes)
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A run, and one of the same config that was stopped and went on."""
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        trainer.train(config_of(folder), root / "whole")
        part = config_of(folder, num_steps=2, eval_every=2)
        trainer.train(part, root / "parts")
        trainer.train(config_of(folder), root / "parts")
    return root


@pytest.mark.long
def test_what_is_found_is_standardised_before_the_first_step(folder):
    """Over the training set once: here two batches of two images."""
    config = config_of(folder, **{"model.levels": ("convolutions",)})
    parts = build_parts(config, jax.devices()[:1])
    variables = init_variables(parts.model, 0)
    found = standardization.standardized(parts, variables)["batch_stats"]["standardize"]
    rows = []
    for index in range(len(parts.train_source)):
        image = parts.train_source[index]["image"]
        for mirrored in (image, image[:, ::-1]):
            superpixels = Slic(12, 40.0)(mirrored, "x")
            rows.append((mirrored, superpixels))
    batches = parts.train_batches(0)
    seen = [next(batches) for _ in range(2)]
    batches.close()
    for batch in seen:  # They are the images, perhaps mirrored.
        for image, superpixels in zip(
            batch["image"], batch["superpixels"], strict=True
        ):
            assert any(
                np.array_equal(image, x) and np.array_equal(superpixels, y)
                for x, y in rows
            )
    features = jax.jit(
        lambda images, superpixels: parts.model.apply(
            variables, images, None, superpixels, method="features"
        )
    )
    every = []
    for batch in seen:
        images = fcn_jax.preprocess(batch["image"])
        of_batch = np.asarray(features(images, batch["superpixels"]), np.float64)
        every += [
            x[: s.max() + 1]
            for x, s in zip(of_batch, batch["superpixels"], strict=True)
        ]
    every = np.concatenate(every)
    np.testing.assert_allclose(found["mean"], every.mean(axis=0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["var"], every.var(axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_resumed_run_ends_like_one_that_nobody_stopped(trained):
    whole, parts = (fcn_jax.load(trained / n, step=4) for n in ("whole", "parts"))
    ours, theirs = jax.tree.leaves(whole.variables), jax.tree.leaves(parts.variables)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.any(whole.variables["params"]["score"]["kernel"])  # It started at 0.


@pytest.mark.slow
def test_a_pixel_has_the_class_of_its_superpixel(trained):
    net = fcn_jax.load(trained / "whole")
    image = np.kron(
        np.random.default_rng(0).integers(0, 256, (3, 4, 3)), np.ones((8, 8, 1))
    ).astype(np.uint8)
    labels, probs = net.predict(image), net.predict_probs(image)
    superpixels = Slic(12, 40.0)(image)
    for number in range(superpixels.max() + 1):
        assert len(np.unique(labels[superpixels == number])) == 1
        assert len(np.unique(probs[superpixels == number], axis=0)) == 1


@pytest.mark.slow
def test_it_is_scored_and_a_crf_may_follow(trained, monkeypatch):
    quick = {**crf.PARAMETERS["deeplab_4x4"], "iterations": 2}
    monkeypatch.setitem(crf.PARAMETERS, "deeplab_4x4", quick)
    config = workdirs.config_of_run(trained / "whole")
    config.crf.parameters = "deeplab_4x4"
    run = runs.Evaluation(config, trained / "whole", devices=jax.devices()[:1])
    assert run.score()["num_pixels"] == 2 * (24 - 1) * 32  # A void row each.
    # Superpixels are mirrored too.
    assert run.score(flip=True, crf=False)["num_pixels"] == 2 * (24 - 1) * 32


def test_the_second_of_an_ensemble_has_its_superpixels():
    """Of a run whose own net looks at none, as `fcn_jax eval --with_run` scores it."""
    source, whole = Outdoors("val", 2), Predictor(lambda variables, batch: None)
    together = combine([whole, dataclasses.replace(whole, divide=Slic(9))], "mean_prob")
    assert divides(evaluation._divided(source, together)) == Slic(9)
    assert evaluation._divided(source, whole) is source
