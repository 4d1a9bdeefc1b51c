"""Zoom-out: superpixels classified by what nested regions around them look like.

What makes it that system: SLIC superpixels; features of nested regions of each, the
superpixel itself, those near it, and the image, by a VGG-16 that is not trained with
it; every feature standardised over the training set; an MLP that knows nothing of the
neighbours' labels, trained by a loss in which a rare class weighs as much as a common
one; a pixel has the class of its superpixel.

References:
    Mostajabi, Yadollahpour and Shakhnarovich 2015, arXiv:1412.0774: the first version,
    TTI-Zoomout-16 (64.4 on VOC 2012 test), is `ZoomoutV1` as far as it is known, that
    of CVPR (69.6) `Zoomout`.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fcn_jax.models import inputs, layers, zoomout_features
from fcn_jax.models.encoders.vgg import VGG16
from fcn_jax.models.network import Network, layer_name
from fcn_jax.models.zoomout_features import (
    CONVOLUTIONS,
    DISTANT,
    GLOBAL,
    LEVELS,
    LOCAL,
    PROXIMAL,
    Sight,
)
from fcn_jax.ops import segments
from fcn_jax.preprocessing import PREPROCESSING

Array = jax.Array

SIDE = 224  # Of a region as VGG-16 sees it, pixels.
HIDDEN = 1024  # Units of the MLP.
ROOM = 1.5  # Superpixels that an image may have, of those asked for.


class Standardize(nn.Module):
    """Features to zero mean and unit variance, by statistics of the training set.

    These are variables of "batch_stats", which training leaves as they are
    (`fcn_jax.runs.standardization` takes them before the first step); at first they
    change nothing. A feature without variance is divided by 1.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Standardise.

        Args:
            x: [..., F] float32.
        """
        shape = x.shape[-1:]
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape).value
        var = self.variable("batch_stats", "var", jnp.ones, shape).value
        std = jnp.sqrt(jnp.where(var > 0, var, jnp.ones((), var.dtype)))
        ahead = (1,) * (x.ndim - 1)
        return (x - mean.reshape(*ahead, -1)) / std.reshape(*ahead, -1)


class Zoomout(Network):
    """Zoom-out features of all convolutions, of the sub-scene and of the scene (CVPR).

    4,224 numbers of the superpixel, and 4,096 each of its surroundings and of the
    image: 12,416. The encoder sees regions at `side` pixels; where its fc7 then has
    several cells their maximum counts, as in the authors' release.
    """

    encoder_fixed: ClassVar[Mapping[str, object]] = {"return_switches": False}
    encoder_defaults: ClassVar[Mapping[str, object]] = {"padding": "valid"}
    extra_inputs: ClassVar[tuple[str, ...]] = ("superpixels",)
    untrained: ClassVar[tuple[str, ...]] = ("conv*", "bn*", "fc6", "fc7")
    own_levels: ClassVar[tuple[str, ...]] = (CONVOLUTIONS, DISTANT, GLOBAL)

    levels: tuple[str, ...] = ()  # Of LEVELS, in their order; (): the net's own.
    hidden: int = HIDDEN  # Units of the MLP, whatever the width; 0: linear.
    mlp_dropout: float = 0.0  # Of its hidden units.
    num_superpixels: int = 500  # Asked for of SLIC.
    max_superpixels: int = 0  # Of an image; 0: half as many again.
    compactness: float = 10.0  # Of SLIC: what place counts against colour.
    side: int = SIDE  # Of a region as the encoder sees it, pixels.
    regions_at_once: int = 8  # That it sees together.
    preprocessing: str = "caffe"  # What the images have been through.

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return 1

    @property
    def room(self) -> int:
        """Superpixels that an image may have."""
        return self.max_superpixels or math.ceil(ROOM * self.num_superpixels)

    @property
    def seen_levels(self) -> tuple[str, ...]:
        """The levels, from near to far."""
        return self.levels or self.own_levels

    def check_options(self) -> None:
        """Refuse levels, encoders and numbers that nothing can be made of."""
        _check_options(self)

    @nn.compact
    def __call__(
        self,
        images: Array,
        sizes: Array | None = None,
        train: bool = False,
        example_ids: Array | None = None,
        superpixels: Array | None = None,
    ) -> Array | dict[str, Array]:
        """Score every pixel: those of a superpixel alike.

        Args:
            images: Preprocessed images, [N, H, W, 3] floating point; see
                `preprocessing`.
            sizes: True (height, width) of every example, [N, 2] integer, where images
                were padded at the bottom and right to one shape; None where they fill
                it.
            train: Whether dropout drops. The encoder is never trained.
            example_ids: Numbers that choose the dropout of every example, [N] integer;
                None: 0 .. N-1.
            superpixels: The number of each pixel's superpixel, [N, H, W] integer from 0
                to less than `room`; negative beyond the image.

        Returns:
            Logits, [N, H, W, num_classes] float32, 0 beyond the image; by head where
            `num_classes` is.

        Raises:
            TypeError: If images are not floating point, sizes or superpixels not
                integer.
            ValueError: If images are not [N, H, W, 3], or sizes or superpixels do not
                fit them, or there are no superpixels.
        """
        inputs.check_images(images, self.channels)
        if self.is_initializing():
            if superpixels is None:  # Of the variables they change nothing.
                superpixels = jnp.zeros(images.shape[:3], jnp.int32)
            self.encoder(jnp.zeros((1, self.side, self.side, self.channels)))
        superpixels = check_superpixels(superpixels, images, self.room)
        if self.is_initializing():  # Nothing hangs on them, and they take long.
            shape = jax.eval_shape(self.features, images, sizes, superpixels)
            x = jnp.zeros(shape.shape, shape.dtype)
        else:
            x = self.features(images, sizes, superpixels)
        x = Standardize(name="standardize")(x)
        x = x[:, :, None]  # [N, room, 1, F]: superpixels are the rows of a map.
        if self.hidden:
            x = layers.Conv(
                self.hidden, 1, param_dtype=self.encoder.param_dtype, name="hidden"
            )(x)
            x = layers.Dropout(self.mlp_dropout, name="drop_hidden")(
                nn.relu(x), example_ids, train=train
            )
        found = {}
        for head, count in self.heads.items():
            score = layers.Score(
                count,
                param_dtype=self.encoder.param_dtype,
                name=layer_name("score", head),
            )
            found[head] = jax.vmap(segments.spread)(score(x)[:, :, 0], superpixels)
        return self.by_head(found)

    def features(self, images: Array, sizes: Array | None, superpixels: Array) -> Array:
        """What is known of every superpixel, before it is standardised.

        Args:
            images: Preprocessed images, [N, H, W, 3] floating point.
            sizes: True (height, width) of every example, [N, 2] integer, or None.
            superpixels: [N, H, W] integer; negative beyond the image.

        Returns:
            [N, room, F] float32 (or wider), from near to far; without gradient. Of a
            superpixel that an image lacks they mean nothing.
        """
        sizes = inputs.check_sizes(sizes, images)
        if sizes is None:
            shape = jnp.asarray(images.shape[1:3], jnp.int32)
            sizes = jnp.broadcast_to(shape[None], (images.shape[0], 2))
        assert isinstance(self.encoder, VGG16)  # `check_options` has seen to it.
        norm = self.encoder.batch_norm or self.encoder.batch_norm_fc
        sight = Sight(
            self.encoder,
            {x: self.variables[x] for x in ("params", *["batch_stats"] * norm)},
            self.seen_levels,
            self.room,
            self.side,
            self.regions_at_once,
            self.preprocessing,
        )
        return zoomout_features.features(sight, images, sizes, superpixels)


class ZoomoutV1(Zoomout):
    """The first version, as far as it is built: colours near, VGG-16 far.

    Of the paper's hand-crafted features, local and proximal, there are histograms of
    L*a*b* (even and adaptive bins), their entropies and the position; there are no
    textons, no words of SIFT and no small local nets.
    """

    own_levels: ClassVar[tuple[str, ...]] = (LOCAL, PROXIMAL, DISTANT, GLOBAL)


def check_superpixels(superpixels: Array | None, images: Array, room: int) -> Array:
    """Refuse superpixels that are not those of the images.

    Args:
        superpixels: Said to be [N, H, W] integer.
        images: [N, H, W, C].
        room: How many an image may have.

    Returns:
        Them, int32.

    Raises:
        TypeError: If they are no integers.
        ValueError: If there are none, they have another shape or, outside `jit`, one
            has a number for which there is no room.
    """
    if superpixels is None:
        raise ValueError(
            "zoom-out labels superpixels, and none were given; pass superpixels= "
            "[N, H, W] integer, such as fcn_jax.regions.superpixels.Slic() makes of "
            "photographs."
        )
    if superpixels.shape != images.shape[:3]:
        raise ValueError(
            f"zoom-out: superpixels of shape {superpixels.shape} for images "
            f"{images.shape}; expected [N, H, W] of the same."
        )
    if not jnp.issubdtype(superpixels.dtype, jnp.integer):
        raise TypeError(
            f"zoom-out: superpixels are {superpixels.dtype}; expected integers."
        )
    if not isinstance(superpixels, Tracer):
        most = np.max(np.asarray(superpixels), initial=0)
        if most >= room:
            raise ValueError(
                f"zoom-out: a superpixel has the number {most}, and there is room for "
                f"0 to {room - 1}; raise max_superpixels."
            )
    return superpixels.astype(jnp.int32)  # Narrow ones would overflow.


def _check_options(net: Zoomout) -> None:
    """Refuse levels, encoders and numbers that nothing can be made of.

    Raises:
        TypeError: If the encoder is no VGG-16.
        ValueError: Naming the option.
    """
    name = type(net).__name__
    if not isinstance(net.encoder, VGG16):
        raise TypeError(
            f"{name}: the encoder {type(net.encoder).__name__} is no VGG-16, "
            f"whose 13 convolutions it looks at; pass a VGG16."
        )
    if net.encoder.padding == "caffe":
        raise ValueError(
            f"{name}: padding='caffe' shows regions with a wide black margin; pass "
            f"'valid', as VGG-16 was trained, or 'same' for small regions."
        )
    if net.side < net.encoder.smallest_image:
        raise ValueError(
            f"{name}: regions of side={net.side} pixels have no room for fc6; "
            f"pass {net.encoder.smallest_image} or more, or padding='same'."
        )
    levels = net.seen_levels
    if list(levels) != [level for level in LEVELS if level in levels]:
        raise ValueError(
            f"{name}: levels={levels} are not some of {', '.join(LEVELS)}, in this "
            f"order."
        )
    if net.preprocessing not in PREPROCESSING:
        raise ValueError(
            f"{name}: preprocessing={net.preprocessing!r} is not known; use one "
            f"of {sorted(PREPROCESSING)}."
        )
    for option in ("num_superpixels", "regions_at_once", "side"):
        if getattr(net, option) < 1:
            raise ValueError(
                f"{name}: {option}={getattr(net, option)} is not positive."
            )
    if net.hidden < 0:
        raise ValueError(
            f"{name}: hidden={net.hidden} is no number of units; 0 is linear."
        )
