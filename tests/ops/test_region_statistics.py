"""Hand-crafted features against a count by NumPy, and of regions that can be told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops import colour, region_statistics
from fcn_jax.ops.region_statistics import BINS, FEATURES

run = jax.jit(region_statistics.features)


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 12, 3), np.uint8)
    of_pixels = np.pad(np.repeat([[0, 1, 2]], 7, 0).repeat(3, 1), ((0, 2), (0, 3)),
                       constant_values=-1)  # fmt: skip
    regions = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]], bool)
    return image, of_pixels, regions


def reference(image, of_pixels, regions):
    """By loops over regions; the image is 7x9 of the array."""
    lab = np.asarray(colour.to_lab(jnp.asarray(image)))
    inside = of_pixels >= 0
    bins = []
    for c, (least, most) in enumerate(colour.RANGES):
        bins.append(np.clip((lab[..., c] - least) // ((most - least) / BINS), 0, 31))
    for c in range(3):
        ordered = np.sort(lab[..., c][inside])
        edges = ordered[np.arange(1, BINS) * len(ordered) // BINS]
        bins.append((lab[..., c][..., None] >= edges).sum(-1))
    found = []
    for region in regions:
        mask = inside & region[np.maximum(of_pixels, 0)]
        shares = [
            np.bincount(b[mask].astype(int), minlength=BINS) / max(1, mask.sum())
            for b in bins
        ]
        entropy = [-sum(p * np.log(p) for p in share if p) for share in shares]
        rows, columns = np.nonzero(mask)
        position = [
            2 * (rows.mean() + 0.5) / 7 - 1, 2 * (columns.mean() + 0.5) / 9 - 1
        ] if mask.any() else [0, 0]  # fmt: skip
        found.append(np.concatenate([*shares, entropy, position]))
    return np.array(found)


def test_it_is_what_numpy_counts(scene):
    image, of_pixels, regions = map(jnp.asarray, scene)
    found = run(image, of_pixels, regions, jnp.array([7, 9]))
    assert found.shape == (3, FEATURES)
    np.testing.assert_allclose(found, reference(*scene), atol=2e-6)
    np.testing.assert_array_equal(found[2], np.zeros(FEATURES))  # Without pixels.
    # What lies beyond the image is not seen.
    other = jnp.where((of_pixels < 0)[..., None], jnp.uint8(255), image)
    np.testing.assert_array_equal(
        run(other, of_pixels, regions, jnp.array([7, 9])), found
    )


def test_a_region_of_one_colour(scene):
    grey = jnp.full((4, 4, 3), 128, jnp.uint8)
    # Ten times the bins are more than there are numbers in uint8.
    found = run(grey, jnp.full((4, 4), 9, jnp.uint8), jnp.ones((1, 10), bool))[0]
    assert sorted(np.flatnonzero(found[: 6 * BINS] == 1) // BINS) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(found[6 * BINS :], np.zeros(8), atol=1e-6)


def test_adaptive_bins_hold_equally_many_pixels():
    grey = jnp.arange(64, dtype=jnp.uint8).reshape(8, 8)
    found = run(
        jnp.repeat(grey[..., None], 3, -1),
        jnp.zeros((8, 8), jnp.int32),
        jnp.ones((1, 1), bool),
    )[0]
    np.testing.assert_allclose(found[3 * BINS : 4 * BINS], np.full(BINS, 1 / BINS))
    np.testing.assert_allclose(found[6 * BINS + 3], np.log(BINS), rtol=1e-6)
