from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from fcn_jax.ops import cropping
from fcn_jax.ops.cropping import CoordinateMap, upsample_map, window_map

IMAGE = CoordinateMap(Fraction(1), Fraction(0))


def vgg(pad=100, fc6_pad=0):
    """Maps from the image to pool3, pool4 and score_fr of VGG-16."""
    path, found = IMAGE, {}
    for stage, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for i in range(convolutions):
            first = stage == 1 and i == 0
            path = path.then(window_map(3, pad=pad if first else 1))
        path = path.then(window_map(2, stride=2))
        found[f"pool{stage}"] = path
    found["score_fr"] = path.then(window_map(7, pad=fc6_pad))
    return found


def offsets(pad=100, fc6_pad=0):
    maps = vgg(pad, fc6_pad)
    upscore2 = maps["score_fr"].then(upsample_map(4, 2))
    upscore_pool4 = upscore2.then(upsample_map(4, 2))
    return {
        "32s": cropping.crop_offset(IMAGE, maps["score_fr"].then(upsample_map(64, 32))),
        "16s": cropping.crop_offset(IMAGE, upscore2.then(upsample_map(32, 16))),
        "8s": cropping.crop_offset(IMAGE, upscore_pool4.then(upsample_map(16, 8))),
        "pool4": cropping.crop_offset(upscore2, maps["pool4"]),
        "pool3": cropping.crop_offset(upscore_pool4, maps["pool3"]),
    }


def test_the_published_offsets():
    expected = {"32s": 19, "16s": 27, "8s": 31, "pool4": 5, "pool3": 9}
    assert offsets() == expected


@pytest.mark.parametrize("pad", (81, 90, 100, 123))
def test_offsets_follow_the_padding(pad):
    found = offsets(pad)
    assert (found["32s"], found["16s"], found["8s"]) == (pad - 81, pad - 73, pad - 69)
    assert (found["pool4"], found["pool3"]) == (5, 9)


def test_with_same_padding_the_upsampled_scores_are_cropped():
    expected = {"32s": 16, "16s": 8, "8s": 4, "pool4": -1, "pool3": -1}
    found = offsets(pad=1, fc6_pad=3)
    assert {k: found[k] for k in ("32s", "pool4")} == {
        k: expected[k] for k in ("32s", "pool4")
    }
    # Each 2x upsampling whose margin stays uncropped moves what follows.
    assert found["pool3"] == -3


def test_fcn_alexnet():
    path = window_map(11, 4, 100).then(window_map(3, 2))
    path = path.then(window_map(5, 1, 2)).then(window_map(3, 2))
    for _ in range(3):
        path = path.then(window_map(3, 1, 1))
    path = path.then(window_map(3, 2)).then(window_map(6))
    assert cropping.crop_offset(IMAGE, path.then(upsample_map(63, 32))) == 18
    with pytest.raises(ValueError, match="37/2 pixels apart, which is no whole number"):
        cropping.crop_offset(IMAGE, path.then(upsample_map(64, 32)))


def test_score_cells_lie_where_the_published_geometry_says():
    # fcn.berkeleyvision.org: the centre of cell m is at 32 m + 12.5.
    back = vgg()["score_fr"].inverse()
    assert (back.scale, back.shift) == (32, Fraction(25, 2))


def test_crops_lie_inside_for_every_size():
    for n in range(1, 601):
        cells = -(-(n + 198) // 32) - 6
        assert 19 + n <= 32 * cells + 32
        assert 27 + n <= 32 * cells + 48
        assert 31 + n <= 32 * cells + 56
        assert 5 + 2 * cells + 2 <= -(-(n + 198) // 16)
        assert 9 + 4 * cells + 6 <= -(-(n + 198) // 8)


def test_maps_of_different_strides_have_no_offset():
    with pytest.raises(ValueError, match="1/2 pixels of the cropped map and 1 of its"):
        cropping.crop_offset(IMAGE, window_map(2, 2))


def test_crop():
    x = jnp.arange(20).reshape(1, 4, 5, 1)
    np.testing.assert_array_equal(
        cropping.crop(x, 1, (2, 3))[0, :, :, 0], [[6, 7, 8], [11, 12, 13]]
    )


@pytest.mark.parametrize(("offset", "size"), ((3, (2, 2)), (-1, (2, 2)), (0, (4, 6))))
def test_a_crop_outside_is_refused(offset, size):
    match = f"{size[0]}x{size[1]} at offset {offset} does not lie in a map of 4x5"
    with pytest.raises(ValueError, match=match):
        cropping.crop(jnp.zeros((1, 4, 5, 1)), offset, size)


def test_a_crop_of_symbolic_size():
    """Sizes as nets have them, of which no bound can be proven."""

    def of_halves(x):
        h, w = (-(-size // 2) for size in x.shape[1:3])
        return cropping.crop(x, 1, (h // 2 + h // 3, w // 2 + w // 3))

    shape = export.symbolic_shape("n, h, w, 2", constraints=("h >= 3", "w >= 3"))
    exported = export.export(jax.jit(of_halves))(
        jax.ShapeDtypeStruct(shape, jnp.float32)
    )
    for height, width in ((7, 12), (3, 8), (20, 5)):
        x = jnp.arange(2.0 * height * width * 2).reshape(2, height, width, 2)
        np.testing.assert_array_equal(exported.call(x), of_halves(x))


@pytest.mark.parametrize(("kernel_size", "stride", "pad"), ((4, 2, 1), (3, 1, 1)))
def test_a_transposed_convolution_that_is_cut_off(kernel_size, stride, pad):
    """A single cell at place 2: the middle of what it becomes, moved by the pad."""
    wide = np.zeros(kernel_size + 4 * stride)
    wide[2 * stride : 2 * stride + kernel_size] = 1
    places = np.flatnonzero(wide[pad : len(wide) - pad])
    found = upsample_map(kernel_size, stride, pad)
    assert found.scale * 2 + found.shift == Fraction(int(places.sum()), len(places))


def test_placed_a_map_is_zero_where_it_does_not_reach():
    x = jnp.arange(1.0, 7).reshape(1, 2, 3, 1)
    found = cropping.place(x, -1, (4, 3))[0, :, :, 0]
    np.testing.assert_array_equal(found, [[0, 0, 0], [0, 1, 2], [0, 4, 5], [0, 0, 0]])
    np.testing.assert_array_equal(cropping.place(x, 1, (1, 2))[0, :, :, 0], [[5, 6]])
