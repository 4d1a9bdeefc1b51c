"""Arrays of files made those of a net: layouts by hand, colours by feeding images."""

import ml_dtypes
import numpy as np
import pytest

from fcn_jax import preprocessing
from fcn_jax.ops import bilinear
from fcn_jax.preprocessing import CAFFE, IMAGENET, Preprocessing
from fcn_jax.weights import names, surgery


def entry(array, layout=names.OIHW, target="params/conv2_1/kernel"):
    return names.Entry("theirs", target, array, layout)


def numbered(*shape):
    """Every number once, so that no two transpositions agree."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_axes_by_hand():
    # Two rows, three columns, 4 -> 5 channels.
    kernel = numbered(5, 4, 2, 3)
    fitted = surgery.to_shape(entry(kernel), (2, 3, 4, 5))
    transposed = surgery.to_shape(entry(numbered(4, 5, 2, 3), names.IOHW), (2, 3, 4, 5))
    for r, c, i, o in np.ndindex(2, 3, 4, 5):
        assert fitted[r, c, i, o] == kernel[o, i, r, c]
        assert transposed[r, c, i, o] == ((i * 5 + o) * 2 + r) * 3 + c
    ours = numbered(2, 3, 4, 5)
    np.testing.assert_array_equal(
        surgery.to_shape(entry(ours, names.HWIO), ours.shape), ours
    )


def test_fully_connected_layers_see_what_they_saw():
    """The convolution over the whole map gives what the matrix gave of it, flat."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 6, 4))  # [rows, columns, channels]
    matrix = rng.normal(size=(5, 4 * 7 * 6))  # [out, in], channel by channel.
    expected = matrix @ x.transpose(2, 0, 1).ravel()
    for array in (matrix, matrix[None, None]):  # PyTorch and Caffe; V1 of Caffe.
        kernel = surgery.to_shape(entry(array), (7, 6, 4, 5))
        found = np.einsum("hwi,hwio->o", x, kernel)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    by_pixel = rng.normal(size=(7 * 6 * 4, 5))  # Keras, [in, out], pixel by pixel.
    kernel = surgery.to_shape(entry(by_pixel, names.HWIO), (7, 6, 4, 5))
    found = np.einsum("hwi,hwio->o", x, kernel)
    np.testing.assert_allclose(found, x.ravel() @ by_pixel, rtol=1e-12)


def test_a_matrix_may_be_a_score_layer():
    matrix = numbered(3, 4)
    kernel = surgery.to_shape(entry(matrix), (1, 1, 4, 3))
    np.testing.assert_array_equal(kernel[0, 0], matrix.T)
    # One output of one input: the leading ones are no V1 form.
    assert surgery.to_shape(entry(np.full((1, 1, 3, 3), 2.0)), (3, 3, 1, 1)).sum() == 18


@pytest.mark.parametrize("shape", ((4,), (1, 4), (1, 1, 1, 4), (1, 4, 1, 1)))
def test_vectors(shape):
    np.testing.assert_array_equal(
        surgery.to_shape(entry(numbered(*shape)), (4,)), range(4)
    )


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((2, 2), (4,)),
        ((5,), (4,)),
        ((), (2,)),
        ((5, 4, 3, 3), (3, 3, 4, 6)),
        ((4, 5, 3, 3), (3, 3, 4, 5)),
        ((4, 9), (3, 3, 1, 5)),
        ((5, 4, 3), (3, 3, 4, 5)),
        ((5, 4, 3, 3), (5, 4)),
        # More input channels are made for conv1_1 alone, and never fewer.
        ((5, 3, 3, 3), (3, 3, 4, 5)),
    ],
)
def test_what_does_not_fit(given, wanted):
    assert surgery.to_shape(entry(numbered(*given)), wanted) is None


