"""What of a box is its object for certain, by hand."""

import numpy as np
import pytest

from fcn_jax.data.weak import centres
from fcn_jax.data.weak.centres import UNKNOWN


@pytest.mark.parametrize(
    ("box", "share", "expected"),
    [
        # 48x48 is 23 %, the first below 25; 50x50 is 25.
        ((1, 0, 0, 100, 100), 0.2, (26, 26, 74, 74)),
        ((1, 5, 0, 15, 13), 0.2, (8, 3, 12, 10)),  # 4x7 of 130.
        ((1, 0, 0, 11, 11), 0.2, (3, 3, 8, 8)),  # 121 pixels: 5x5.
        ((1, 0, 0, 10, 12), 0.2, (0, 0, 10, 12)),  # 120: whole.
        ((1, 0, 0, 9, 200), 0.2, (0, 0, 9, 200)),  # A side below 10: whole.
        ((1, 0, 0, 100, 100), 1.0, (0, 0, 100, 100)),
        ((1, 0, 0, 10, 300), 0.01, (4, 4, 6, 296)),  # Two rows are left, not none.
    ],
)
def test_centres_by_hand(box, share, expected):
    found = centres.centre(np.array(box), share)
    assert found.tolist() == [1, *expected]
    assert found.dtype == np.int32


def test_what_is_known_of_an_image():
    boxes = np.array([(2, 2, 2, 5, 5), (1, 0, 0, 20, 20)])  # The small one on top.
    known = centres.known_by(boxes, (24, 22), 0.2)
    inner = centres.centre(boxes[1])[1:].tolist()
    assert inner == [5, 5, 15, 15] or inner == [6, 6, 14, 14]
    assert (known[2:5, 2:5] == 2).all()  # Whole, as it is small.
    assert (known[inner[0] : inner[2], inner[1] : inner[3]] == 1).all()
    assert not known[20:].any()
    assert not known[:, 20:].any()
    rest = 400 - 9 - (inner[2] - inner[0]) ** 2
    assert np.count_nonzero(known == UNKNOWN) == rest


@pytest.mark.parametrize("share", (0.0, -0.2, 1.5))
def test_a_share_of_a_box(share):
    with pytest.raises(ValueError, match=f"share={share} is no share of a box"):
        centres.centre(np.array([1, 0, 0, 3, 3]), share)
