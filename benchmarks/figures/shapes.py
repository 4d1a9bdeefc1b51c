"""What the figures show, asked of the networks; nothing is computed but shapes."""

import functools
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import jax
import numpy as np

import fcn_jax
from fcn_jax.models import deconvnet, fcn
from fcn_jax.ops import extents, pooling

SIDE = 500  # Of the image that FCN's figures show, pixels; VOC's longer side.
NETS = {"fcn32s": "FCN-32s", "fcn16s": "FCN-16s", "fcn8s": "FCN-8s"}


class Map(NamedTuple):
    """A map of a network.

    Attributes:
        name: Of the layer.
        side: Height and width, pixels of the map.
        channels: Of it.
    """

    name: str
    side: int
    channels: int


class Meeting(NamedTuple):
    """An upsampling of scores, and what the result meets.

    Attributes:
        name: Of the upsampling.
        kernel_size: Of its kernel.
        factor: By which it upsamples.
        before: Side of the scores before it.
        after: Side of what it gives.
        other: The layer whose scores are added; "": it is the last.
        other_side: Side of these scores, or of the image.
        offset: Where the crop starts: of the other's scores, or, at last, of what the
            upsampling gives.
    """

    name: str
    kernel_size: int
    factor: int
    before: int
    after: int
    other: str
    other_side: int
    offset: int


class Field(NamedTuple):
    """What a cell of a map sees of the image.

    Attributes:
        name: Of the layer.
        side: Height and width of what it sees, pixels.
        stride: From the centre of one cell to that of the next, pixels.
        first: Where the first cell's centre lies, pixels of the image.
    """

    name: str
    side: int
    stride: int
    first: Fraction


def encoder_maps(name: str = "fcn8s", side: int = SIDE) -> list[Map]:
    """The maps of an encoder, first to last, the image before them.

    Args:
        name: A key of `fcn_jax.models.MODELS`.
        side: Of the image, pixels.
    """
    encoder = fcn_jax.create(name).encoder
    size, channels = np.array([[side, side]], np.int32), encoder.channels
    found = [Map("image", side, channels)]
    for layer in encoder.layers():
        size = layer.extents(size)
        channels = layer.features or channels
        found.append(Map(layer.name, int(size[0, 0]), channels))
    return found


def meetings(name: str, side: int = SIDE) -> list[Meeting]:
    """How the scores of an FCN come to the image, in order.

    Args:
        name: A key of `NETS`.
        side: Of the image, pixels.
    """
    model = fcn_jax.create(name)
    sides = {each.name: each.side for each in encoder_maps(name, side)}
    at, found = sides[model.encoder.top], []
    for step in fcn.upsampling_steps(model.encoder, model.skips):
        size = extents.after_upsampling(
            np.array([[at, at]], np.int32), step.kernel_size, step.factor
        )
        after = int(size[0, 0])
        other = sides[step.skip] if step.skip else side
        scores = (step.name, step.kernel_size, step.factor, at, after)
        found.append(Meeting(*scores, step.skip, other, step.offset))
        at = after  # With Caffe's padding it is the other that is cropped.
    return found


def fields(name: str = "fcn8s") -> list[Field]:
    """What the cells of an encoder's layers see, first to last.

    Args:
        name: A key of `fcn_jax.models.MODELS`.
    """
    encoder = fcn_jax.create(name).encoder
    maps = encoder.coordinate_maps()
    side, stride, found = 1, 1, []
    for layer in encoder.layers():
        side += (layer.window - 1) * stride
        stride *= layer.stride
        lies = maps[layer.name]
        assert lies.scale == Fraction(1, stride)
        found.append(Field(layer.name, side, stride, -lies.shift / lies.scale))
    return found


def deconvnet_maps(side: int = 224) -> tuple[list[Map], list[Map]]:
    """The maps of DeconvNet's encoder, and those after it.

    Args:
        side: Of the image, pixels.

    Returns:
        The encoder's from the image to fc7; the decoder's: fc6-deconv, every unpooling,
        the last map of every stage, and the scores.
    """
    model = fcn_jax.create("deconvnet")
    image = jax.ShapeDtypeStruct((1, side, side, model.channels), "float32")
    variables = jax.eval_shape(
        functools.partial(model.init, train=False), jax.random.key(0), image
    )
    logits, kept = jax.eval_shape(
        functools.partial(model.apply, mutable=["intermediates"]), variables, image
    )
    names = ["fc6-deconv-relu"]
    for stage, channels in deconvnet.STAGES.items():
        names += [f"unpool{stage}", f"derelu{stage}_{len(channels)}"]
    maps = [(name, kept["intermediates"][name][0]) for name in names]
    decoder = [Map(name, x.shape[1], x.shape[3]) for name, x in maps]
    decoder.append(Map("seg-score", logits.shape[1], logits.shape[3]))
    return encoder_maps("deconvnet", side), decoder


def unpooled(values: Sequence[Sequence[float]]) -> dict[str, np.ndarray]:
    """A map, pooled and unpooled again.

    Args:
        values: The map, [h, w].

    Returns:
        `map`, `pooled`, `switches` and `unpooled`, [h, w] each.
    """
    x = np.array(values, np.float32)[None, :, :, None]
    pooled, switches = pooling.max_pool_with_switches(x)
    back = pooling.max_unpool(pooled, switches)
    named = {"map": x, "pooled": pooled, "switches": switches, "unpooled": back}
    return {name: np.asarray(array)[0, :, :, 0] for name, array in named.items()}
