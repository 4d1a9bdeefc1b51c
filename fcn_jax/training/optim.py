"""Optimisers, and the multipliers that make layers learn at their own rate.

References:
    BVLC/caffe, sgd_solver.cpp; fcn.berkeleyvision.org, voc-fcn*/solver.prototxt.
"""

import fnmatch
from collections.abc import Sequence
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from fcn_jax import messages
from fcn_jax.models import layers
from fcn_jax.storage.trees import Tree
from fcn_jax.training.schedules import Schedule


class CaffeSgdState(NamedTuple):
    """What Caffe's SGD remembers."""

    # Updates done, int32.
    count: jax.Array  # pyright: ignore[reportIncompatibleMethodOverride]
    velocity: Tree  # The last update of every parameter, learning rate included; a
    # scalar 0 for the parameters that do not learn.


def caffe_sgd(
    learning_rate: float | Schedule,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    lr_multipliers: Tree | None = None,
    decay_multipliers: Tree | None = None,
) -> optax.GradientTransformation:
    """SGD with momentum exactly as Caffe updates.

    g <- g + weight_decay * decay_multiplier * w
    v <- momentum * v + learning_rate * lr_multiplier * g
    w <- w - v

    The learning rate is inside v, unlike in PyTorch: after it falls, the last larger
    updates go on with the momentum. No Nesterov, no dampening. A parameter whose
    learning-rate multiplier is 0 neither moves nor decays, whatever its gradient, and
    takes no memory for v.

    Args:
        learning_rate: A number, or a function of the updates done.
        momentum: In [0, 1).
        weight_decay: Factor on the weights in the gradient. Beside a loss summed over
            pixels 5e-4 does next to nothing; beside a mean it does a lot.
        lr_multipliers: Tree like the parameters, of floats; None: all 1.
        decay_multipliers: Tree like the parameters, of floats; None: all 1.

    Returns:
        An optax transformation; `update` needs the parameters.

    Raises:
        ValueError: If the momentum is not in [0, 1) or the decay negative.

    References:
        BVLC/caffe, sgd_solver.cpp: Regularize, ComputeUpdateValue.
    """
    if not 0 <= momentum < 1:
        raise ValueError(
            f"caffe_sgd: momentum={momentum} is not in [0, 1); Caffe's FCN nets have "
            f"0.9 or 0.99."
        )
    if weight_decay < 0:
        raise ValueError(
            f"caffe_sgd: weight_decay={weight_decay} is negative; weights would grow."
        )

    def constants_like(params: Tree, multipliers: Tree | None):
        if multipliers is None:
            return jax.tree.map(lambda _: 1.0, params)
        return multipliers

    def init(params: Tree):
        velocity = jax.tree.map(
            lambda w, lr: jnp.zeros(w.shape if lr else (), w.dtype),
            params,
            constants_like(params, lr_multipliers),
        )
        return CaffeSgdState(jnp.zeros((), jnp.int32), velocity)

    def update(grads: Tree, state: CaffeSgdState, params: Tree | None = None):
        if params is None:
            raise ValueError(
                "caffe_sgd: update needs the parameters, for their decay; call "
                "update(grads, state, params)."
            )
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate

        def next_velocity(
            v: jax.Array,
            g: jax.Array,
            w: jax.Array,
            lr_multiplier: float,
            decay_multiplier: float,
        ):
            if lr_multiplier == 0:
                return v
            decayed = g + weight_decay * decay_multiplier * w
            return momentum * v + jnp.asarray(rate * lr_multiplier, v.dtype) * decayed

        velocity = jax.tree.map(
            next_velocity,
            state.velocity,
            grads,
            params,
            constants_like(params, lr_multipliers),
            constants_like(params, decay_multipliers),
        )
        updates = jax.tree.map(
            lambda v, w: jnp.broadcast_to(-v, w.shape), velocity, params
        )
        return updates, CaffeSgdState(state.count + 1, velocity)

    return optax.GradientTransformation(
        cast("optax.TransformInitFn", init), cast("optax.TransformUpdateFn", update)
    )


def multipliers(
    params: Tree,
    *,
    bias_lr: float = 2.0,
    bias_decay: float = 0.0,
    bn_decay: float = 0.0,
    frozen: Sequence[str] = (),
) -> tuple[Tree, Tree]:
    """Learning-rate and decay multipliers of every parameter, as in the Caffe nets.

    Weights have 1 and 1, biases of convolutions `bias_lr` and `bias_decay`; scale and
    bias of BatchNorm 1 and `bn_decay`.

    Args:
        params: Nested dicts, layer -> parameter.
        bias_lr: Learning-rate multiplier of biases.
        bias_decay: Decay multiplier of biases.
        bn_decay: Decay multiplier of BatchNorm; the release of DeconvNet has 1.
        frozen: Patterns of layer names, such as "conv*", that do not learn.

    Returns:
        Two trees like the parameters, of floats.

    Raises:
        ValueError: If a pattern matches no layer.
    """

    def choose(path: tuple, _: jax.Array, learning: bool):
        layer, name = str(path[0].key), str(path[-1].key)
        if not learning:
            return (0.0, 0.0)
        if layers.is_batch_norm(layer):
            return (1.0, bn_decay)
        return (bias_lr, bias_decay) if name == "bias" else (1.0, 1.0)

    pairs = jax.tree_util.tree_map_with_path(choose, params, learns(params, frozen))
    leaf = {"is_leaf": lambda x: isinstance(x, tuple)}
    lr = jax.tree.map(lambda pair: pair[0], pairs, **leaf)
    return lr, jax.tree.map(lambda pair: pair[1], pairs, **leaf)


