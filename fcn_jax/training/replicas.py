"""What replicas of a step have in common, and what each has of its own.

`jax.shard_map` knows which arrays are the same on all devices. A gradient with respect
to these is the sum over the devices already, and one of what was summed is shared out
again; in `jax.pmap`, and in `shard_map(..., check_vma=False)`, neither is so. Of arrays
that each device has as its own both give the device's own gradient.
"""

from typing import TypeVar

import jax
import jax.numpy as jnp

_Tree = TypeVar("_Tree")


def own(tree: _Tree, axis_name: str | None) -> _Tree:
    """The same values, which `jax.shard_map` takes for those of each device.

    Args:
        tree: Of arrays.
        axis_name: Name of the mapped device axis; None: there is none.
    """
    if axis_name is None:
        return tree
    # A choice between a thing and itself is none once it is compiled.
    here = jax.lax.axis_index(axis_name) >= 0
    return jax.tree.map(lambda x: jnp.where(here, x, x), tree)
