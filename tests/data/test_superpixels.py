"""Superpixels come with batches: of what training sees, whoever makes them."""

import itertools
import pickle

import numpy as np
import pytest

from fcn_jax.data import loader, superpixels
from fcn_jax.data.loader import Augmentation, Readers, Share
from fcn_jax.data.superpixels import Divided
from tests.support.made_up import Outdoors


def by_brightness(image, name):
    """Superpixels that follow the image: its values, numbered."""
    assert name.startswith("outdoors train")
    return np.unique(image[..., 0], return_inverse=True)[1].astype(np.int32)


@pytest.fixture(scope="module")
def source():
    return Divided(Outdoors("train", 4), by_brightness)


def batches_of(source, count, **options):
    options = {"batch_size": 2, "seed": 3, "num_classes": 3} | options
    found = loader.train_batches(source, **options)
    batches = list(itertools.islice(found, count))
    found.close()
    return batches


def check(batch):
    for image, size, found in zip(
        batch["image"], batch["sizes"], batch["superpixels"], strict=True
    ):
        height, width = size
        own = by_brightness(image[:height, :width], "outdoors train")
        np.testing.assert_array_equal(found[:height, :width], own)
        assert (found[height:] == -1).all()
        assert (found[:, width:] == -1).all()


@pytest.mark.parametrize(
    "options",
    (
        {"augmentation": Augmentation(flip=True, brightness=0.5), "canvas": (26, 40)},
        {"augmentation": Augmentation(crop=(20, 50), flip=True), "canvas": (26, 40)},
    ),
)
def test_they_are_of_the_image_that_is_trained_on(source, options):
    for batch in batches_of(source, 3, **options):
        assert batch["superpixels"].shape == batch["image"].shape[:3]
        assert batch["superpixels"].dtype == np.int32
        check(batch)


def test_a_resumed_run_and_processes_that_share_see_the_same(source):
    options = {"augmentation": Augmentation(flip=True, crop=(16, 16))}
    whole = batches_of(source, 3, **options)
    np.testing.assert_equal(batches_of(source, 1, start_step=2, **options), whole[2:])
    parts = [batches_of(source, 3, share=Share(n, 2), **options) for n in range(2)]
    for batch, ours, theirs in zip(whole, *parts, strict=True):
        joined = np.concatenate([ours["superpixels"], theirs["superpixels"]])
        np.testing.assert_array_equal(joined, batch["superpixels"])
    ahead = batches_of(source, 3, readers=Readers(0), **options)
    np.testing.assert_equal(ahead, whole)


def test_images_that_are_scored_have_them_too(source):
    (whole, last) = loader.eval_batches(
        source, batch_size=3, num_classes=3, canvases=[(26, 40)]
    )
    check(whole)
    assert last["example_valid"].tolist() == [True, False, False]
    assert (last["superpixels"][1:] == -1).all()  # Filled up.


def test_everything_else_is_the_sources(source):
    plain = Outdoors("train", 4)
    assert (source.name, source.split, len(source)) == ("outdoors", "train", 4)
    assert source.ignore_label == 0
    np.testing.assert_equal(source[2], plain[2])
    np.testing.assert_array_equal(source.image_sizes(), plain.image_sizes())
    assert superpixels.divides(plain) is None
    assert "superpixels" not in batches_of(plain, 1)[0]
    copied = pickle.loads(pickle.dumps(source))  # As worker processes have it.
    assert superpixels.divides(copied) is by_brightness
