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

from collections.abc import Mapping
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import VariableDict

from fcn_jax.models import inputs, layers
from fcn_jax.models.encoders.vgg import VGG16, VGG16Convolutions
from fcn_jax.models.network import Network, layer_name
from fcn_jax.ops import boxes as box_ops
from fcn_jax.ops import enlarging, extents, region_statistics, segments
from fcn_jax.preprocessing import PREPROCESSING, colours, deprocess

Array = jax.Array

# What is known of a superpixel, from near to far.
LOCAL = "local"  # Colours and position of the superpixel.
PROXIMAL = "proximal"  # The same of the superpixels near it.
CONVOLUTIONS = "convolutions"  # Means over the superpixel of all 13 convolutions.
DISTANT = "distant"  # fc7 of the box around superpixels further away ("sub-scene").
GLOBAL = "global"  # fc7 of the image ("scene").
LEVELS = (LOCAL, PROXIMAL, CONVOLUTIONS, DISTANT, GLOBAL)

PROXIMAL_HOPS = 2  # From neighbour to neighbour.
DISTANT_HOPS = 3
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
        return self.max_superpixels or -int(-self.num_superpixels * ROOM // 1)

    @property
    def seen_levels(self) -> tuple[str, ...]:
        """The levels, from near to far."""
        return self.levels or self.own_levels

    def check_options(self) -> None:
        """Refuse levels, encoders and numbers that nothing can be made of.

        Raises:
            TypeError: If the encoder is no VGG-16.
            ValueError: Naming the option.
        """
        name = type(self).__name__
        if not isinstance(self.encoder, VGG16):
            raise TypeError(
                f"{name}: the encoder {type(self.encoder).__name__} is no VGG-16, whose "
                f"13 convolutions it looks at; pass a VGG16."
            )
        if self.encoder.padding == "caffe":
            raise ValueError(
                f"{name}: padding='caffe' shows regions with a wide black margin; pass "
                f"'valid', as VGG-16 was trained, or 'same' for small regions."
            )
        if self.side < self.encoder.smallest_image:
            raise ValueError(
                f"{name}: regions of side={self.side} pixels have no room for fc6; "
                f"pass {self.encoder.smallest_image} or more, or padding='same'."
            )
        levels = self.seen_levels
        if list(levels) != [level for level in LEVELS if level in levels]:
            raise ValueError(
                f"{name}: levels={levels} are not some of {', '.join(LEVELS)}, in this "
                f"order."
            )
        if self.preprocessing not in PREPROCESSING:
            raise ValueError(
                f"{name}: preprocessing={self.preprocessing!r} is not known; use one "
                f"of {sorted(PREPROCESSING)}."
            )
        for option in ("num_superpixels", "regions_at_once", "side"):
            if getattr(self, option) < 1:
                raise ValueError(
                    f"{name}: {option}={getattr(self, option)} is not positive."
                )
        if self.hidden < 0:
            raise ValueError(
                f"{name}: hidden={self.hidden} is no number of units; 0 is linear."
            )

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
        assert_fit(superpixels, images, type(self).__name__)
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
        assert_fit(superpixels, images, type(self).__name__)
        sizes = inputs.check_sizes(sizes, images)
        if sizes is None:
            shape = jnp.asarray(images.shape[1:3], jnp.int32)
            sizes = jnp.broadcast_to(shape[None], (images.shape[0], 2))
        images = extents.mask(images, sizes)
        variables = jax.lax.stop_gradient(
            {name: dict(self.variables[name]) for name in _of_encoder(self.encoder)}
        )
        found = []
        seen = self.seen_levels
        if LOCAL in seen or PROXIMAL in seen:
            found += _hand_crafted(self, images, sizes, superpixels)
        if CONVOLUTIONS in seen:
            found += _convolutions(self, variables, images, sizes, superpixels)
        if DISTANT in seen or GLOBAL in seen:
            found += _far(self, variables, images, sizes, superpixels)
        wide = layers.at_least_float32(images.dtype)
        return jax.lax.stop_gradient(
            jnp.concatenate([x.astype(wide) for x in found], axis=-1)
        )


class ZoomoutV1(Zoomout):
    """The first version, as far as it is built: colours near, VGG-16 far.

    Of the paper's hand-crafted features, local and proximal, there are histograms of
    L*a*b* (even and adaptive bins), their entropies and the position; there are no
    textons, no words of SIFT and no small local nets.
    """

    own_levels: ClassVar[tuple[str, ...]] = (LOCAL, PROXIMAL, DISTANT, GLOBAL)


def assert_fit(superpixels: Array | None, images: Array, name: str) -> None:
    """Refuse superpixels that are not those of the images.

    Args:
        superpixels: Said to be [N, H, W] integer.
        images: [N, H, W, C].
        name: Of the network, for errors.

    Raises:
        TypeError: If they are no integers.
        ValueError: If there are none, or of another shape.
    """
    if superpixels is None:
        raise ValueError(
            f"{name} labels superpixels, and none were given; pass superpixels= "
            f"[N, H, W] integer, such as fcn_jax.regions.superpixels.Slic() makes of "
            f"photographs."
        )
    if superpixels.shape != images.shape[:3]:
        raise ValueError(
            f"{name}: superpixels of shape {superpixels.shape} for images "
            f"{images.shape}; expected [N, H, W] of the same."
        )
    if not jnp.issubdtype(superpixels.dtype, jnp.integer):
        raise TypeError(
            f"{name}: superpixels are {superpixels.dtype}; expected integers."
        )


def _of_encoder(encoder: VGG16) -> tuple[str, ...]:
    """The collections of its variables."""
    norm = encoder.batch_norm or encoder.batch_norm_fc
    return ("params", "batch_stats") if norm else ("params",)


def _hand_crafted(
    net: Zoomout, images: Array, sizes: Array, superpixels: Array
) -> list[Array]:
    """Colours and positions, near and around, each [N, room, FEATURES]."""
    photos = colours(deprocess(images, PREPROCESSING[net.preprocessing]))
    hops = {LOCAL: 0, PROXIMAL: PROXIMAL_HOPS}

    def of_image(image: Array, size: Array, of_pixels: Array) -> list[Array]:
        adjacent = segments.adjacency(of_pixels, net.room)
        return [
            region_statistics.features(
                image, of_pixels, segments.within(adjacent, hops[level]), size
            )
            for level in (LOCAL, PROXIMAL)
            if level in net.seen_levels
        ]

    return jax.lax.map(lambda x: of_image(*x), (photos, sizes, superpixels))


def _convolutions(
    net: Zoomout,
    variables: VariableDict,
    images: Array,
    sizes: Array,
    superpixels: Array,
) -> list[Array]:
    """Means over superpixels of all convolutions, each [N, room, its channels].

    One map of one image at a time is as large as the image: all 13 of a photograph
    would be 3 GB.
    """
    encoder = net.encoder
    names = {"width", "batch_norm", "output_stride", "bn_epsilon", "channels", "dtype"}
    trunk = VGG16Convolutions(
        padding="same",
        parent=None,
        **{name: getattr(encoder, name) for name in names},
    )
    seen = trunk.apply(variables, images, sizes)
    cells = trunk.coordinate_maps()
    stages: dict[int, list[str]] = {}  # Layers by pixels of a side of their cells.
    for name in trunk.convolutions():
        stages.setdefault(int(1 / cells[name].scale), []).append(name)
    wide = layers.at_least_float32(images.dtype)

    def pooled(factor: int, names: list[str]) -> Array:
        def of_layer(x: Array, size: Array, of_pixels: Array) -> Array:
            x = enlarged(x.astype(wide), factor, size, of_pixels.shape)
            return segments.means(x, of_pixels, net.room)

        def of_image(maps: Array, size: Array, of_pixels: Array) -> Array:
            found = jax.lax.map(lambda x: of_layer(x, size, of_pixels), maps)
            return found.swapaxes(0, 1).reshape(net.room, -1)

        maps = jnp.stack([seen.maps[name] for name in names], axis=1)
        size = seen.sizes[names[0]]
        return jax.lax.map(lambda x: of_image(*x), (maps, size, superpixels))

    return [pooled(factor, names) for factor, names in stages.items()]


def enlarged(x: Array, factor: int, size: Array, shape: tuple[int, int]) -> Array:
    """A map of an image at the size of that, bilinear, its cells over their pixels.

    Args:
        x: [h, w, F]; cell i is the middle of pixels factor * i to factor * (i + 1) - 1.
        factor: Pixels of a side of a cell, 1 or even.
        size: True height and width of the map, [2] integer; beyond these its outermost
            cells go on.
        shape: Height and width of the image.

    Returns:
        `[*shape, F]`.
    """
    if factor == 1:
        return x[: shape[0], : shape[1]]
    x = enlarging.linear(x[None], factor, 2 * factor, size[None])[0]
    start = factor // 2
    return x[start : start + shape[0], start : start + shape[1]]


def _far(
    net: Zoomout,
    variables: VariableDict,
    images: Array,
    sizes: Array,
    superpixels: Array,
) -> list[Array]:
    """fc7 of surroundings and of images, each [N, room, fc7].

    Surroundings are the box around the superpixels within three steps; the image is
    the first of the boxes, the same for all of its superpixels.
    """

    def of_image(image: Array, size: Array, of_pixels: Array) -> list[Array]:
        boxes, count = jnp.concatenate([jnp.zeros(2, jnp.int32), size])[None], 1
        if DISTANT in net.seen_levels:
            near = segments.within(
                segments.adjacency(of_pixels, net.room), DISTANT_HOPS
            )
            around = segments.joined_boxes(segments.boxes(of_pixels, net.room), near)
            boxes = jnp.concatenate([boxes, around])
            count = of_pixels.max().astype(jnp.int32) + 2
        seen = _of_boxes(net, variables, image, boxes, jnp.asarray(count, jnp.int32))
        found = [seen[1:]] if DISTANT in net.seen_levels else []
        if GLOBAL in net.seen_levels:
            found.append(jnp.broadcast_to(seen[:1], (net.room, seen.shape[1])))
        return found

    return jax.lax.map(lambda x: of_image(*x), (images, sizes, superpixels))


def _of_boxes(
    net: Zoomout, variables: VariableDict, image: Array, boxes: Array, count: Array
) -> Array:
    """fc7 of the first `count` boxes, some at a time, [len(boxes), fc7]; 0 beyond."""
    length = boxes.shape[0]
    at_once = min(net.regions_at_once, length)
    rounds = -(-length // at_once)
    boxes = jnp.pad(boxes, ((0, rounds * at_once - length), (0, 0)))
    shape = (at_once, net.side, net.side, image.shape[-1])
    one = jax.eval_shape(
        lambda x: _fc7(net, variables, x), jax.ShapeDtypeStruct(shape, image.dtype)
    )

    def see(turn: Array, found: Array) -> Array:
        these = jax.lax.dynamic_slice_in_dim(boxes, turn * at_once, at_once)
        crops = box_ops.crop_boxes(image, these, (net.side, net.side))
        seen = _fc7(net, variables, crops)
        return jax.lax.dynamic_update_slice_in_dim(found, seen, turn * at_once, 0)

    nothing = jnp.zeros((rounds * at_once, one.shape[-1]), one.dtype)
    turns = (count + at_once - 1) // at_once
    return jax.lax.fori_loop(0, turns, see, nothing)[:length]


def _fc7(net: Zoomout, variables: VariableDict, regions: Array) -> Array:
    """fc7 of regions, [B, side, side, 3] -> [B, fc7]: the maximum of its cells."""
    encoder = net.encoder.clone(parent=None)
    found = encoder.apply(variables, regions)
    return found.maps[encoder.top].max(axis=(1, 2))
