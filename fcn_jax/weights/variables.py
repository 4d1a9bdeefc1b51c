"""The variables of a net by name: their shapes, how they start, and what has none."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax

from fcn_jax.models import inputs


def shapes(model: nn.Module) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of a net's variables by name; nothing is computed."""
    init, key = _init(model)
    return by_name(jax.eval_shape(init, key))


def by_name(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of nested variables by names such as "params/conv1_1/kernel"."""
    leaves = jax.tree_util.tree_leaves_with_path(dict(variables))
    return {"/".join(str(entry.key) for entry in path): x for path, x in leaves}


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `by_name`."""
    variables: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, last = name.split("/")
        at = variables
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return variables


def start(model: nn.Module, names: Sequence[str]) -> dict[str, jax.Array]:
    """The initial values of some variables; XLA leaves the others uncomputed."""
    init, key = _init(model)

    @functools.partial(jax.jit, static_argnums=1)
    def pick(key, names):
        found = by_name(init(key))
        return {name: found[name] for name in names}

    return pick(key, tuple(names)) if names else {}


def taken_from(
    given: Mapping[str, Any],
    names: Sequence[str],
    shapes: Mapping[str, jax.ShapeDtypeStruct],
) -> dict[str, Any]:
    """Some of the variables that are given.

    Raises:
        ValueError: If one is not there, or not of the shape that it has in the net.
    """
    found = by_name(given)
    for name in names:
        shape = getattr(found.get(name), "shape", None)
        if shape != shapes[name].shape:
            raise ValueError(
                f"load_weights: initial has {name} of shape {shape}; expected "
                f"{shapes[name].shape}, as this net's init returns it."
            )
    return {name: found[name] for name in names}


def _init(model):
    """`model.init` as a function of a key, and a key."""
    image = inputs.example_image(model)
    return lambda key: model.init(key, image, train=False), jax.random.key(0)
