"""Trees of arrays: their names, their hash, and the way of saved ones to a state.

On disk a tree is nested dicts of NumPy arrays; the name of an array is that of its
keys, joined with "/": "params/conv1_1/kernel".
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeAlias, TypeVar

import chex
import jax
import numpy as np
from flax.typing import VariableDict

S = TypeVar("S", bound="State")
Tree: TypeAlias = chex.ArrayTree
NestedArrays: TypeAlias = dict[str, Any]  # Of NumPy arrays or of further dicts.


class State(Protocol):
    """What a checkpoint keeps of a run; `training.TrainState` is one."""

    @property
    def step(self) -> chex.Array:
        """Optimiser updates done, int32 scalar."""
        ...

    @property
    def params(self) -> Mapping[str, object]:
        """Parameters by layer."""
        ...

    @property
    def batch_stats(self) -> Mapping[str, object]:
        """Running averages of BatchNorm by layer; empty without BatchNorm."""
        ...

    @property
    def opt_state(self) -> object:
        """State of the optimiser."""
        ...

    def replace(self, **fields: object) -> Self:
        """The same state with other fields."""
        ...


def leaves(tree: object) -> dict[str, jax.Array]:
    """The leaves of any pytree by name.

    Args:
        tree: Such as variables or the state of an optimiser; its leaves are arrays, or
            what stands for them (`jax.ShapeDtypeStruct`).

    Returns:
        By the keys, fields and positions that lead to a leaf, joined with "/".
    """
    found = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {"/".join(map(_key, path)): leaf for path, leaf in found}


def flatten(tree: object) -> dict[str, np.ndarray]:
    """The same as NumPy arrays."""
    return {name: np.asarray(leaf) for name, leaf in leaves(tree).items()}


def nested(flat: Mapping[str, object]) -> NestedArrays:
    """Values as nested dicts, by the parts of their names; undoes `leaves` of dicts."""
    tree: dict = {}
    for name, value in flat.items():
        *parents, last = name.split("/")
        at = tree
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return tree


def to_arrays(state: State) -> NestedArrays:
    """A train state as nested dicts of NumPy arrays, the form that is saved."""
    return of_variables(
        {"params": state.params, "batch_stats": state.batch_stats},
        opt_state=state.opt_state,
        step=state.step,
    )


def of_variables(
    variables: Mapping[str, object],
    *,
    opt_state: object = (),
    step: chex.Numeric = 0,
) -> NestedArrays:
    """Variables of a net as they are saved.

    Args:
        variables: `params`, and perhaps `batch_stats`.
        opt_state: State of the optimiser.
        step: Optimiser updates done.

    Returns:
        Nested dicts of NumPy arrays, as of a train state.
    """
    return {
        "params": _on_disk(variables["params"]),
        "batch_stats": _on_disk(variables.get("batch_stats", {})),
        "opt_state": _on_disk(opt_state),
        "step": np.asarray(step, np.int32),
    }


def into_state(arrays: NestedArrays, template: S) -> S:
    """Put saved arrays into the places of a train state.

    Args:
        arrays: What `to_arrays` made.
        template: A train state of the same model and optimiser.

    Returns:
        A state like the template, of NumPy arrays of its dtypes.

    Raises:
        ValueError: If the names or shapes are those of another model or optimiser.
    """
    fields = {
        "params": template.params,
        "batch_stats": template.batch_stats,
        "opt_state": template.opt_state,
        "step": template.step,
    }
    return template.replace(**_fill(arrays, fields))


def into_variables(arrays: NestedArrays, template: VariableDict) -> VariableDict:
    """The saved `params` and `batch_stats`, in the places of a net's variables.

    Args:
        arrays: What `to_arrays` made; its optimiser state is left out.
        template: What `model.init` returned.

    Returns:
        Variables like the template, of NumPy arrays of its dtypes.

    Raises:
        ValueError: If the names or shapes are those of another model.
    """
    kept = {name: arrays.get(name, {}) for name in ("params", "batch_stats")}
    return _fill(kept, template)


def _fill(arrays: NestedArrays, fields: Mapping[str, object]):
    found = flatten(arrays)
    filled = {}
    for field, tree in fields.items():
        values = []
        for name, leaf in leaves({field: tree}).items():
            if name not in found:
                raise ValueError(
                    f"the checkpoint holds no {name}; it was made by another model or "
                    f"optimiser. Use the config that made it, or start from it with "
                    f"config.init_from."
                )
            value = found.pop(name)
            if value.shape != leaf.shape:
                raise ValueError(
                    f"{name} is {_shape(value)} in the checkpoint and {_shape(leaf)} "
                    f"in this config's model: another model or number of classes. Use "
                    f"the config that made it, or start from it with config.init_from."
                )
            values.append(value.astype(leaf.dtype))
        filled[field] = jax.tree.unflatten(jax.tree.structure(tree), values)
    if found:
        raise ValueError(
            f"the checkpoint holds {len(found)} arrays that this config's model and "
            f"optimiser lack, such as {sorted(found)[0]}. Use the config that made "
            f"it, or start from it with config.init_from."
        )
    return filled


def content_hash(arrays: NestedArrays) -> str:
    """SHA-256, as hex, over names, dtypes, shapes and bytes of nested arrays."""
    digest = hashlib.sha256()
    for name, value in sorted(flatten(arrays).items()):
        digest.update(f"{name}:{value.dtype}:{value.shape};".encode())
        # As bytes: bfloat16 has no buffer of its own.
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _on_disk(tree: object) -> NestedArrays:
    """Any pytree as nested dicts; tuples and named tuples by position and field."""
    return nested(flatten(tree))


def _key(entry: object) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(entry, attribute):
            return str(getattr(entry, attribute))
    raise AssertionError(f"unknown kind of tree path entry: {entry!r}")


def _shape(x: np.ndarray | jax.Array):
    return "x".join(map(str, x.shape)) or "a scalar"
