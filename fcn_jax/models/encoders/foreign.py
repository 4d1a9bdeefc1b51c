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


class ReadsFiles:
    """What an encoder says of files of other projects; of the base class nothing."""

    @classmethod
    def foreign_names(cls, convention: str, layers: set[str]) -> Mapping[str, str]:
        """What files of other projects call the layers.

        Args:
            convention: Whose names they are, as `fcn_jax.weights.names` detects it:
                "PyTorch", "torchvision", "Keras", "Chainer" ...
            layers: The names of layers in the file.

        Returns:
            From the file's names to ours, where these differ.
        """
        del convention, layers
        return {}

    def objection(self, stored: StoredLayers) -> Objection | None:
        """What forbids to take the weights of a file, although some of them would fit.

        Args:
            stored: What the file holds.

        Returns:
            Why it is refused; None: it is not.
        """
        del stored
        return None
