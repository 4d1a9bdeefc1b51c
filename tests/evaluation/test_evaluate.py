"""The pass over a split, and its loss."""

import math
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax import parallel
from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.evaluation import evaluate
from fcn_jax.inference import windows
from fcn_jax.inference.predictor import Predictor

pytestmark = pytest.mark.usefixtures("quick_runs_only")


class Five:
    """A source of five images."""

    heads = (Head("", ("a", "b"), VOC.palette),)

    def __len__(self):
        return 5


@pytest.mark.parametrize(
    ("asked", "num_devices", "expected"), ((100_000, 1, 5), (100_000, 2, 6), (2, 2, 2))
)
def test_a_batch_is_no_larger_than_the_images(asked, num_devices, expected):
    """100,000 rows for 4 images would be filled up for nothing."""
    devices = jax.devices()[:num_devices]
    predictor = Predictor(lambda variables, batch: None)
    found = evaluate.Evaluator(predictor, Five(), asked, devices)
    assert found.batch_size == expected


@pytest.mark.parametrize(
    ("platform", "boxes", "worth"),
    (
        ("cpu", None, 8),
        ("gpu", None, math.inf),
        ("cpu", windows.WholeImage(), math.inf),
    ),
)
def test_a_cpu_compiles_more_canvases(monkeypatch, platform, boxes, worth):
    asked = {}
    monkeypatch.setattr(
        evaluate.loader, "eval_batches", lambda source, **options: asked.update(options)
    )
    predictor = Predictor(lambda variables, batch: None, windows=boxes)
    evaluator = evaluate.Evaluator(predictor, Five(), 2, jax.devices()[:1])
    evaluator.devices = [types.SimpleNamespace(platform=platform)]
    evaluator.batches()
    assert asked["worth_a_canvas"] == worth


def by_hand(scores, labels, ignore_label=255):
    """Mean cross-entropy of the pixels that count, in float64."""
    scores = scores.astype(np.float64)
    log_probs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    true = np.take_along_axis(log_probs, np.minimum(labels, 2)[..., None], -1)[..., 0]
    return -true[labels != ignore_label].mean()


def scored(monkeypatch, batches, num_devices, heads=Five.heads):
    """What an `Evaluator` says of batches, their images taken for scores."""
    source = Five()
    source.heads = heads

    def scores(variables, batch):
        found = batch["image"].astype(jnp.float32)
        return found if len(heads) == 1 else {head.name: found for head in heads}

    monkeypatch.setattr(evaluate.loader, "eval_batches", lambda *_, **__: batches)
    evaluator = evaluate.Evaluator(
        Predictor(scores), source, 4, jax.devices()[:num_devices]
    )
    return evaluator.score(parallel.replicate({}, evaluator.devices))


def of_scores(image, labels):
    rows = len(image)
    return {
        "image": image,
        "labels": labels,
        "sizes": np.full((rows, 2), image.shape[1:3], np.int32),
        "example_valid": np.ones(rows, bool),
        "id": [str(row) for row in range(rows)],
    }


def test_scores_and_confidence_are_compiled_as_it_is_told(monkeypatch):
    told, made = [], parallel.data_parallel

    def note(step, devices, *, compiler_options=None, **more):
        told.append((step.__name__, compiler_options))
        return made(step, devices, **more)

    monkeypatch.setattr(parallel, "data_parallel", note)
    monkeypatch.setattr(evaluate.loader, "eval_batches", lambda *_, **__: [])
    devices, options = jax.devices()[:1], {"xla_gpu_exclude_nondeterministic_ops": True}
    predictor = Predictor(lambda variables, batch: batch["image"])
    evaluator = evaluate.Evaluator(predictor, Five(), 4, devices, options=options)
    assert list(evaluator.with_confidence({})) == []
    assert told == [("eval_step", options), ("confidence_step", options)]


@pytest.mark.parametrize("num_devices", (1, 2))
def test_the_loss_by_hand(monkeypatch, num_devices):
    """A mean over all pixels, however they are batched; void ones do not count."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 5, (8, 4, 6, 3)).astype(np.uint8)
    labels = rng.integers(0, 3, (8, 4, 6)).astype(np.uint8)
    labels[:3, 1:] = 255
    heads = (Head("", ("a", "b", "c"), VOC.palette),)
    expected = by_hand(images, labels)
    for rows in (4, 8):
        batches = [
            of_scores(images[n : n + rows], labels[n : n + rows])
            for n in range(0, 8, rows)
        ]
        found = scored(monkeypatch, batches, num_devices, heads)
        assert found["loss"] == pytest.approx(expected, rel=1e-6)
    two = tuple(Head(name, ("a", "b", "c"), VOC.palette) for name in ("x", "y"))
    shifted = np.where(labels == 255, 255, (labels + 1) % 3).astype(np.uint8)
    batch = of_scores(images, {"x": labels, "y": shifted})
    found = scored(monkeypatch, [batch], num_devices, two)
    assert found["heads"]["y"]["loss"] == pytest.approx(by_hand(images, shifted))
    assert found["loss"] == pytest.approx(expected + by_hand(images, shifted))
    void = of_scores(images, np.full_like(labels, 255))
    assert scored(monkeypatch, [void], num_devices, heads)["loss"] is None


def test_how_sure_a_network_is_by_hand():
    """The softmax of the largest score; where scores are not finite, no class."""
    scores = jnp.log(jnp.array([[[[1.0, 3.0], [0.5, 0.5], [jnp.nan, 1.0]]]]))
    pred, sure = evaluate.confidence_step(
        {}, {}, scores=lambda variables, batch: scores
    )
    np.testing.assert_array_equal(pred, [[[1, 0, evaluate.NOT_A_CLASS]]])
    np.testing.assert_allclose(sure[0, 0, :2], [0.75, 0.5], rtol=1e-6)
    assert (pred.dtype, sure.dtype) == (np.uint8, np.float32)


def test_scores_that_are_not_finite_end_the_pass(monkeypatch):
    batch = {
        "image": np.zeros((1, 2, 2, 3), np.uint8),
        "sizes": np.array([[2, 2]], np.int32),
        "id": ["x"],
        "example_valid": np.array([True]),
    }

    def scores(variables, batch):
        return jnp.full((*batch["image"].shape[:3], 2), jnp.nan)

    found = evaluate.Evaluator(Predictor(scores), Five(), 1, jax.devices()[:1])
    monkeypatch.setattr(found, "batches", lambda: [batch])
    with pytest.raises(FloatingPointError, match="x: the scores are NaN or infinite"):
        list(found.with_confidence({}))
