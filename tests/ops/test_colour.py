"""L*a*b* by known colours, and as scikit-image has it."""

import jax.numpy as jnp
import numpy as np
from skimage.color import rgb2lab

from fcn_jax.ops import colour


def test_known_colours():
    rgb = jnp.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]], jnp.uint8)
    lab = [(100, 0, 0), (0, 0, 0), (53.24, 80.09, 67.20), (32.30, 79.19, -107.86)]
    np.testing.assert_allclose(colour.to_lab(rgb), lab, atol=0.01)


def test_it_is_scikit_images_and_within_its_ranges():
    steps = np.linspace(0, 255, 18).astype(np.uint8)  # With all corners of the cube.
    rgb = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3)
    found = np.asarray(colour.to_lab(jnp.asarray(rgb)))
    np.testing.assert_allclose(found, rgb2lab(rgb), atol=2e-3)
    for x, (least, most) in zip(found.T, colour.RANGES, strict=True):
        assert least - 1e-3 <= x.min() < least + 1
        assert most - 1 < x.max() <= most + 1e-3
