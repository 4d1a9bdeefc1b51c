"""Cells of boxes, bins and maxima: by hand, and against loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fcn_jax.ops import feature_masking
from fcn_jax.proposals import projection
from tests.support import cases

EXTENT = jnp.array([13, 13])


@pytest.mark.parametrize(
    ("edges", "cells"),
    (
        ((1, 224), (1, 13)),
        ((100, 200), (6, 12)),
        ((50, 60), (3, 3)),
        ((30, 60), (2, 3)),
        ((1, 16), (1, 1)),
    ),
)
def test_cells_of_boxes_as_spp_net_has_them(edges, cells):
    """Edges and cells are counted from 1 and both inclusive there."""
    first, last = edges
    box = jnp.array([[first - 1, 99, last, 200]], jnp.int32)
    found = feature_masking.cells_of_boxes(box, EXTENT, first=20.0, stride=16.0)
    assert (found[0, 0] + 1, found[0, 2]) == cells
    assert (found[0, 1] + 1, found[0, 3]) == (6, 12)
    assert found.dtype == jnp.int32


def test_cells_of_boxes_against_the_rule_from_one():
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 200, (500, 2))
    boxes = np.concatenate([starts, starts + rng.integers(1, 90, (500, 2))], axis=1)
    ours = feature_masking.cells_of_boxes(
        jnp.asarray(boxes, jnp.int32), EXTENT, first=20.0, stride=16.0
    )
    for box, cells in zip(boxes.tolist(), np.asarray(ours), strict=True):
        for axis in (0, 1):
            x0, x1 = box[axis] + 1, box[axis + 2]
            left = np.floor((x0 - 21 + 6.5) / 16 + 0.5) + 1
            right = np.ceil((x1 - 21 - 6.5) / 16 - 0.5) + 1
            if left > right:
                left = right = np.trunc((left + right) / 2)
            left, right = np.clip([left, right], 1, 13)
            assert (cells[axis] + 1, cells[axis + 2]) == (left, right)


@pytest.mark.parametrize(("first", "inwards"), ((20.0, 6.5), (7.5, 0.0)))
def test_the_host_knows_which_segments_the_device_sees(first, inwards):
    """`projection.has_cells`, by which segments are left out, has the same boxes."""
    rng = np.random.default_rng(2)
    cells = projection.Cells(
        first, 16, tuple(side // 16 for side in range(209)), inwards
    )
    starts = rng.integers(0, 190, (300, 2))
    ends = starts + rng.integers(1, 60, (300, 2))
    boxes = np.concatenate([starts, np.minimum(ends, 208)], axis=1).astype(np.int32)
    masks = rng.random((300, 13, 13)) < 0.2
    own = feature_masking.cells_of_boxes(
        jnp.asarray(boxes), EXTENT, first=first, stride=16.0, inwards=inwards
    )
    theirs = [
        mask[row0:row1, col0:col1].any()
        for mask, (row0, col0, row1, col1) in zip(masks, np.asarray(own), strict=True)
    ]
    ours = projection.has_cells(masks, boxes, cells, (208, 208))
    np.testing.assert_array_equal(ours, theirs)
    assert 0 < ours.mean() < 1


def test_bins_overlap_where_they_do_not_come_out_even():
    """Of 5 cells from the second on, 3 bins: 0-1, 1-3 and 3-4 of them."""
    found = feature_masking.bins(jnp.int32(1), jnp.int32(6), 3, 7)
    expected = [[0, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 0]]
    np.testing.assert_array_equal(found, np.array(expected, bool))
    more = feature_masking.bins(jnp.int32(0), jnp.int32(1), 3, 2)
    np.testing.assert_array_equal(more, [[True, False]] * 3)


def pooled(x, cells, level, mask=None):
    """The same by loops over bins."""
    x = np.where(mask[..., None], x, 0) if mask is not None else x
    row0, col0, row1, col1 = cells
    found = np.zeros((level, level, x.shape[-1]), x.dtype)
    for i in range(level):
        rows = [row0 + i * (row1 - row0) // level, -(-(i + 1) * (row1 - row0) // level)]
        for j in range(level):
            left = col0 + j * (col1 - col0) // level
            right = col0 - (-(j + 1) * (col1 - col0) // level)
            part = x[rows[0] : row0 + rows[1], left:right]
            found[i, j] = np.maximum(part.max(axis=(0, 1)), 0)
    return found


CELLS = np.array([[0, 0, 6, 7], [1, 2, 2, 3], [2, 1, 6, 4]] * 6, np.int32)


@pytest.mark.parametrize("masked", (False, True))
def test_maxima_against_loops(key, masked):
    """18 boxes: more than are pooled together."""
    x = jax.nn.relu(jax.random.normal(key, (6, 7, 3)))
    masks = np.random.default_rng(1).random((len(CELLS), 6, 7)) < 0.5
    given = jnp.asarray(masks) if masked else None
    pool = cases.quick_jit(
        lambda x, cells, masks: feature_masking.pyramid_pool(x, cells, (1, 2, 3), masks)
    )
    levels = pool(x, jnp.asarray(CELLS, jnp.uint8), given)
    for level, found in zip((1, 2, 3), levels, strict=True):
        assert found.shape == (len(CELLS), level, level, 3)
        for n, cells in enumerate(CELLS.tolist()):
            mask = masks[n] if masked else None
            np.testing.assert_array_equal(
                found[n], pooled(np.asarray(x), cells, level, mask)
            )


def test_a_full_mask_is_none_and_an_empty_one_is_zero(key):
    x = jax.nn.relu(jax.random.normal(key, (6, 7, 3)))
    cells = jnp.asarray(CELLS[:2])
    masks = jnp.stack([jnp.ones((6, 7), bool), jnp.zeros((6, 7), bool)])
    pool = cases.quick_jit(
        lambda masks: feature_masking.pyramid_pool(x, cells, (2,), masks)[0]
    )
    plain, found = pool(None), pool(masks)
    np.testing.assert_array_equal(found[0], plain[0])
    assert not found[1].any()


def test_gradients(key):
    x = jax.random.normal(key, (4, 4, 2)) + 3  # Above 0, none equal.
    masks = jnp.asarray(np.random.default_rng(0).random((2, 4, 4)) < 0.7)
    cells = jnp.array([[0, 0, 4, 4], [1, 1, 4, 3]])
    check_grads(
        jax.jit(lambda x: feature_masking.pyramid_pool(x, cells, (1, 2), masks)),
        (x,),
        order=1,
        modes=["rev"],
    )


def test_levels_lie_one_after_the_other_channel_by_channel():
    """SPP-net's files: within a level all bins of a channel, then the next."""
    coarse = jnp.array([[[[1.0, 2.0]]]])
    fine = jnp.arange(8.0).reshape(1, 2, 2, 2)
    found = feature_masking.flattened([coarse, fine])
    assert found.tolist() == [[1, 2, 0, 2, 4, 6, 1, 3, 5, 7]]


def test_what_is_refused():
    x, cells = jnp.ones((3, 4, 2)), jnp.zeros((1, 4), jnp.int32)
    with pytest.raises(TypeError, match="boxes are float32; expected integers"):
        feature_masking.cells_of_boxes(jnp.ones((1, 4)), EXTENT, first=0.0, stride=1.0)
    with pytest.raises(ValueError, match=r"boxes of shape \(4,\); expected \[M, 4\]"):
        feature_masking.cells_of_boxes(cells[0], EXTENT, first=0.0, stride=1.0)
    for levels in ((), (2, 0)):
        with pytest.raises(ValueError, match="give at least one, each of a bin"):
            feature_masking.pyramid_pool(x, cells, levels)
    with pytest.raises(ValueError, match=r"a map of shape \(3, 4\) and cells"):
        feature_masking.pyramid_pool(x[..., 0], cells, (1,))
    with pytest.raises(ValueError, match=r"masks of shape \(2, 3, 4\); .* \(1, 3, 4\)"):
        feature_masking.pyramid_pool(x, cells, (1,), jnp.ones((2, 3, 4), bool))
