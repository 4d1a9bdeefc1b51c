"""What a trained network takes for an image."""

import numpy as np
import pytest
from PIL import Image

from fcn_jax.runs import given

IMAGE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)


@pytest.fixture
def path(tmp_path):
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_one_image_of_any_kind(path):
    for image in (IMAGE, path, str(path), Image.fromarray(IMAGE), Image.open(path)):
        found, one, alike = given.arrays(image, 3)
        np.testing.assert_array_equal(found[0], IMAGE)
        assert (len(found), one, alike) == (1, True, False)


def test_several(path):
    found, one, alike = given.arrays([path, Image.fromarray(IMAGE[:2]), IMAGE], 3)
    assert [x.shape for x in found] == [(4, 6, 3), (2, 6, 3), (4, 6, 3)]
    assert (one, alike) == (False, False)
    found, one, alike = given.arrays(np.stack([IMAGE, IMAGE]), 3)
    assert (len(found), one, alike) == (2, False, True)
    assert given.arrays([], 3) == ([], False, False)
    assert len(given.arrays((str(path), str(path)), 3)[0]) == 2


def test_pillow_as_a_file_is_read(tmp_path):
    """Turned, and of every mode with 8 bits."""
    turned = Image.fromarray(IMAGE)
    turned.getexif()[0x0112] = 6
    assert given.arrays(turned, 3)[0][0].shape == (6, 4, 3)
    odd = Image.fromarray(IMAGE)
    odd.info["exif"] = b"nothing that EXIF begins with"
    assert given.arrays(odd, 3)[0][0].shape == (4, 6, 3)
    palette = Image.fromarray(IMAGE[..., 0]).convert("P")
    palette.info["transparency"] = 0
    for image in (palette, turned.convert("L"), turned.convert("RGBA")):
        assert given.arrays(image, 3)[0][0].shape[2] == 3


@pytest.mark.parametrize(
    ("image", "channels", "error", "message"),
    [
        (3, 3, TypeError, "predict: int is no image; give an array, a path, an image"),
        (IMAGE[0], 3, ValueError, r"predict: an image has shape \(3,\); expected \[H"),
        (IMAGE / 255, 3, TypeError, "is float64; expected uint8 RGB in .* it itself"),
        ([[1, 2]], 3, ValueError, r"an image has shape \(2,\)"),
        ("none.png", 3, FileNotFoundError, "none.png"),
        ("none.png", 4, TypeError, r"sees 4 channels, and .* give an array \[H, W, 4"),
        (Image.new("I;16", (2, 2)), 3, TypeError, "mode 'I;16', of more than 8 bits"),
    ],
)
def test_what_is_no_image(image, channels, error, message):
    with pytest.raises(error, match=message):
        given.arrays(image, channels)


def test_three_channels_that_are_no_colours(path):
    """HHA: a photograph has as many, and would be taken for it in silence."""
    for image in (path, str(path), Image.fromarray(IMAGE), [path]):
        with pytest.raises(TypeError, match="3 channels that are no colours, and fil"):
            given.arrays(image, 3, takes_photos=False)
    np.testing.assert_array_equal(given.arrays(IMAGE, 3, False)[0][0], IMAGE)


def test_other_channels_may_be_of_any_type():
    assert given.arrays(np.zeros((2, 3, 4), np.float32), 4)[0][0].dtype == np.float32
