"""Edges of photographs."""

import numpy as np

from fcn_jax.proposals import edges


def test_equal_brightness_has_edges_too():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, :20, 0], image[:, 20:, 1] = 200, 200
    magnitude, direction = edges.image_edges(image, blur=1.0)
    assert magnitude[20, 19] == magnitude.max() == 1
    assert magnitude[20, 5] == 0
    assert direction[20, 19] == 0  # Across a vertical edge: along the row.
    _, turned = edges.image_edges(image.transpose(1, 0, 2), blur=1.0)
    np.testing.assert_allclose(turned[19, 20], np.pi / 2, rtol=1e-6)


def test_directions_are_below_pi():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (60, 60, 3)).astype(np.uint8)
    magnitude, direction = edges.image_edges(image, 0.5)
    assert (magnitude.dtype, direction.dtype) == (np.float32, np.float32)
    assert direction.min() >= 0
    assert direction.max() < np.float32(np.pi)
    assert magnitude.max() == 1
    flat, _ = edges.image_edges(np.full((9, 9, 3), 7, np.uint8))
    assert not flat.any()


def test_thin_edges_by_hand():
    magnitude = np.array([[0, 2, 5, 3, 0], [0, 4, 4, 1, 0]], np.float32)
    along_row = np.zeros_like(magnitude)
    np.testing.assert_array_equal(
        edges.thin_edges(magnitude, along_row),
        [[0, 0, 5, 0, 0], [0, 4, 0, 0, 0]],
    )
    down = np.full_like(magnitude, np.pi / 2)
    np.testing.assert_array_equal(
        edges.thin_edges(magnitude, down), [[0, 0, 5, 3, 0], [0, 4, 0, 0, 0]]
    )
    # Down and to the right: (0, 1) meets (1, 2), (0, 2) meets (1, 3).
    falling = np.full_like(magnitude, np.pi / 4)
    np.testing.assert_array_equal(
        edges.thin_edges(magnitude, falling), [[0, 0, 5, 3, 0], [0, 4, 4, 0, 0]]
    )
