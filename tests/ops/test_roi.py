"""Maxima of bins and windows of boxes, by hand and as the Caffe layers go about it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fcn_jax.data import regions
from fcn_jax.ops import roi

BOXES = np.array([[0, 0, 40, 64], [8, 3, 33, 50], [30, 60, 40, 64]], np.int32)


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(5, 8, 3)).astype(np.float32)


def pooled(x, box, stride, size):
    """roi_pooling_layer.cpp, box by box; its corners are inclusive."""
    top, left = (int(np.floor(n / stride + 0.5)) for n in box[:2])
    bottom, right = (int(np.floor((n - 1) / stride + 0.5)) for n in box[2:])
    height, width = max(bottom - top + 1, 1), max(right - left + 1, 1)
    found = np.zeros((size, size, x.shape[2]), x.dtype)
    for i in range(size):
        for j in range(size):
            rows = slice(top + i * height // size, top - (-(i + 1) * height // size))
            columns = slice(left + j * width // size, left - (-(j + 1) * width // size))
            cells = x[rows, columns]
            if cells.size:
                found[i, j] = cells.max(axis=(0, 1))
    return found


def upsampled(x, box, stride, size):
    """box_upsample_layer.cpp: weights of the neighbours, then cut at the edges."""
    found = np.zeros((size, size, x.shape[2]))
    sides = [
        (box[k] + (np.arange(size) + 0.5) / size * (box[k + 2] - box[k])) / stride - 0.5
        for k in (0, 1)
    ]
    for i, row in enumerate(sides[0]):
        for j, column in enumerate(sides[1]):
            for low, up in ((0, 0), (0, 1), (1, 0), (1, 1)):
                near = np.floor([row, column]) + np.array([low, up])
                weight = np.prod(1 - np.abs(near - (row, column)))
                y, z = np.clip(near, 0, np.array(x.shape[:2]) - 1).astype(int)
                found[i, j] += weight * x[y, z]
    return found


def test_bins_by_hand():
    """Three columns make two bins that share the middle one; rows of one share it."""
    x = jnp.arange(8, dtype="float32").reshape(2, 4, 1)
    # Columns 0 to 2 of row 0: corners (0, 0) and (0, 2) at 8 pixels a cell.
    found = roi.roi_pool(x, jnp.array([[0, 0, 1, 17]], jnp.int32), 8, 2)
    np.testing.assert_array_equal(found[0, :, :, 0], [[1, 2], [1, 2]])
    beyond = roi.roi_pool(x - 9, jnp.array([[15, 0, 16, 17]], jnp.int32), 8, 1)
    assert beyond.item() == 0  # Rounded up beyond the last row; Caffe has 0 there too.


def test_both_are_as_the_published_layers(x):
    boxes = jnp.asarray(BOXES)
    found = jax.jit(lambda x: roi.roi_pool(x, boxes, 8, 3))(x)
    windows = jax.jit(lambda x: roi.box_upsample(x, boxes, 8, 6))(x)
    for n, box in enumerate(BOXES):
        np.testing.assert_array_equal(found[n], pooled(x, box, 8, 3))
        np.testing.assert_allclose(windows[n], upsampled(x, box, 8, 6), atol=1e-6)


@pytest.mark.long
def test_what_lies_beyond_the_extent_is_not_seen(x):
    wide = jnp.pad(jnp.asarray(x), ((0, 2), (0, 3), (0, 0)), constant_values=1e6)
    boxes, extent = jnp.asarray(BOXES), jnp.array([5, 8], jnp.int32)
    for layer in (roi.roi_pool, roi.box_upsample):
        np.testing.assert_allclose(
            layer(wide, boxes, 8, 3, extent), layer(jnp.asarray(x), boxes, 8, 3),
            atol=1e-6,
        )  # fmt: skip


def test_each_box_may_have_a_map_of_its_own(x):
    boxes = jnp.asarray(BOXES)
    maps = jnp.stack([jnp.asarray(x) * n for n in range(3)])
    found = roi.box_upsample(maps, boxes, 8, 4)
    one = roi.box_upsample(jnp.asarray(x), boxes, 8, 4)
    np.testing.assert_allclose(found, one * jnp.arange(3.0)[:, None, None, None])


def test_half_precision_finds_places_that_it_cannot_count_to():
    x = jnp.zeros((300, 1, 1), jnp.bfloat16).at[290].set(1)
    box = jnp.array([[280 * 8, 0, 296 * 8, 8]], jnp.int32)
    found = roi.box_upsample(x, box, 8, 16)
    np.testing.assert_array_equal(found[0, :, 0], x[280:296, 0])
    assert found.dtype == x.dtype


@pytest.mark.long
@pytest.mark.parametrize("layer", (roi.roi_pool, roi.box_upsample))
def test_gradients(layer):
    x = np.random.default_rng(1).permutation(24).reshape(3, 4, 2) / 10
    box = jnp.array([[3, 2, 20, 30]], jnp.int32)
    with jax.enable_x64(True):
        check_grads(
            lambda x: layer(x, box, 8, 2), (jnp.asarray(x),), 1, ("rev",), eps=1e-3
        )


def test_boxes_of_few_bits(x):
    """Twice a row, and a row less than none, are no numbers of uint8."""
    boxes = np.array([[130, 0, 200, 64], [8, 3, 33, 50]], np.uint8)
    tall = jnp.repeat(jnp.asarray(x), 6, axis=0)
    np.testing.assert_array_equal(
        roi.roi_pool(tall, jnp.asarray(boxes), 8, 3),
        roi.roi_pool(tall, jnp.asarray(boxes, jnp.int32), 8, 3),
    )
    found = roi.widened(jnp.asarray(boxes)[None], 1.5, jnp.array([[240, 64]]))
    assert found.tolist() == [[[112, 0, 218, 64], [2, 0, 39, 62]]]


def test_windows_are_those_of_the_targets():
    """Two writings of one rule: of arrays of JAX, and of NumPy."""
    rng = np.random.default_rng(2)
    starts = rng.integers(0, 60, size=(50, 2))
    boxes = np.concatenate([starts, starts + rng.integers(1, 200, (50, 2))], 1)
    size = boxes[:, 2:].max(axis=0)
    for factor in (1.0, 227 / 195, 1.2, 1.5):
        theirs = regions.windows_of(boxes.astype(np.int32), factor, tuple(size))
        ours = roi.widened(
            jnp.asarray(boxes, jnp.int32)[None], factor, jnp.asarray(size)[None]
        )
        np.testing.assert_array_equal(ours[0], theirs)


def test_wrong_arguments(x):
    x, boxes = jnp.asarray(x), jnp.asarray(BOXES)
    with pytest.raises(TypeError, match="roi_pool: boxes are float32; expected int"):
        roi.roi_pool(x, boxes.astype("float32"), 8)
    with pytest.raises(ValueError, match=r"\(8, 3\) .* expected \[h, w, C\] and \[M"):
        roi.box_upsample(x[0], boxes, 8)
    with pytest.raises(ValueError, match="roi_pool: stride=0, size=7; both are at"):
        roi.roi_pool(x, boxes, 0)
    with pytest.raises(ValueError, match="2 maps for 3 boxes; give one map for all"):
        roi.box_upsample(jnp.stack([x, x]), boxes, 8)
    with pytest.raises(ValueError, match=r"extension=0.5 shrinks boxes; give a factor"):
        roi.widened(boxes[None], 0.5, jnp.array([[40, 64]]))
