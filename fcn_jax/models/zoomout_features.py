"""What zoom-out knows of a superpixel: features of nested regions around it.

From near to far: colours and position (`ops.region_statistics`), means of convolutions
over the superpixel, and what fc7 says of the box around it and of the image. Nothing
here has a gradient: the encoder is not trained with the sight.

References:
    Mostajabi, Yadollahpour and Shakhnarovich 2015, arXiv:1412.0774, sec. 3.1.
"""

from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
from flax.typing import VariableDict

from fcn_jax.models import layers
from fcn_jax.models.encoders import Features
from fcn_jax.models.encoders.vgg import VGG16, VGG16EveryConvolution
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


class Sight(NamedTuple):
    """How superpixels are looked at.

    Attributes:
        encoder: VGG-16.
        variables: Its own.
        levels: Of `LEVELS`, in their order.
        room: Superpixels that an image may have.
        side: Of a region as the encoder sees it, pixels.
        at_once: Regions that it sees together.
        preprocessing: What the images have been through, a key of `PREPROCESSING`.
    """

    encoder: VGG16
    variables: VariableDict
    levels: tuple[str, ...]
    room: int
    side: int
    at_once: int
    preprocessing: str


def features(sight: Sight, images: Array, sizes: Array, superpixels: Array) -> Array:
    """What is known of every superpixel, before it is standardised.

    Args:
        sight: How they are looked at.
        images: Preprocessed images, [N, H, W, 3] floating point.
        sizes: True (height, width) of every example, [N, 2] int32.
        superpixels: [N, H, W] integer; negative beyond the image.

    Returns:
        [N, room, F] float32 (or wider), from near to far; without gradient. Of a
        superpixel that an image lacks they mean nothing.
    """
    images = extents.mask(images, sizes)
    sight = sight._replace(variables=jax.lax.stop_gradient(sight.variables))
    found = []
    if LOCAL in sight.levels or PROXIMAL in sight.levels:
        found += _hand_crafted(sight, images, sizes, superpixels)
    if CONVOLUTIONS in sight.levels:
        found += _convolutions(sight, images, sizes, superpixels)
    if DISTANT in sight.levels or GLOBAL in sight.levels:
        found += _far(sight, images, sizes, superpixels)
    wide = layers.at_least_float32(images.dtype)
    return jax.lax.stop_gradient(
        jnp.concatenate([x.astype(wide) for x in found], axis=-1)
    )


def _hand_crafted(
    sight: Sight, images: Array, sizes: Array, superpixels: Array
) -> list[Array]:
    """Colours and positions, near and around, each [N, room, FEATURES]."""
    photos = colours(deprocess(images, PREPROCESSING[sight.preprocessing]))
    hops = {LOCAL: 0, PROXIMAL: PROXIMAL_HOPS}

    def of_image(image: Array, size: Array, of_pixels: Array) -> list[Array]:
        adjacent = segments.adjacency(of_pixels, sight.room)
        return [
            region_statistics.features(
                image, of_pixels, segments.within(adjacent, hops[level]), size
            )
            for level in (LOCAL, PROXIMAL)
            if level in sight.levels
        ]

    return jax.lax.map(lambda x: of_image(*x), (photos, sizes, superpixels))


def _convolutions(
    sight: Sight,
    images: Array,
    sizes: Array,
    superpixels: Array,
) -> list[Array]:
    """Means over superpixels of all convolutions, each [N, room, its channels].

    One map of one image at a time is as large as the image: all 13 of a photograph
    would be 3 GB.
    """
    encoder = sight.encoder
    names = {"width", "batch_norm", "output_stride", "bn_epsilon", "channels", "dtype"}
    trunk = VGG16EveryConvolution(
        padding="same",
        parent=None,
        **{name: getattr(encoder, name) for name in names},
    )
    seen = cast("Features", trunk.apply(sight.variables, images, sizes))
    cells = trunk.coordinate_maps()
    # Layers by pixels of a side of their cells, and channels.
    stages: dict[tuple[int, int], list[str]] = {}
    for name in trunk.convolutions():
        alike = int(1 / cells[name].scale), seen.maps[name].shape[-1]
        stages.setdefault(alike, []).append(name)
    wide = layers.at_least_float32(images.dtype)
    shape = (superpixels.shape[1], superpixels.shape[2])

    def pooled(factor: int, names: list[str]) -> Array:
        def of_layer(x: Array, size: Array, of_pixels: Array) -> Array:
            x = enlarged(x.astype(wide), factor, size, shape)
            return segments.means(x, of_pixels, sight.room)

        def of_image(maps: Array, size: Array, of_pixels: Array) -> Array:
            found = jax.lax.map(lambda x: of_layer(x, size, of_pixels), maps)
            return found.swapaxes(0, 1).reshape(sight.room, -1)

        maps = jnp.stack([seen.maps[name] for name in names], axis=1)
        size = seen.sizes[names[0]]
        return jax.lax.map(lambda x: of_image(*x), (maps, size, superpixels))

    return [pooled(factor, names) for (factor, _), names in stages.items()]


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
    sight: Sight,
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
        if DISTANT in sight.levels:
            near = segments.within(
                segments.adjacency(of_pixels, sight.room), DISTANT_HOPS
            )
            around = segments.joined_boxes(segments.boxes(of_pixels, sight.room), near)
            boxes = jnp.concatenate([boxes, around])
            count = of_pixels.max().astype(jnp.int32) + 2
        seen = _of_boxes(sight, image, boxes, jnp.asarray(count, jnp.int32))
        found = [seen[1:]] if DISTANT in sight.levels else []
        if GLOBAL in sight.levels:
            found.append(jnp.broadcast_to(seen[:1], (sight.room, seen.shape[1])))
        return found

    return jax.lax.map(lambda x: of_image(*x), (images, sizes, superpixels))


def _of_boxes(sight: Sight, image: Array, boxes: Array, count: Array) -> Array:
    """fc7 of the first `count` boxes, some at a time, [len(boxes), fc7]; 0 beyond."""
    length = boxes.shape[0]
    at_once = min(sight.at_once, length)
    rounds = -(-length // at_once)
    boxes = jnp.pad(boxes, ((0, rounds * at_once - length), (0, 0)))
    shape = (at_once, sight.side, sight.side, image.shape[-1])
    one = jax.eval_shape(
        lambda x: _fc7(sight, x), jax.ShapeDtypeStruct(shape, image.dtype)
    )

    def see(turn: Array, found: Array) -> Array:
        these = jax.lax.dynamic_slice_in_dim(boxes, turn * at_once, at_once)
        crops = box_ops.crop_boxes(image, these, (sight.side, sight.side))
        seen = _fc7(sight, crops)
        return jax.lax.dynamic_update_slice_in_dim(found, seen, turn * at_once, 0)

    nothing = jnp.zeros((rounds * at_once, one.shape[-1]), one.dtype)
    # Of the image: within `shard_map` a loop must begin with what it goes on with.
    nothing = jnp.where(image[0, 0, 0] > 0, nothing, nothing)
    turns = (count + at_once - 1) // at_once
    return jax.lax.fori_loop(0, turns, see, nothing)[:length]


def _fc7(sight: Sight, regions: Array) -> Array:
    """fc7 of regions, [B, side, side, 3] -> [B, fc7]: the maximum of its cells."""
    encoder = sight.encoder.clone(parent=None)
    found = cast("Features", encoder.apply(sight.variables, regions))
    return found.maps[encoder.top].max(axis=(1, 2))
