"""Which images are kept for the report, and what is kept of them."""

import base64
import io

import numpy as np
from PIL import Image

from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.evaluation import metrics
from fcn_jax.evaluation.examples import Examples

HEAD = Head("", ("a", "b"), VOC.palette)
IMAGE = np.full((4, 6, 3), 90, np.uint8)


def add(examples, name, right, cls=0):
    """An image of one class of which so many of 24 pixels are right."""
    truth = np.full((4, 6), cls, np.uint8)
    pred = truth.copy()
    pred.ravel()[right:] = 1 - cls
    confusion = np.zeros((2, 2), np.int64)
    np.add.at(confusion, (truth, pred), 1)
    examples.add(name, IMAGE, truth, pred, metrics.scores(confusion, HEAD.classes))


def opened(url):
    start = "base64,"
    data = base64.b64decode(url[url.index(start) + len(start) :])
    return Image.open(io.BytesIO(data))


def test_the_worst_and_the_best_are_kept_in_order():
    examples = Examples(HEAD, 2)
    for name, right in zip("abcdefg", (9, 20, 3, 15, 23, 6, 12), strict=True):
        add(examples, name, right)
    assert [each.name for each in examples.found()] == ["c", "f", "b", "e"]
    assert len(examples._found) == 4  # Others are let go of.


def test_the_worst_of_a_class_is_kept_though_it_is_not_the_worst():
    examples = Examples(HEAD, 1)
    add(examples, "low", 2)
    add(examples, "middling", 14, cls=1)
    add(examples, "better", 17, cls=1)
    add(examples, "high", 24)
    assert [each.name for each in examples.found()] == ["low", "middling", "high"]


def test_those_that_are_named_are_kept_whatever_their_scores():
    examples = Examples(HEAD, 1, wanted={"middle"})
    for name, right in (("low", 2), ("middle", 12), ("high", 24)):
        add(examples, name, right)
    assert [each.name for each in examples.found()] == ["middle"]


def test_an_image_in_which_nothing_counts_is_passed_over():
    examples = Examples(HEAD, 1)
    void = np.full((4, 6), 255, np.uint8)
    nothing = metrics.scores(np.zeros((2, 2), np.int64), HEAD.classes)
    examples.add("void", IMAGE, void, void, nothing)
    assert examples.found() == []


def test_the_pictures_are_those_of_the_image():
    examples = Examples(HEAD, 1)
    add(examples, "x", 6, cls=1)
    (found,) = examples.found()
    assert found.scores["iu"]["b"] == 0.25
    photograph, truth, pred, errors = map(
        opened, (found.image, found.truth, found.pred, found.errors)
    )
    assert photograph.format == "JPEG"
    np.testing.assert_allclose(np.asarray(photograph), IMAGE, atol=2)
    assert {(x.format, x.size) for x in (truth, pred, errors)} == {("PNG", (6, 4))}
    np.testing.assert_array_equal(
        np.asarray(truth.convert("RGB"))[0, 0], VOC.palette[1]
    )
    assert (np.asarray(pred) == 1).sum() == 6
    assert (np.asarray(errors)[..., 0] == 214).sum() == 18
