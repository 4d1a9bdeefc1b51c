"""Small train states."""

import jax
import numpy as np
import optax

from fcn_jax import training


def train_state(step=0, width=4, seed=0):
    """A net of one layer with AdamW behind it, of NumPy arrays."""
    rng = np.random.default_rng(seed)
    params = {
        "conv1_1": {
            "kernel": rng.normal(size=(3, 3, 3, width)).astype(np.float32),
            "bias": np.zeros(width, np.float32),
        }
    }
    opt_state = jax.tree.map(np.asarray, optax.adamw(1e-3).init(params))
    return training.TrainState(np.int32(step), params, {}, opt_state)
