"""The variables of a net by name: their shapes, how they start, and what has none."""

import functools
from collections.abc import Mapping, Sequence
from typing import cast

import flax.linen as nn
import jax
from flax.typing import VariableDict

from fcn_jax.models import inputs
from fcn_jax.storage import trees


def shapes(model: nn.Module) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of a net's variables by name; nothing is computed."""
    init, key = _init(model)
    return cast(
        "dict[str, jax.ShapeDtypeStruct]", trees.leaves(jax.eval_shape(init, key))
    )


def start(model: nn.Module, names: Sequence[str]) -> dict[str, jax.Array]:
    """The initial values of some variables; XLA leaves the others uncomputed.

    Args:
        model: The net.
        names: Such as "params/conv1_1/kernel".
    """
    init, key = _init(model)

    @functools.partial(jax.jit, static_argnums=1)
    def pick(key: jax.Array, names: tuple[str, ...]):
        found = trees.leaves(init(key))
        return {name: found[name] for name in names}

    return pick(key, tuple(names)) if names else {}


def taken_from(
    given: VariableDict,
    names: Sequence[str],
    shapes: Mapping[str, jax.ShapeDtypeStruct],
) -> dict[str, jax.Array]:
    """Some of the variables that are given.

    Args:
        given: Variables of a net.
        names: Of those wanted.
        shapes: Of the net's variables, by name.

    Raises:
        ValueError: If one is not there, or not of the shape that it has in the net.
    """
    found = trees.leaves(given)
    for name in names:
        shape = getattr(found.get(name), "shape", None)
        if shape != shapes[name].shape:
            raise ValueError(
                f"load_weights: initial has {name} of shape {shape}; expected "
                f"{shapes[name].shape}, as this net's init returns it."
            )
    return {name: found[name] for name in names}


def _init(model: nn.Module):
    """`model.init` as a function of a key, and a key."""
    image = inputs.example_image(model)
    return lambda key: model.init(key, image, train=False), jax.random.key(0)
