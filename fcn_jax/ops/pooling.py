"""Max pooling that remembers where each maximum was, and its inverse.

First, short form of this module.
"""

import functools

import jax
import jax.numpy as jnp

Array = jax.Array


def _windows(x, window):
    n, h, w, c = x.shape
    ph, pw = -h % window, -w % window
    if ph or pw:
        x = jnp.pad(x, ((0, 0), (0, ph), (0, pw), (0, 0)), constant_values=-jnp.inf)
    x = x.reshape(n, (h + ph) // window, window, (w + pw) // window, window, c)
    return [x[:, :, i, :, j] for i in range(window) for j in range(window)]


def _pool(x, window):
    values = _windows(x, window)
    best, switch = values[0], jnp.zeros(values[0].shape, jnp.uint8)
    for k, value in enumerate(values[1:], start=1):
        better = value > best
        best = jnp.where(better, value, best)
        switch = jnp.where(better, jnp.uint8(k), switch)
    return best, switch


def _unpool(x, switches, window, size):
    n, h, w, c = x.shape
    k = jnp.arange(window * window, dtype=jnp.uint8).reshape(1, 1, window, 1, window, 1)
    hit = switches[:, :, None, :, None] == k
    out = jnp.where(hit, x[:, :, None, :, None], jnp.zeros((), x.dtype))
    return out.reshape(n, h * window, w * window, c)[:, : size[0], : size[1]]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool(x, window=2):
    return _pool(x, window)[0]


def _fwd(x, window):
    best, switch = _pool(x, window)
    return best, (switch, x.shape[1:3])


def _bwd(window, residual, g):
    switch, size = residual
    return (_unpool(g, switch, window, size),)


max_pool.defvjp(_fwd, _bwd)
