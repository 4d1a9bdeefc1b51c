"""What is taken from strips of probabilities, and kept for the next click."""

import numpy as np
import pytest

from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.serving import found as found_of
from fcn_jax.serving.found import Recent
from fcn_jax.serving.refusals import BAD, Refusal

HEAD = Head("", ("a", "b"), VOC.palette)
SIZE = (4, 3)
ROOM = 4 * 3 * 2 * 2


def gathered(points=(), room=ROOM, size=SIZE):
    """b at (x, y) has the probability (3 y + x) / 12; in strips of 3 rows and 1."""
    share = np.arange(size[0] * size[1], dtype=np.float32).reshape(size) / 12
    probs = np.stack([1 - share, share], -1)
    strips = [(0, probs[:3]), (3, probs[3:])]
    return found_of.gathered(strips, size, HEAD, points, room)


def test_labels_and_pixels_of_every_strip():
    found = gathered(((0, 0), (2, 2), (1, 3)))
    assert found.labels.tolist() == [[0] * 3, [0] * 3, [0] + [1] * 2, [1] * 3]
    np.testing.assert_allclose(found.at[:, 1], [0, 8 / 12, 10 / 12], atol=5e-4)
    assert found.probs.shape == (4, 3, 2)
    np.testing.assert_array_equal(found.probs[2, 2], found.at[1])


def test_probabilities_without_room_are_let_go():
    found = gathered(((1, 3),), ROOM - 1)
    assert found.probs is None
    np.testing.assert_allclose(found.at[:, 1], [10 / 12], atol=5e-4)
    assert (found.num_bytes, gathered().num_bytes) == (12, 12 + ROOM)


def test_a_pixel_of_what_was_found_before():
    recent = Recent(1000)
    assert recent.recalled("one", ()) is None
    recent.keep("one", [gathered()])
    (again,) = recent.recalled("one", ((1, 3), (2, 2)))
    np.testing.assert_array_equal(again.at, gathered(((1, 3), (2, 2))).at)
    with pytest.raises(Refusal, match="x=3, y=0 is not in the image; x is 0 to 2, y"):
        recent.recalled("one", ((3, 0),))


def test_where_probabilities_are_gone_the_network_is_asked_again():
    recent = Recent(1000)
    recent.keep("one", [gathered(room=0)])
    assert recent.recalled("one", ()) is not None
    assert recent.recalled("one", ((0, 0),)) is None


def test_what_was_not_asked_for_longest_goes_first():
    each = gathered().num_bytes
    recent = Recent(2 * each)
    assert recent.room == each
    for key in ("one", "two"):
        recent.keep(key, [gathered()])
    assert recent.recalled("one", ()) is not None
    recent.keep("three", [gathered()])
    kept = [key for key in ("one", "two", "three") if recent.recalled(key, ())]
    assert kept == ["one", "three"]
    recent.keep("huge", [gathered()] * 3)
    kept = [key for key in ("one", "three", "huge") if recent.recalled(key, ())]
    assert kept == []


def test_pixels_beyond_the_image():
    found_of.check_points(((2, 3),), SIZE)
    with pytest.raises(Refusal, match="x=2, y=4 is not in the image; .* y is 0 to 3"):
        found_of.check_points(((0, 0), (2, 4)), SIZE)
    with pytest.raises(Refusal) as refusal:
        found_of.check_points(((3, 3),), SIZE)
    assert refusal.value.status == BAD
