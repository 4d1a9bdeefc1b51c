"""Shift-and-stitch against filter rarefaction: in integers, on made-up nets, on VGG."""

import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax.inference import shift_and_stitch
from fcn_jax.models.encoders import Layer, rarefaction
from fcn_jax.models.encoders.layer import coordinate_maps
from tests.support import cases

# A net along the columns, by hand: correlation with [1, 2], pooling by 2, correlation
# with [1, -1]; its stride is 2, and it sees 5 columns.
SIGNAL = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
DENSE = [-2, -14, -12, 9, 7, -2]
LONG = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4]
LONG_DENSE = [1, 2, 1, 0, -5, -6, -6, -4, -1, 8, 8]
SMALL = {"num_classes": 3, "width": 1 / 32, "fc_features": 128}


def correlate(x, taps):
    return np.convolve(x, taps[::-1], "valid")


def pool(x):
    """Pairs side by side; an odd last one is left out."""
    return x[: len(x) // 2 * 2].reshape(-1, 2).max(axis=1)


def along_columns(net):
    """A net of one dimension as one of images whose rows are alike, every second."""

    def score(images):
        row = net(np.asarray(images)[0, 0, :, 0])
        rows = images.shape[1] // 2 if images.shape[1] > 1 else 1
        return jnp.asarray(np.tile(row, (rows, 1))[None, :, :, None], jnp.float32)

    return score


def image_of(signal, rows):
    return jnp.asarray(np.tile(signal, (rows, 1))[None, :, :, None], jnp.float32)


def test_a_net_by_hand():
    def net(x):
        return correlate(pool(correlate(x, [1, 2])), [1, -1])

    dense = shift_and_stitch.dense_scores(along_columns(net), image_of(SIGNAL, 5), 2)
    np.testing.assert_array_equal(dense[0, :, :, 0], [DENSE] * 4)


def test_two_levels_whose_shifts_are_not_as_many():
    """Of the phases three have three scores, the last has two."""

    def net(x):
        return correlate(pool(correlate(pool(x), [1, 2])), [1, -1])

    parts = {
        (row, column): image_of(net(np.array(LONG[column:])), 1)
        for row, column in shift_and_stitch.shifts(4)
    }
    dense = shift_and_stitch.interlaced(parts, 4)
    np.testing.assert_array_equal(dense[0, :, :, 0], [LONG_DENSE] * 4)


def rarefied_by_hand(signal, chain):
    """The 1-D net of a chain of taps (correlation) and None (pooling), dilated."""
    x, rate = np.array(signal), 1
    for taps in chain:
        if taps is None:
            x, rate = np.maximum(x[:-rate], x[rate:]), 2 * rate
        else:
            spread = np.zeros(rate * (len(taps) - 1) + 1, int)
            spread[::rate] = taps
            x = correlate(x, spread)
    return x


def test_the_same_by_rarefaction():
    one = rarefied_by_hand(SIGNAL, ([1, 2], None, [1, -1]))
    np.testing.assert_array_equal(one, DENSE)
    two = rarefied_by_hand(LONG, (None, [1, 2], None, [1, -1]))
    np.testing.assert_array_equal(two, LONG_DENSE)


def drawn_kernels(listed, channels):
    rng, kernels = np.random.default_rng(0), {}
    for layer in listed:
        if layer.kind == "conv":
            shape = (layer.kernel_size, layer.kernel_size, channels, layer.features)
            kernels[layer.name] = rng.normal(size=shape)
            channels = layer.features
    return kernels


def windows(layer, x, far, fill):
    """All that a layer's windows see, [N, rows, columns, C, k, k], by NumPy."""
    rows, columns = (
        (side + 2 * layer.pad + far - layer.window) // layer.stride + 1
        for side in x.shape[1:3]
    )
    sides = (layer.pad, layer.window + layer.stride)
    x = np.pad(x, ((0, 0), sides, sides, (0, 0)), constant_values=fill)
    shape = (layer.window, layer.window)
    seen = np.lib.stride_tricks.sliding_window_view(x, shape, (1, 2))
    seen = seen[:, :: layer.stride, :: layer.stride][:, :rows, :columns]
    return seen[..., :: layer.dilation, :: layer.dilation]


def run(listed, kernels, x, drop=None):
    """A layer list in NumPy; `drop`: rows and columns each pooling starts after.

    Without its first rows a map is pooled at another phase, and padded where the map
    without strides is.
    """
    for layer in listed:
        if layer.kind == "conv":
            seen = windows(layer, x, 0, 0.0)
            x = np.einsum("nhwcab,abcf->nhwf", seen, kernels[layer.name])
            x = np.maximum(x + 0.3, 0)
            continue
        if drop:
            row, column = drop[layer.name]
            x = x[:, row:, column:]
        far = layer.stride - 1 if layer.overhang is None else layer.overhang
        x = windows(layer, x, far, -np.inf).max((-1, -2))
    return x


NET = (
    Layer("conv1", features=3, kernel_size=3, pad=1),
    Layer("pool1", "pool", kernel_size=2, stride=2),
    Layer("conv2", features=3, kernel_size=3, pad=1),
    Layer("pool2", "pool", kernel_size=3, stride=2),
    Layer("conv3", features=2, kernel_size=3, pad=1),
)


@pytest.mark.parametrize("shape", ((16, 16), (15, 18), (17, 13)))
def test_rarefied_maps_are_the_poolings_at_all_their_phases(shape):
    """To the last cell of odd maps, and in reach of the padding too."""
    x = np.random.default_rng(1).normal(size=(1, *shape, 2))
    kernels = drawn_kernels(NET, 2)
    dense = run(rarefaction.rarefied(NET), kernels, x)
    for row, column in shift_and_stitch.shifts(4):
        drop = {
            "pool1": (row % 2, column % 2),
            "pool2": (row // 2, column // 2),
        }
        part = run(NET, kernels, x, drop)
        np.testing.assert_allclose(dense[:, row::4, column::4], part, atol=1e-12)


def test_a_net_without_padding_is_the_same_everywhere():
    bare = tuple(
        Layer(x.name, x.kind, x.features, x.kernel_size, x.stride) for x in NET
    )
    x = np.random.default_rng(2).normal(size=(2, 37, 42, 2))
    kernels = drawn_kernels(bare, 2)
    stitched = shift_and_stitch.dense_scores(
        lambda shifted: run(bare, kernels, shifted).astype(np.float32), x, 4
    )
    dense = run(rarefaction.rarefied(bare), kernels, x)
    assert stitched.shape == dense.shape
    np.testing.assert_array_equal(stitched, dense.astype(np.float32))


@pytest.mark.parametrize(
    ("padding", "side", "some"),
    (
        ("same", 226, ((0, 1), (31, 26))),
        pytest.param(
            "caffe", 262, ((0, 0), (1, 30), (17, 4), (31, 31)), marks=pytest.mark.slow
        ),
    ),
)
def test_vgg_without_strides_scores_as_shifted_images_do(padding, side, some):
    """FCN-32s: of the 1,024 shifts a few, where they see nothing of the padding."""
    model = fcn_jax.create("fcn32s", padding=padding, **SMALL)
    variables = cases.random_variables(model)
    images = cases.random_images((1, side, side))
    dense = top_scores(model.with_encoder(output_stride=1), variables, images, (0, 0))
    # What reaches beyond the image: 186 or 189 rows of padding, and 31 of shift.
    clear = {"same": 186 + 31, "caffe": 189 + 31}[padding]
    for row, column in some:
        part = top_scores(model, variables, images, (row, column))
        theirs = dense[:, row::32, column::32]
        skip = [-(-(clear - at) // 32) for at in (row, column)]
        assert part.shape == theirs.shape
        ours, theirs = (x[:, skip[0] :, skip[1] :] for x in (part, theirs))
        assert ours.size
        scale = np.abs(theirs).max()
        assert scale > 1e-2
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * scale)


def top_scores(model, variables, images, shift):
    """What `network_scores` interlaces, of one shift."""
    sizes = jnp.array([np.subtract(images.shape[1:3], shift)])
    ((rows, columns),) = shift_and_stitch._cells(model, sizes)
    scores = shift_and_stitch._top_scores(
        variables, images, jnp.array([shift]), model=model
    )
    return np.asarray(scores[""])[:, :rows, :columns]


@pytest.mark.long
def test_all_shifts_of_a_vgg_of_stride_4_by_head():
    heads = {"a": 2, "b": 3}
    model = fcn_jax.create(
        "fcn32s", padding="same", output_stride=4, **SMALL | {"num_classes": heads}
    )
    variables = cases.random_variables(model)
    images = cases.random_images((1, 195, 194))
    stitched = shift_and_stitch.network_scores(
        variables, images, model=model, at_once=8
    )
    dense = shift_and_stitch._top_scores(
        variables,
        images,
        jnp.array([[0, 0]]),
        model=model.with_encoder(output_stride=1),
    )
    for head, theirs in dense.items():
        assert stitched[head].shape == theirs.shape == (1, 195, 194, heads[head])
        # 186 rows of padding, and 3 of shift.
        ours, theirs = (np.asarray(x)[:, 189:, 189:] for x in (stitched[head], theirs))
        scale = np.abs(theirs).max()
        assert scale > 1e-2
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * scale)


@pytest.mark.long
def test_both_streams_of_a_net_are_stitched():
    """What two nets are stitched to, averaged."""
    model = fcn_jax.create(
        "fcn32s_late_fusion", padding="same", output_stride=2, **SMALL
    )
    variables = cases.random_variables(model)
    images = jnp.concatenate([cases.random_images((1, 9, 8), i) for i in (0, 1)], -1)
    found = shift_and_stitch.network_scores(variables, images, model=model)
    each = []
    for i, stream in enumerate(model.streams):
        params = {
            layer.removesuffix(stream): parts
            for layer, parts in variables["params"].items()
            if layer.endswith(stream)
        }
        seen = images[..., 3 * i : 3 * i + 3]
        each.append(
            shift_and_stitch.network_scores(
                {"params": params}, seen, model=model.alone()
            )
        )
    expected = (each[0] + each[1]) / 2
    scale = np.abs(expected).max()
    assert scale > 1e-2
    assert np.abs(each[0] - each[1]).max() > 0.1 * scale
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * scale)


def test_scores_that_do_not_lie_between_each_other_are_refused():
    images = np.arange(64, dtype=np.float32).reshape(1, 8, 8, 1)
    every_second = shift_and_stitch.dense_scores(lambda x: x[:, ::2, ::2], images, 2)
    np.testing.assert_array_equal(every_second, images)
    with pytest.raises(ValueError, match=r"0 rows and 0 columns there are 8x8 .* 7x7"):
        shift_and_stitch.dense_scores(lambda x: x, images, 4)


def test_small_images_and_skips_are_refused():
    with pytest.raises(ValueError, match=r"images of 9x3 cannot be .* 3 pixels"):
        shift_and_stitch.dense_scores(lambda x: x, jnp.zeros((1, 9, 3, 1)), 4)
    model = fcn_jax.create("fcn16s", **SMALL)
    with pytest.raises(ValueError, match=r"FCN16s sums .* \(pool4\).*output_stride"):
        shift_and_stitch.network_scores({}, jnp.zeros((1, 40, 40, 3)), model=model)


def test_rarefaction_spreads_what_follows():
    found = {layer.name: layer for layer in rarefaction.rarefied(NET, 2)}
    assert found["pool1"] == NET[1]
    pool2, conv3 = found["pool2"], found["conv3"]
    assert (pool2.stride, pool2.dilation, pool2.overhang) == (1, 1, 1)
    assert (conv3.dilation, conv3.pad) == (2, 2)
    whole = {layer.name: layer for layer in rarefaction.rarefied(NET)}
    assert (whole["pool2"].dilation, whole["pool2"].overhang) == (2, 2)
    assert (whole["conv3"].dilation, whole["conv3"].pad) == (4, 4)
    # The maps lie where those of the strided net do.
    sparse, dense = coordinate_maps(NET), coordinate_maps(rarefaction.rarefied(NET))
    for name, path in sparse.items():
        factor = dense[name].scale / path.scale
        assert dense[name].shift == factor * path.shift
    with pytest.raises(ValueError, match=r"output_stride=0 is not positive; 1 scores"):
        rarefaction.rarefied(NET, 0)
