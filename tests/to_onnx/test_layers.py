"""Each layer in ONNX's operators, run by onnxruntime, against ours."""

import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.models.encoders import Layer
from fcn_jax.ops import (
    bilinear,
    convolution,
    cropping,
    normalization,
    pooling,
    wide_padding,
    window_pooling,
)
from fcn_jax.preprocessing import CAFFE, IMAGENET, Preprocessing, preprocess

onnx = pytest.importorskip("onnx", reason="needs onnx, of the extra [onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")

from fcn_jax.to_onnx import graph as graphs  # noqa: E402
from fcn_jax.to_onnx import layers, poolings  # noqa: E402

DEPTH = Preprocessing("depth", "bgrd", (1.0, 2.0, 3.0, 4.0), (1.0, 2.0, 1.0, 4.0))


def run(build, *inputs, precision="float32", opset=13):
    """What a graph of one output gives; maps go in and come out as [N, H, W, C]."""
    graph, names = graphs.Graph(precision), [f"x{i}" for i in range(len(inputs))]
    inputs = [x if x.dtype == np.uint8 else np.moveaxis(x, -1, 1) for x in inputs]
    for name, x in zip(names, inputs, strict=True):
        dtype = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
        info = onnx.helper.make_tensor_value_info(name, dtype, [None] * 4)
        graph.proto.input.append(info)
    out = build(graph, *names)
    graph.proto.output.append(onnx.ValueInfoProto(name=out))
    graph.proto.name = "layer"
    graph.model.opset_import.append(onnx.helper.make_opsetid("", opset))
    graph.model.ir_version = 8
    content = graph.model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, dict(zip(names, inputs, strict=True)))
    return np.moveaxis(found, 1, -1)


def maps(shape, seed=0, low=-3, high=4):
    """Whole numbers, of which many are alike: poolings have ties."""
    rng = np.random.default_rng(seed)
    return rng.integers(low, high, shape).astype(np.float32)