def test_depth_starts_as_the_mean_colour():
    kernel = numbered(2, 3, 3, 3)
    first = entry(kernel, target="params/conv1_1/kernel")
    wide = surgery.to_shape(first, (3, 3, 4, 2))
    np.testing.assert_array_equal(wide[:, :, :3], kernel.transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(wide[1, 2, 3], kernel[:, :, 1, 2].mean(axis=1))
    six = surgery.to_shape(first, (3, 3, 6, 2))
    np.testing.assert_array_equal(six[:, :, 3], six[:, :, 5])
    assert surgery.to_shape(first, (3, 3, 2, 2)) is None
    assert surgery.to_shape(first, (3, 3, 4, 5)) is None
    # Depth is not among the colours that are rewritten.
    folded, _ = surgery.fold_input(wide, np.zeros(2), IMAGENET, CAFFE)
    np.testing.assert_array_equal(folded[:, :, 3], wide[:, :, 3])


def convolve(x, kernel, bias):
    """A 3x3 convolution without padding: the interior."""
    rows, columns = x.shape[0] - 2, x.shape[1] - 2
    total = np.zeros((rows, columns, kernel.shape[3])) + bias
    for r, c in np.ndindex(3, 3):
        total += x[r : r + rows, c : c + columns] @ kernel[r, c]
    return total


ODD = Preprocessing("odd", "bgr", (10.0, 50.0, 90.0), (2.0, 3.0, 5.0))
RGB = Preprocessing("RGB", "rgb", CAFFE.mean[::-1], CAFFE.std)


@pytest.mark.parametrize("source", (CAFFE, IMAGENET, ODD, RGB), ids=lambda r: r.name)
@pytest.mark.parametrize("target", (CAFFE, IMAGENET, ODD), ids=lambda r: r.name)
def test_the_same_photograph_gives_the_same_activations(source, target):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    kernel, bias = rng.normal(size=(3, 3, 3, 4)), rng.normal(size=4)
    theirs = convolve(np.array(preprocessing.preprocess(photo, source)), kernel, bias)
    folded = surgery.fold_input(kernel, bias, source, target)
    assert folded[0].dtype == folded[1].dtype == np.float64
    ours = convolve(np.array(preprocessing.preprocess(photo, target)), *folded)
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * scale)


def test_torchvision_by_the_formula():
    """W' = W / (255 std), b' = b + sum W (M / 255 - mean) / std; fcn.md's numbers."""
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(3, 3, 3, 2)), rng.normal(size=2)
    mean, std = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))
    caffe = np.array((122.67891434, 116.66876762, 104.00698793))  # RGB
    found, shift = surgery.fold_input(kernel, bias, IMAGENET, CAFFE)
    expected = (kernel / (255 * std)[:, None])[:, :, ::-1]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    terms = np.einsum("hwio,i->o", kernel, (caffe / 255 - mean) / std)
    np.testing.assert_allclose(shift, bias + terms, rtol=1e-12)


def test_scales():
    kernel = numbered(1, 1, 2, 3).astype(np.float16)
    found = surgery.fold_scale(kernel, np.array((0.01, 0.03)), 0.1)
    assert found.dtype == np.float64
    np.testing.assert_allclose(
        found[0, 0], [(0, 0.1, 0.2), (0.9, 1.2, 1.5)], rtol=1e-12
    )
    np.testing.assert_allclose(surgery.fold_scale(kernel, 2.0, 1.0), 2.0 * kernel)


def test_bilinear_kernels():
    taps = np.array((0.25, 0.75, 0.75, 0.25))
    kernel = np.zeros((4, 4, 2, 2), np.float16)
    kernel[:, :, 0, 0] = kernel[:, :, 1, 1] = np.outer(taps, taps)
    assert surgery.is_bilinear(kernel)
    assert not surgery.is_bilinear(kernel[:, :, ::-1])
    assert not surgery.is_bilinear(kernel[:, :3])
    assert not surgery.is_bilinear(kernel[:, :, :1])
    kernel[0, 0, 0, 0] += 0.01
    assert not surgery.is_bilinear(kernel)


def test_a_bilinear_kernel_in_bfloat16():
    """Of FCN-32s, whose numbers have more digits than bfloat16 keeps."""
    kernel = bilinear.bilinear_kernel(64, 2).astype(ml_dtypes.bfloat16)
    assert surgery.is_bilinear(kernel)
    kernel[31, 31] += 0.02
    assert not surgery.is_bilinear(kernel)


def test_scores_through_a_decoder_by_hand():
    score = np.array([[1, 2], [3, 4], [5, 6]], np.float32)[None, None]  # 3 -> 2.
    signed = [[1, 2, -1, -2, 1], [3, 4, -3, -4, 3], [5, 6, -5, -6, 5]]
    deconv, last = surgery.decoder_from_scores(score, (7, 7, 3, 10), 5, whole=False)
    np.testing.assert_array_equal(deconv[3, 3], np.tile(signed, (1, 2)))
    deconv[3, 3] = 0
    assert not deconv.any()
    np.testing.assert_array_equal(
        last[0, 0], [[1, 0], [0, 1], [-1, 0], [0, -1], [0, 0]]
    )
    deconv, _ = surgery.decoder_from_scores(score, (7, 7, 3, 10), 5, whole=True)
    np.testing.assert_array_equal(deconv[0, 6], np.tile(signed, (1, 2)))
