"""The VGG-16 encoder."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.models.encoders import vgg
from fcn_jax.ops import cropping, pooling
from tests.support import cases

IMAGE_SHAPES = ((500, 500), (375, 500), (224, 224), (32, 32), (1, 1), (499, 333))
# fcn.berkeleyvision.org, voc-fcn8s: maps of the images above (ceil pooling).
WORKED_SHAPES = {
    "pool1": ((349, 349), (287, 349), (211, 211), (115, 115), (100, 100), (349, 266)),
    "pool2": ((175, 175), (144, 175), (106, 106), (58, 58), (50, 50), (175, 133)),
    "pool3": ((88, 88), (72, 88), (53, 53), (29, 29), (25, 25), (88, 67)),
    "pool4": ((44, 44), (36, 44), (27, 27), (15, 15), (13, 13), (44, 34)),
    "pool5": ((22, 22), (18, 22), (14, 14), (8, 8), (7, 7), (22, 17)),
    "fc7": ((16, 16), (12, 16), (8, 8), (2, 2), (1, 1), (16, 11)),
}
CHANNELS = {
    "pool1": 64, "pool2": 128, "pool3": 256, "pool4": 512, "pool5": 512, "fc7": 4096
}  # fmt: skip


def feature_shapes(encoder, shape):
    images = jax.ShapeDtypeStruct((1, *shape, 3), jnp.float32)
    variables = jax.eval_shape(encoder.init, jax.random.key(0), images)
    return jax.eval_shape(encoder.apply, variables, images).maps


@pytest.mark.long
@pytest.mark.parametrize("column", range(len(IMAGE_SHAPES)))
def test_worked_shapes(column):
    expected = {
        name: (1, *shapes[column], CHANNELS[name])
        for name, shapes in WORKED_SHAPES.items()
    }
    maps = feature_shapes(vgg.VGG16(full_padding=True), IMAGE_SHAPES[column])
    assert {name: m.shape for name, m in maps.items()} == expected
    maps = feature_shapes(vgg.VGG16(), IMAGE_SHAPES[column])
    for name in ("pool3", "pool4", "pool5", "fc7"):
        assert maps[name].shape == expected[name]


def test_the_narrow_padding_and_what_is_put_in_make_100_pixels():
    cells = {"pool1": 2, "pool2": 4, "pool3": 8}
    put_in = sum(cells[name] * w.count for name, w in vgg.REPEATS.items())
    assert vgg.NARROW_PAD + put_in == vgg.PADDINGS["caffe"][0] == 100


@pytest.mark.parametrize("shape", ((1, 1), (18, 23), (20, 28), (33, 22)))
def test_the_narrow_padding_gives_the_maps_of_the_wide_one(key, shape):
    """Odd and even maps at every pooling."""
    image = jax.random.normal(key, (1, *shape, 3))
    narrow = vgg.VGG16(width=1 / 32, fc_features=64)
    variables = cases.random_variables(narrow)
    maps = cases.quick_jit(narrow.apply)(variables, image).maps
    wide = cases.quick_jit(narrow.clone(full_padding=True).apply)(variables, image).maps
    for name in ("pool3", "pool4", "pool5", "fc7"):
        scale = np.abs(wide[name]).max()
        np.testing.assert_allclose(maps[name], wide[name], atol=1e-6 * scale)


@pytest.mark.long
def test_the_narrow_padding_gives_the_gradients_of_the_wide_one(key):
    image = jax.random.normal(key, (1, 9, 14, 3))
    narrow = vgg.VGG16(width=1 / 32, fc_features=64)
    variables = cases.random_variables(narrow)

    def gradients(encoder):
        def loss(variables):
            maps = encoder.apply(variables, image).maps
            return jnp.sin(maps["fc7"]).sum() + jnp.sin(maps["pool3"]).sum()

        return cases.quick_jit(jax.grad(loss))(variables)["params"]

    ours = gradients(narrow)
    for layer, expected in gradients(narrow.clone(full_padding=True)).items():
        for name, g in expected.items():
            scale = np.abs(g).max()
            np.testing.assert_allclose(
                ours[layer][name], g, atol=1e-4 * scale, err_msg=layer
            )


def test_batch_norm_counts_all_of_the_padding():
    maps = feature_shapes(vgg.VGG16(batch_norm=True, width=1 / 64), (32, 32))
    assert maps["pool1"].shape[1:3] == (115, 115)


@pytest.mark.parametrize("shape", ((1, 1), (33, 65), (360, 480)))
def test_same_padding_halves_and_rounds_up(shape):
    maps = feature_shapes(vgg.VGG16(padding="same", width=1 / 32), shape)
    for name, stride in zip(CHANNELS, (2, 4, 8, 16, 32, 32), strict=True):
        assert maps[name].shape[1:3] == tuple(-(-n // stride) for n in shape)


def test_sizes_follow_the_maps():
    encoder = vgg.VGG16(width=1 / 64)
    sizes = jnp.array([(19, 40), (33, 21)], jnp.int32)
    images = jax.ShapeDtypeStruct((2, 33, 40, 3), jnp.float32)
    variables = jax.eval_shape(encoder.init, jax.random.key(0), images)
    zeros = jax.tree.map(lambda v: jnp.zeros(v.shape), variables)
    features = cases.quick_jit(encoder.apply)(zeros, jnp.zeros(images.shape), sizes)
    for n, shape in enumerate(sizes.tolist()):
        for name, alone in feature_shapes(encoder, tuple(shape)).items():
            assert tuple(features.sizes[name][n].tolist()) == alone.shape[1:3]


def test_switches_unpool_every_pool(key):
    """Every pooling can be undone: DeconvNet's decoder needs that."""
    images = jax.random.normal(key, (1, 37, 50, 3))
    encoder = vgg.VGG16(padding="same", width=1 / 32, return_switches=True)
    variables = cases.random_variables(encoder)
    features = cases.quick_jit(encoder.apply)(variables, images)
    plain = jax.jit(vgg.VGG16(padding="same", width=1 / 32).apply)(variables, images)
    assert not plain.switches
    assert list(features.switches) == ["pool1", "pool2", "pool3", "pool4", "pool5"]
    for name, switches in features.switches.items():
        maxima = features.maps[name]
        np.testing.assert_array_equal(maxima, plain.maps[name])
        assert (switches.shape, switches.dtype) == (maxima.shape, jnp.uint8)
        unpooled = pooling.max_unpool(maxima, switches)
        np.testing.assert_array_equal(pooling.max_pool(unpooled), maxima)


