"""What an encoder has to say of files of other projects: names, and what is refused."""

from collections.abc import Mapping
from typing import NamedTuple

# What a layer of a file is called here that no net of ours has a use for, and of which
# that is known.
LEFT_OUT = "left out"


class StoredLayers(NamedTuple):
    """What a file holds, as an encoder looks at it.

    Attributes:
        convention: Whose names it has, as `fcn_jax.weights.names` detects it.
        kernels: Shapes of the kernels as they are stored, by the file's layers.
        net: What the file calls its net; "": nothing.
    """

    convention: str
    kernels: Mapping[str, tuple[int, ...]]
    net: str = ""

    def has(self, *layers: str) -> bool:
        """Whether it has all of these layers."""
        return all(layer in self.kernels for layer in layers)


class Objection(NamedTuple):
    """Why a file is refused.

    Attributes:
        found: What it is.
        expected: What was expected instead, or what to do.
    """

    found: str
    expected: str
