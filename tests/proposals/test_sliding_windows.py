"""Windows and their scores, by hand."""

import warnings

import numpy as np

from fcn_jax import proposals
from fcn_jax.proposals import edges


def test_windows_by_hand():
    image = np.zeros((20, 40, 3), np.uint8)
    found, scores = proposals.propose(
        image, "sliding_windows", min_side=20, aspects=(1.0,), stride=0.25
    )
    # Five places of a square of 20, each a step of 5 from the last, and the image.
    assert {tuple(box) for box in found.tolist()} == {
        (0, 0, 20, 20),
        (0, 5, 20, 25),
        (0, 10, 20, 30),
        (0, 15, 20, 35),
        (0, 20, 20, 40),
        (0, 0, 20, 40),
    }
    assert not scores.any()


def test_the_score_of_a_window_by_hand(monkeypatch):
    magnitude = np.zeros((16, 16), np.float32)
    magnitude[1, 3] = 0.5  # Near the border.
    magnitude[8, 8] = 1.0  # In the central part, rows and columns 4 to 11.
    monkeypatch.setattr(edges, "image_edges", lambda image, blur: (magnitude, None))
    _, scores = proposals.propose(np.zeros((16, 16, 3), np.uint8), "sliding_windows")
    np.testing.assert_allclose(scores[0], 0.5 / 16**1.5)


def test_an_image_as_large_as_the_smallest_proposal():
    image = np.zeros((16, 16, 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, _ = proposals.propose(image, "sliding_windows")
    assert [0, 0, 16, 16] in found.tolist()