@pytest.mark.long
@pytest.mark.parametrize(("padding", "shape"), (("caffe", (9, 14)), ("same", (65, 34))))
def test_a_dilated_fc6_is_a_7x7_one_with_gaps(padding, shape):
    """Its window, and so every size and offset, is that of 7x7."""
    sizes = jnp.array([shape, (5, 8)], jnp.int32)
    images = cases.random_images((2, *shape))
    whole = vgg.VGG16(padding=padding, width=1 / 32, fc_features=64)
    dilated = whole.clone(fc6_dilation=3)
    assert dilated.coordinate_maps() == whole.coordinate_maps()
    variables = cases.random_variables(dilated)
    kernel = np.asarray(variables["params"]["fc6"]["kernel"])
    assert kernel.shape[:2] == (3, 3)
    gaps = np.zeros((7, 7, *kernel.shape[2:]), np.float32)
    gaps[::3, ::3] = kernel
    params = {**variables["params"], "fc6": {**variables["params"]["fc6"]}}
    params["fc6"]["kernel"] = gaps
    ours = cases.quick_jit(dilated.apply)(variables, images, sizes)
    theirs = cases.quick_jit(whole.apply)({"params": params}, images, sizes)
    scale = np.abs(theirs.maps["fc7"]).max()
    assert scale > 0
    np.testing.assert_allclose(ours.maps["fc7"], theirs.maps["fc7"], atol=1e-5 * scale)
    np.testing.assert_array_equal(ours.sizes["fc7"], theirs.sizes["fc7"])


def test_dilations_of_fc6_that_see_7x7_cells():
    kernels = {}
    for dilation in vgg.FC6_DILATIONS:
        fc6 = vgg.layer_list("valid", fc6_dilation=dilation)[-2]
        assert (fc6.name, fc6.window) == ("fc6", 7)
        kernels[dilation] = fc6.kernel_size
    assert kernels == {1: 7, 2: 4, 3: 3, 6: 2}
    with pytest.raises(
        ValueError,
        match="fc6_dilation=4 does not make a window of 7x7; choose one of 1",
    ):
        vgg.layer_list(fc6_dilation=4)


def test_layer_lists_differ_in_two_paddings():
    caffe, same = vgg.layer_list("caffe"), vgg.layer_list("same")
    different = {
        a.name: (a.pad, b.pad) for a, b in zip(caffe, same, strict=True) if a != b
    }
    assert different == {"conv1_1": (100, 1), "fc6": (0, 3)}
    assert len(caffe) == 13 + 5 + 2