def learns(params: Tree, frozen: Sequence[str] = (), title: str = "frozen") -> Tree:
    """Which parameters learn.

    Args:
        params: Nested dicts, layer -> parameter; or their gradients.
        frozen: Patterns of layer names, such as "conv*", that do not learn.
        title: What the patterns are called in the error.

    Returns:
        A tree like the parameters, of bools.

    Raises:
        ValueError: If a pattern matches no layer.
    """
    known = {str(path[0].key) for path, _ in _with_paths(params)}
    for pattern in frozen:
        if not fnmatch.filter(known, pattern):
            raise ValueError(
                f"{title}: {pattern!r} matches no layer; there are "
                f"{messages.listed(known)}."
            )

    def choose(path: tuple, _: jax.Array):
        layer = str(path[0].key)
        return not any(fnmatch.fnmatchcase(layer, pattern) for pattern in frozen)

    return jax.tree_util.tree_map_with_path(choose, params)


def gradient_norm(grads: Tree, frozen: Sequence[str] = ()) -> jax.Array:
    """L2 norm of the gradient of all that learns.

    Args:
        grads: Nested dicts, layer -> gradient.
        frozen: As of `learns`.

    Returns:
        A scalar of the gradients' dtype.

    Raises:
        ValueError: If a pattern matches no layer.
    """
    learning = learns(grads, frozen)
    # None is no leaf: what does not learn is not there.
    return optax.tree.norm(
        jax.tree.map(lambda g, counts: g if counts else None, grads, learning)
    )


OPTIMIZERS = ("adamw", "sgd")
# What `make_optimizer` takes for SGD, and AdamW does not look at.
OF_SGD = ("momentum", "bias_lr", "bias_decay", "bn_decay")


def make_optimizer(
    name: str,
    schedule: Schedule,
    params: Tree,
    *,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    bias_lr: float = 2.0,
    bias_decay: float = 0.0,
    bn_decay: float = 0.0,
    frozen: Sequence[str] = (),
    clip_norm: float | None = None,
) -> optax.GradientTransformation:
    """An optimiser by name.

    Args:
        name: "sgd" (Caffe's, with its multipliers) or "adamw" (no decay of biases and
            BatchNorm).
        schedule: See `schedules.make_schedule`.
        params: The parameters, for the names of their layers.
        momentum: Of SGD.
        weight_decay: Of SGD (in the gradient) or AdamW (decoupled).
        bias_lr: SGD: learning-rate multiplier of biases.
        bias_decay: SGD: decay multiplier of biases.
        bn_decay: SGD: decay multiplier of BatchNorm.
        frozen: Patterns of layer names that do not learn.
        clip_norm: Largest L2 norm of the gradient of all that learns; None: any.

    Returns:
        An optax transformation; `update` needs the parameters.

    Raises:
        ValueError: If the name is unknown, a pattern matches no layer, or a number
            has no meaning.
    """
    if name not in OPTIMIZERS:
        raise ValueError(messages.unknown_name("optimiser", name, OPTIMIZERS))
    lr, decay = multipliers(
        params,
        bias_lr=bias_lr,
        bias_decay=bias_decay,
        bn_decay=bn_decay,
        frozen=frozen,
    )
    if name == "sgd":
        core = caffe_sgd(schedule, momentum, weight_decay, lr, decay)
    else:
        decays = jax.tree.map(lambda x: x.ndim > 1, params)
        core = optax.adamw(
            cast("optax.Schedule", schedule), weight_decay=weight_decay, mask=decays
        )
        if frozen:
            labels = jax.tree.map(
                lambda learning: "learns" if learning else "frozen",
                learns(params, frozen),
            )
            core = optax.multi_transform(
                {"learns": core, "frozen": optax.set_to_zero()}, labels
            )
    if clip_norm is None:
        return core
    if not clip_norm > 0:
        raise ValueError(
            f"make_optimizer: clip_norm={clip_norm} is not positive; pass None for no "
            f"clipping."
        )
    parts = [optax.clip_by_global_norm(clip_norm), core]
    if frozen:  # What does not learn has no part in the norm.
        still = jax.tree.map(lambda learning: not learning, learns(params, frozen))
        parts.insert(0, optax.masked(optax.set_to_zero(), still))
    return optax.chain(*parts)


def slowed(
    optimizer: optax.GradientTransformation,
    params: Tree,
    slow: Sequence[str],
    rate: float,
) -> optax.GradientTransformation:
    """An optimiser by which some layers learn at a part of the learning rate.

    As a trunk that is trained already, below layers that start anew. Decay is slowed
    likewise, as by a multiplier of the learning rate in Caffe.

    Args:
        optimizer: What `make_optimizer` made.
        params: The parameters, for the names of their layers.
        slow: Patterns of their names, such as "conv*".
        rate: Factor on their updates, positive.

    Returns:
        An optax transformation; `update` needs the parameters.

    Raises:
        ValueError: If a pattern matches no layer, or the rate is not positive.
    """
    if not 0 < rate < float("inf"):
        raise ValueError(
            f"slow_rate={rate} is not positive; give a factor on the learning rate, "
            f"such as 0.1, and name layers that do not learn in frozen."
        )
    whole = learns(params, slow, "slow")

    def scale(updates: optax.Updates, params: optax.Params | None) -> optax.Updates:
        del params
        return jax.tree.map(
            lambda x, full: x if full else x * jnp.asarray(rate, x.dtype),
            updates,
            whole,
        )

    return optax.chain(optimizer, optax.stateless(scale))


def _with_paths(tree: Tree):
    return jax.tree_util.tree_flatten_with_path(tree)[0]
