"""Dense scores of a net with strides: shifted images, their scores interlaced.

A net of stride s scores every s-th row and column. It scores the others of an image
that is shifted: without its first r rows, cell m of the scores is cell s m + r of the
dense ones. (The paper shifts to the right and fills with zeros; cell m then is s m - r,
and the first sees what was filled in.) An encoder without strides (`output_stride=1`)
computes the same in one pass.

Both are the same where what a cell sees is clear of the padding at the top and left:
each shifted image has its zeros elsewhere.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 3.2.
"""

import functools
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
from flax.typing import VariableDict

from fcn_jax.models import layers
from fcn_jax.models.fcn import FCN
from fcn_jax.models.network import layer_name

Array = jax.Array
Shift = tuple[int, int]  # Rows and columns that are dropped at the top and left.


def dense_scores(score: Callable[[Array], Array], images: Array, stride: int) -> Array:
    """The dense scores of any net, by all shifts of its stride.

    Args:
        score: From images [N, h, w, ...] to scores of every `stride`-th row and column,
            [N, h', w', C].
        images: [N, H, W, ...]; H, W >= stride.
        stride: Of the net, pixels.

    Returns:
        [N, H', W', C]: H' and W' are those of the scores of all shifts together.

    Raises:
        ValueError: If the images are smaller than the stride, or the scores of a shift
            are not as many as those between which they lie.
    """
    _check_stride(images.shape, stride)
    parts = {
        (row, column): score(images[:, row:, column:]) for row, column in shifts(stride)
    }
    return interlaced(parts, stride)


def shifts(stride: int) -> Iterator[Shift]:
    """All shifts below a stride, row by row.

    Args:
        stride: Pixels.
    """
    return ((row, column) for row in range(stride) for column in range(stride))


def interlaced(parts: dict[Shift, Array], stride: int) -> Array:
    """The scores of all shifts, each in its rows and columns.

    Args:
        parts: [N, h, w, C] by shift; later shifts may have a row or column less.
        stride: Of the net, pixels.

    Returns:
        [N, H', W', C].

    Raises:
        ValueError: If there are not as many of a shift as have room between the others.
    """
    height = sum(parts[row, 0].shape[1] for row in range(stride))
    width = sum(parts[0, column].shape[2] for column in range(stride))
    count, most_rows, most_columns, classes = parts[0, 0].shape
    alike: list[Array] = []
    for row, column in shifts(stride):
        part = parts[row, column]
        room = (-(-(height - row) // stride), -(-(width - column) // stride))
        if part.shape[1:3] != room:
            raise ValueError(
                f"shift_and_stitch: of the image without its first {row} rows and "
                f"{column} columns there are {part.shape[1]}x{part.shape[2]} scores, "
                f"and room for {room[0]}x{room[1]}; give the stride of the net (here "
                f"{stride})."
            )
        lacking = (most_rows - room[0], most_columns - room[1])
        if any(lacking):
            pads = ((0, 0), (0, lacking[0]), (0, lacking[1]), (0, 0))
            part = jnp.pad(part, pads)
        alike.append(part)
    dense = jnp.stack(alike).reshape(
        stride, stride, count, most_rows, most_columns, classes
    )
    dense = dense.transpose(2, 3, 0, 4, 1, 5)  # [N, rows, shift, columns, shift, C]
    dense = dense.reshape(count, most_rows * stride, most_columns * stride, classes)
    return dense[:, :height, :width]


def network_scores(
    variables: VariableDict, images: Array, *, model: FCN, at_once: int = 32
) -> Array | dict[str, Array]:
    """The dense scores of an FCN-32s, as it has them before it upsamples.

    Args:
        variables: What `model.apply` takes.
        images: Preprocessed, [N, H, W, channels]; H, W >= the stride of the encoder.
        model: An FCN without skips.
        at_once: Shifts that are scored together.

    Returns:
        [N, H', W', C] float32, by head where there are several: the scores of
        `score_fr` where the encoder has output_stride=1.

    Raises:
        ValueError: If the network has skips, or the images are smaller than the stride.
    """
    if model.skips:
        raise ValueError(
            f"shift_and_stitch: {type(model).__name__} sums scores of several strides "
            f"({', '.join(model.skips)}), and interlacing is of one; use an FCN-32s, "
            f"or the encoder's option output_stride."
        )
    stride = model.encoder.stride
    _check_stride(images.shape, stride)
    count, height, width = images.shape[:3]
    listed = list(shifts(stride))
    sizes = jnp.array([(height - row, width - column) for row, column in listed])
    cells = _cells(model, sizes)
    found: dict[Shift, dict[str, Array]] = {}
    for start in range(0, len(listed), at_once):
        some = listed[start : start + at_once]
        scores = _top_scores(variables, images, jnp.array(some), model=model)
        for i, shift in enumerate(some):
            rows, columns = cells[start + i]
            found[shift] = {
                head: x[i * count : (i + 1) * count, :rows, :columns]
                for head, x in scores.items()
            }
    return model.by_head(
        {
            head: interlaced({at: x[head] for at, x in found.items()}, stride)
            for head in model.heads
        }
    )


def _check_stride(shape: Sequence[int], stride: int) -> None:
    if min(shape[1:3]) < stride:
        raise ValueError(
            f"shift_and_stitch: images of {shape[1]}x{shape[2]} cannot be shifted by "
            f"up to {stride - 1} pixels, the stride of the net less one; give it "
            f"larger ones."
        )


@functools.partial(jax.jit, static_argnames="model")
def _top_scores(
    variables: VariableDict, images: Array, some: Array, *, model: FCN
) -> dict[str, Array]:
    """The scores of the encoder's top, by head; what follows is not computed.

    Args:
        variables: What `model.apply` takes.
        images: [N, H, W, channels].
        some: Shifts, [M, 2].
        model: The network.

    Returns:
        [M N, h', w', C], a shift after the other; beyond the cells that an image
        without its first rows and columns has, they mean nothing.
    """
    stride, shape = model.encoder.stride, images.shape
    padded = jnp.pad(images, ((0, 0), (0, stride), (0, stride), (0, 0)))

    def shifted(shift: Array) -> Array:
        start = (jnp.zeros((), shift.dtype), *shift, jnp.zeros((), shift.dtype))
        return jax.lax.dynamic_slice(padded, start, shape)

    images = jax.vmap(shifted)(some).reshape(-1, *shape[1:])
    sizes = jnp.array(shape[1:3], some.dtype)[None] - some
    sizes = jnp.repeat(sizes, shape[0], axis=0)
    _, state = model.apply(
        variables,
        images,
        sizes,
        capture_intermediates=lambda module, _: isinstance(module, layers.Score),
        mutable=["intermediates"],
    )
    captured = state["intermediates"]
    streams = getattr(model, "streams", ("",))  # Scores of several are averaged.
    return {
        head: jnp.stack(
            [
                jnp.asarray(
                    captured[f"{layer_name('score_fr', head)}{x}"]["__call__"][0]
                )
                for x in streams
            ]
        ).mean(axis=0)
        for head in model.heads
    }


def _cells(model: FCN, sizes: Array) -> list[list[int]]:
    """Rows and columns of the scores of images of some sizes, [M, 2]."""
    found: Array | None = sizes
    for layer in model.encoder.layers():
        found = layer.extents(found)
    assert found is not None
    return found.tolist()