def test_width_scales_every_channel():
    half = vgg.layer_list(width=0.5, fc_features=1024)
    before = [half[i - 1] for i, layer in enumerate(half) if layer.kind == "pool"]
    assert [layer.features for layer in before] == [32, 64, 128, 256, 256]
    assert half[-1].features == 512
    narrowest = vgg.layer_list(width=1e-6)
    assert {layer.features for layer in narrowest if layer.kind == "conv"} == {1}


def test_receptive_field_and_cell_centres():
    """404 pixels a cell of fc7, which is centred on image pixel 32 m + 12.5."""
    field, stride = 1, 1
    for layer in vgg.layer_list():
        field += (layer.kernel_size - 1) * stride
        stride *= layer.stride
        if layer.name in ("pool3", "pool4", "pool5", "fc7"):
            assert (
                field
                == {"pool3": 44, "pool4": 100, "pool5": 212, "fc7": 404}[layer.name]
            )
    maps = vgg.VGG16().coordinate_maps()
    for name, stride, centre in (
        ("pool3", 8, -95.5),
        ("pool4", 16, -91.5),
        ("fc7", 32, 12.5),
    ):
        assert maps[name].scale * stride == 1
        assert -maps[name].shift / maps[name].scale == centre


def test_same_cells_are_centred_on_their_pixels():
    maps = vgg.VGG16(padding="same").coordinate_maps()
    for name, stride in (("pool3", 8), ("pool4", 16), ("fc7", 32)):
        assert -maps[name].shift / maps[name].scale == (stride - 1) / 2


def test_single_stream_offsets():
    """Upsampling straight from a skip, as in single-stream nets."""
    image = cropping.CoordinateMap(1, 0)
    for name, factor, offset in (
        ("pool3", 8, 103),
        ("pool4", 16, 107),
        ("pool5", 32, 115),
    ):
        path = (
            vgg.VGG16()
            .coordinate_maps()[name]
            .then(cropping.upsample_map(2 * factor, factor))
        )
        assert cropping.crop_offset(image, path) == offset


def test_unknown_padding():
    with pytest.raises(
        ValueError, match="padding='full' is not known; .* caffe, same, valid"
    ):
        vgg.layer_list("full")


@pytest.mark.parametrize(("width", "fc_features"), ((0, 4096), (-1, 4096), (1, 0)))
def test_widths_must_be_positive(width, fc_features):
    message = f"width={width} and fc_features={fc_features} must be positive; width=1"
    with pytest.raises(ValueError, match=message):
        vgg.layer_list(width=width, fc_features=fc_features)


@pytest.mark.parametrize("padding", vgg.PADDINGS)
@pytest.mark.parametrize("output_stride", (1, 8, 32))
def test_without_strides_it_has_the_same_parameters(padding, output_stride):
    plain = vgg.layer_list(padding)
    found = vgg.VGG16(padding=padding, output_stride=output_stride)
    assert found.stride == output_stride
    for ours, theirs in zip(found.layers(), plain, strict=True):
        assert (ours.name, ours.kernel_size, ours.features) == (
            theirs.name, theirs.kernel_size, theirs.features,
        )  # fmt: skip
    assert found.is_rarefied == (output_stride < 32)


def test_strides_that_poolings_do_not_leave():
    with pytest.raises(ValueError, match=r"output_stride=3 is no stride .* 1, 2, 4, 8"):
        vgg.VGG16(output_stride=3).layers()


def test_the_trunk_ends_before_the_fully_connected_layers():
    trunk = vgg.VGG16Trunk(padding="valid")
    assert [x.name for x in trunk.layers()][-2:] == ["conv5_3", "pool5"]
    assert (trunk.top, trunk.stride, trunk.smallest_image) == ("pool5", 32, 1)


def test_every_convolution_may_be_looked_at():
    encoder = vgg.VGG16EveryConvolution(padding="same", width=1 / 32)
    image = jax.ShapeDtypeStruct((1, 33, 50, 3), "float32")
    found, _ = jax.eval_shape(encoder.init_with_output, jax.random.key(0), image)
    assert list(found.maps) == [x for x in vgg.VGG16().convolutions() if "conv" in x]
    assert found.maps["conv1_2"].shape == (1, 33, 50, 2)
    assert found.maps["conv5_3"].shape == (1, 3, 4, 16)  # Before the last pooling.
