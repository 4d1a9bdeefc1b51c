"""What every network is: an encoder that is handed in, and what scores its features."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias, TypeVar

import chex
import flax.linen as nn
import jax

from fcn_jax.models import inputs
from fcn_jax.models.encoders import Encoder, Features
from fcn_jax.ops.upsampled import Upsampled

Array = jax.Array
# Logits [N, H, W, C], or what is made of them; by head where there are several.
Outputs: TypeAlias = Array | Mapping[str, Array]
# Of one head: as they are, or as scores that are yet to be upsampled.
Logits: TypeAlias = Array | Upsampled
_L = TypeVar("_L", bound=Logits)


class Network(nn.Module):
    """Images -> class scores of every pixel; the base class of all networks.

    The variables of the encoder stand beside those of the network's own layers, under
    the names of the layers alone.
    """

    # Options of the encoder that this network sets itself, and others that it starts
    # with other values; only those that the encoder has.
    encoder_fixed: ClassVar[Mapping[str, object]] = {}
    encoder_defaults: ClassVar[Mapping[str, object]] = {}
    classifies: ClassVar[bool] = False  # Whether it keeps ImageNet's classifier, fc8.
    default_encoder: ClassVar[str] = "vgg16"  # A key of `models.encoders.ENCODERS`.
    # Entries of a batch that it takes by these names, beside images and sizes.
    extra_inputs: ClassVar[tuple[str, ...]] = ()

    # Patterns of layers that have no gradient, and so are to be frozen.
    untrained: ClassVar[tuple[str, ...]] = ()

    # Layers that start as others do where a file has those alone: theirs by name.
    twins: ClassVar[Mapping[str, str]] = {}

    # Encoders that it takes in a form of their own, such as without their last layers.
    encoder_forms: ClassVar[Mapping[type[Encoder], type[Encoder]]] = {}

    encoder: Encoder
    # Classes that are scored; by head, {"semantic": 33, "geometric": 3}, where there
    # are several.
    num_classes: int | Mapping[str, int] = 21

    @property
    def network(self) -> "Network":
        """The network itself; `crf.WithCRF` answers with the one before the CRF."""
        return self

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return self.encoder.smallest_image

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.encoder.channels

    @property
    def heads(self) -> dict[str, int]:
        """Classes by the name of their head; "" is that of a network with one."""
        if isinstance(self.num_classes, Mapping):
            return dict(self.num_classes)
        return {"": self.num_classes}

    def suited(self) -> "Network":
        """The same with what it sets itself by the encoder that it is put on."""
        return self

    def with_encoder(self, **changes: Any) -> "Network":
        """The same network, options of its encoder changed."""
        return self.clone(encoder=self.encoder.clone(**changes))

    def fixed_upsampling(self) -> dict[str, tuple[int, int]]:
        """Upsampling layers without parameters: kernel size and classes, by name."""
        return {}

    @property
    def trunk(self) -> Callable[..., Features]:
        """What finds features in images: the encoder, or several together."""
        return self.encoder

    def setup(self) -> None:
        """Check the options; lay the encoder's variables beside the network's own."""
        inputs.check_num_classes(self.num_classes)
        self.check_options()
        nn.share_scope(self, self.encoder)

    def check_options(self) -> None:
        """Refuse options that this network does not know."""

    def by_head(self, found: Mapping[str, _L]) -> _L | dict[str, _L]:
        """The logits of each head, [N, H, W, its classes]: alone where there is one.

        Raises:
            AssertionError: If a head is missing, or its logits have another shape.
        """
        assert found.keys() == self.heads.keys()
        for head, count in self.heads.items():
            chex.assert_equal(found[head].shape[3:], (count,))
        return dict(found) if isinstance(self.num_classes, Mapping) else found[""]


def layer_name(name: str, head: str) -> str:
    """The name of a head's own layer, "score_fr_semantic"; bare where there is one.

    Args:
        name: Where there is one head.
        head: Its name; "": there is one.
    """
    return f"{name}_{head}" if head else name