def close(ours, theirs):
    np.testing.assert_allclose(ours, np.asarray(theirs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("recipe", (CAFFE, IMAGENET, DEPTH))
def test_preprocessing(recipe):
    images = np.random.default_rng(0).integers(
        0, 256, (2, 3, 4, recipe.num_channels), np.uint8
    )
    found = run(lambda g, x: layers.preprocessed(g, x, recipe), images)
    close(found, preprocess(images, recipe))


@pytest.mark.parametrize("shape", ((1, 1, 1, 2), (2, 5, 4, 3), (1, 6, 7, 1)))
@pytest.mark.parametrize("precision", ("float32", "float16"))
def test_unpooling_by_the_first_of_equal_maxima(shape, precision):
    x = maps(shape)
    pooled, switches = pooling.max_pool_with_switches(jnp.asarray(x))
    values = maps(pooled.shape, seed=1) + 10
    expected = pooling.max_unpool(jnp.asarray(values), switches, 2, shape[1:3])

    def undo(graph, x, values):
        poolings.max_pool_with_masks(graph, x, "pool", shape[-1])
        return poolings.max_unpool(graph, values, "pool", graph.size_of(x))

    def pool(graph, x):
        return poolings.max_pool_with_masks(graph, x, "pool", shape[-1])

    x, values = x.astype(precision), values.astype(precision)
    np.testing.assert_array_equal(run(undo, x, values, precision=precision), expected)
    np.testing.assert_array_equal(run(pool, x, precision=precision), pooled)


@pytest.mark.parametrize("window", ((2, 2, 0), (3, 2, 0), (3, 1, 1), (3, 2, 1)))
@pytest.mark.parametrize("side", (3, 4, 5, 6))
def test_poolings_round_up_as_caffe_does(window, side):
    x = maps((2, side, side + 1, 2))
    size, stride, pad = window
    layer = Layer("pool", "pool", kernel_size=size, stride=stride, pad=pad)
    found = run(lambda g, x: poolings.max_pool(g, x, layer), x)
    expected = window_pooling.max_pool_windows(jnp.asarray(x), size, stride, pad)
    np.testing.assert_array_equal(found, expected)


def test_a_pooling_whose_windows_may_hold_nothing_is_refused():
    layer = Layer("pool9", "pool", kernel_size=2, stride=2, pad=1)
    with pytest.raises(ValueError, match=r"layer 'pool9' of .* windows of 2 at stride"):
        poolings.max_pool(graphs.Graph("float32"), "x", layer)


def test_an_average_counts_the_padding():
    layer = Layer("pool5a", "average", kernel_size=3, pad=1)
    x = maps((2, 4, 3, 2))
    found = run(lambda g, x: poolings.average_pool(g, x, layer), x)
    close(found, window_pooling.average_pool(jnp.asarray(x), 3))


def test_response_normalization():
    layer = Layer("norm", "lrn", kernel_size=5, alpha=0.5, beta=0.75)
    x = maps((1, 3, 4, 7))
    found = run(lambda g, x: layers.response_normalization(g, x, layer), x)
    expected = normalization.local_response_normalization(jnp.asarray(x), 5, 0.5, 0.75)
    close(found, expected)


def test_normalization_within_channels():
    layer = Layer("norm", "lrn_within", kernel_size=3, alpha=0.5, beta=0.75)
    x = maps((1, 4, 5, 2))
    found = run(lambda g, x: layers.normalization_within(g, x, layer), x)
    close(found, normalization.within_channel(jnp.asarray(x), 3, 0.5, 0.75))


@pytest.mark.parametrize(
    "repeat", (wide_padding.Repeat(1, 6), wide_padding.Repeat(3, 2))
)
def test_what_repeats_is_put_in(repeat):
    x = maps((2, 9, 8, 3))
    found = run(lambda g, x: layers.repeated(g, x, repeat), x)
    expected = wide_padding.expand(jnp.asarray(x), None, repeat)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("size", "factor"), ((4, 2), (16, 8), (63, 32), (64, 32)))
def test_upsampling(size, factor):
    x = maps((2, 3, 2, 3))
    found = run(lambda g, x: layers.upsampled(g, x, "up", size, factor, 3), x)
    close(found, bilinear.bilinear_upsample(jnp.asarray(x), factor, size))
    kernel = maps((size, size, 3, 2), seed=1)
    found = run(lambda g, x: layers.upsampled_by_kernel(g, x, "up", kernel, factor), x)
    close(found, bilinear.conv_transpose(jnp.asarray(x), jnp.asarray(kernel), factor))


@pytest.mark.parametrize(("size", "pad"), ((3, 1), (7, 3), (7, 0)))
def test_deconvolution(size, pad):
    x, kernel = maps((2, 4, 3, 2)), maps((size, size, 2, 3), seed=1)
    weights = layers.Weights(kernel, np.array([1.0, 2.0, 3.0]))
    found = run(lambda g, x: layers.deconvolution(g, x, "deconv", weights, pad), x)
    expected = convolution.deconvolution(jnp.asarray(x), jnp.asarray(kernel), pad)
    close(found, np.asarray(expected) + weights.bias)


@pytest.mark.parametrize("opset", (13, 18, 21))
def test_a_crop(opset):
    x = maps((1, 6, 7, 2))

    def build(graph, x, like):
        return layers.crop(graph, x, 2, graph.size_of(like))

    found = run(build, x, maps((1, 3, 4, 1)), opset=opset)
    np.testing.assert_array_equal(found, cropping.crop(jnp.asarray(x), 2, (3, 4)))


def test_weights_that_float16_cannot_hold():
    graph = graphs.Graph("float16")
    with pytest.raises(ValueError, match=r"conv/kernel holds 7e\+04, for .*65504"):
        graph.floats(np.array([70000.0]), "conv/kernel")
    assert graph.floats(np.array([70000.0]), "score/kernel", wide=True)
