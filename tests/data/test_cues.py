"""What a network sees of an image: objects, what is around them, their shape."""

import copy

import numpy as np
import pytest

from fcn_jax.data import contracts, cues, fingerprints
from fcn_jax.data.sources.voc_folder import VocFolder
from tests.support.runs import make_folder

LABELS = np.array([[0, 1, 255], [2, 0, 0]], np.uint8)
IMAGE = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
MEAN, WHITE = (123, 117, 104), (255, 255, 255)


def pixels(image):
    return [tuple(pixel) for pixel in image.reshape(-1, image.shape[-1]).tolist()]


@pytest.mark.parametrize(
    ("cue", "shown"),
    (
        ("foreground", {1: (3, 4, 5), 3: (9, 10, 11)}),
        ("background", {0: (0, 1, 2), 4: (12, 13, 14), 5: (15, 16, 17)}),
        ("shape", {1: WHITE, 3: WHITE}),
    ),
)
def test_by_hand(cue, shown):
    before = IMAGE.copy()
    found = cues.show(IMAGE, LABELS, cue, 255)
    assert pixels(found) == [shown.get(index, MEAN) for index in range(6)]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(IMAGE, before)


def test_void_may_be_another_label():
    found = cues.show(IMAGE, LABELS, "foreground", 2)
    assert pixels(found)[2:4] == [(6, 7, 8), MEAN]


def test_other_channels_are_masked_too():
    """Depth says as much of a shape as colours; where it is not seen it is 0."""
    depth = np.full((2, 3, 1), 7, np.float32)
    image = np.concatenate([IMAGE.astype(np.float32), depth], axis=-1)
    found = cues.show(image, LABELS, "foreground", 255)
    assert pixels(found)[:2] == [(*MEAN, 0), (3, 4, 5, 7)]
    assert pixels(cues.show(image, LABELS, "shape", 255))[1] == (*WHITE, 0)


@pytest.fixture
def folder(tmp_path):
    names = ("background", "middle", "bright")
    return VocFolder(make_folder(tmp_path, names=names), "train")


def test_the_source_is_the_same_but_for_the_images(folder):
    source = cues.CueSource(folder, "shape")
    assert isinstance(source, contracts.Source)
    assert (len(source), source.ids) == (len(folder), folder.ids)
    ours, theirs = (contracts.heads_of(each)[0] for each in (source, folder))
    assert (ours.classes, ours.ignore_label) == (theirs.classes, theirs.ignore_label)
    np.testing.assert_array_equal(source.image_sizes(), folder.image_sizes())
    assert fingerprints.of(source) == fingerprints.of(folder)
    item, whole = source[1], folder[1]
    np.testing.assert_array_equal(item["labels"], whole["labels"])
    assert item["id"] == whole["id"]
    expected = cues.show(whole["image"], whole["labels"], "shape", 255)
    np.testing.assert_array_equal(item["image"], expected)
    np.testing.assert_array_equal(copy.copy(source)[1]["image"], expected)


def test_errors(folder, tmp_path):
    with pytest.raises(
        ValueError, match="cue 'silhouette' is not known; use one of fo"
    ):
        cues.CueSource(folder, "silhouette")
    other = VocFolder(make_folder(tmp_path / "other"), "train")
    with pytest.raises(ValueError, match="and .* has 'dark' as class 0; it needs one"):
        cues.CueSource(other, "shape")

    class TwoHeads:
        name, split, channels = "scenes", "train", "rgb"
        heads = contracts.heads_of(folder) * 2

    with pytest.raises(ValueError, match="and scenes has 2 heads; it needs one label"):
        cues.CueSource(TwoHeads(), "foreground")
