"""Images for networks in a file, and what a network itself says of them."""

import jax.numpy as jnp
import numpy as np

from fcn_jax.preprocessing import CAFFE, preprocess
from tests.support import cases


def photos(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*shape, 3), dtype=np.uint8)


def apply(model, variables, images, recipe=CAFFE):
    @cases.quick_jit
    def run(variables, images):
        return model.apply(variables, preprocess(images, recipe))

    return run(variables, jnp.asarray(images))
