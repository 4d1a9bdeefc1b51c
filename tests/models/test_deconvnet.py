"""DeconvNet: published layers, switches, sizes, limits; the rest is a contract."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax.models import initializers
from fcn_jax.models.encoders import vgg
from tests.support import cases

SMALL = {"num_classes": 3, "width": 1 / 64, "fc_features": 128}
# stage_2_train.prototxt: the side of every map of a 224x224 image, and its channels.
PUBLISHED = {
    "fc6-deconv-relu": (7, 512),
    "unpool5": (14, 512), "derelu5_1": (14, 512), "derelu5_2": (14, 512),
    "derelu5_3": (14, 512),
    "unpool4": (28, 512), "derelu4_1": (28, 512), "derelu4_2": (28, 512),
    "derelu4_3": (28, 256),
    "unpool3": (56, 256), "derelu3_1": (56, 256), "derelu3_2": (56, 256),
    "derelu3_3": (56, 128),
    "unpool2": (112, 128), "derelu2_1": (112, 128), "derelu2_2": (112, 64),
    "unpool1": (224, 64), "derelu1_1": (224, 64), "derelu1_2": (224, 64),
}  # fmt: skip


def looked_into(model):
    """The net as a function of variables and images, intermediates beside logits."""
    look = functools.partial(model.apply, mutable=["intermediates"])
    return cases.quick_jit(look)


def intermediate_shapes(model, shape):
    images = jax.ShapeDtypeStruct((1, *shape, 3), jnp.float32)
    _, found = jax.eval_shape(
        lambda v, x: model.apply(v, x, mutable=["intermediates"]),
        cases.variable_shapes(model),
        images,
    )
    return {name: maps[0].shape for name, maps in found["intermediates"].items()}


def test_published_maps_and_parameter_count():
    model = fcn_jax.create("deconvnet")
    shapes = intermediate_shapes(model, (224, 224))
    for name, (side, channels) in PUBLISHED.items():
        assert shapes[name] == (1, side, side, channels), name
    params = cases.variable_shapes(model)["params"]
    count = sum(int(np.prod(p.shape)) for p in jax.tree.leaves(params))
    assert count == 251_805_653
    scales = [name for name in params if "scale" in params[name]]
    assert len(scales) == 29
    assert params["fc6-deconv"]["kernel"].shape == (7, 7, 4096, 512)


@pytest.mark.long
def test_starts_as_the_release_does(key):
    model = fcn_jax.create("deconvnet", padding="same", width=1 / 8, fc_features=1024)
    variables = cases.quick_jit(model.init)(key, jnp.zeros((1, 32, 32, 3)))
    params = variables["params"]
    for name in ("fc6-deconv", "deconv4_2", "seg-score"):
        tolerance = 3 / np.sqrt(2 * params[name]["kernel"].size)  # Three deviations.
        std = params[name]["kernel"].std()
        np.testing.assert_allclose(std, 0.01, rtol=tolerance)
        assert not params[name]["bias"].any()
    for name in ("bn1_1", "bnfc6", "fc6-deconv-bn", "debn1_2"):
        np.testing.assert_array_equal(params[name]["scale"], 1)
        np.testing.assert_array_equal(params[name]["bias"], np.float32(0.001))


@pytest.mark.long
def test_may_start_as_an_upsampling(key, monkeypatch):
    """What fc7 says reaches every pixel of its cell, in all layers of the decoder."""
    monkeypatch.setattr(initializers, "NOISE", 0)
    model = fcn_jax.create(
        "deconvnet", padding="same", decoder_start="upsampling", **SMALL
    )
    images = jax.random.normal(key, (1, 64, 64, 3))
    variables = cases.quick_jit(model.init)(key, images)
    for name in ("fc6-deconv-bn", "debn1_2"):
        np.testing.assert_array_equal(variables["params"][name]["bias"], 1)
    _, found = looked_into(model)(variables, images)
    maps = found["intermediates"]
    coarse = np.asarray(maps["fc6-deconv-relu"][0])
    assert coarse.shape[1:3] == (2, 2)
    # Running averages at their start: BatchNorm adds 1 and, but for epsilon, no more.
    assert maps["derelu5_1"][0].min() >= coarse.min()
    assert (maps["unpool1"][0] == 0).mean() >= 0.75
    assert (maps["derelu1_2"][0] > 1).all()


@pytest.mark.long
def test_may_start_as_an_upsampling_of_one_cell(key, monkeypatch):
    """At 224x224 fc6-deconv spreads the only cell over all 7x7."""
    monkeypatch.setattr(initializers, "NOISE", 0)
    model = fcn_jax.create("deconvnet", decoder_start="upsampling", **SMALL)
    variables = cases.quick_jit(model.init)(key, jnp.zeros((1, 224, 224, 3)))
    kernel = np.asarray(variables["params"]["fc6-deconv"]["kernel"])
    np.testing.assert_array_equal(kernel, np.broadcast_to(kernel[3, 3], kernel.shape))
    np.testing.assert_array_equal(kernel[3, 3].sum(axis=0), 1)  # Over inputs.


@pytest.mark.parametrize("shape", ((193, 224), (224, 257), (375, 500)))
def test_valid_padding_restores_any_size_from_193(shape):
    model = fcn_jax.create("deconvnet", **SMALL)
    images = jax.ShapeDtypeStruct((2, *shape, 3), jnp.float32)
    logits = jax.eval_shape(model.apply, cases.variable_shapes(model), images)
    assert (logits.shape, logits.dtype) == ((2, *shape, 3), jnp.float32)


def test_unpooled_maps_are_sparse_at_the_maxima_of_the_encoder():
    model = fcn_jax.create("deconvnet", padding="same", **SMALL)
    images = cases.random_images((1, 33, 40))
    _, found = looked_into(model)(cases.random_variables(model), images)
    maps = {name: np.asarray(x[0]) for name, x in found["intermediates"].items()}
    for stage in range(1, 6):
        unpooled, switches = maps[f"unpool{stage}"], maps[f"pool{stage}_mask"]
        height, width = unpooled.shape[1:3]
        assert switches.dtype == np.uint8
        assert switches.shape[1:3] == (-(-height // 2), -(-width // 2))
        for row, column, channel in np.argwhere(unpooled[0]):
            place = 2 * (row % 2) + column % 2
            assert switches[0, row // 2, column // 2, channel] == place
        assert (unpooled != 0).sum() <= np.prod(switches.shape)


@pytest.mark.long
def test_given_switches_take_the_place_of_its_own():
    model = fcn_jax.create("deconvnet", padding="same", **SMALL)
    variables = cases.random_variables(model)
    images = cases.random_images((1, 32, 32))
    logits, found = looked_into(model)(variables, images)
    own = {
        f"pool{stage}": found["intermediates"][f"pool{stage}_mask"][0]
        for stage in range(1, 6)
    }
    apply = cases.quick_jit(model.apply)
    again = apply(variables, images, switches=own)
    np.testing.assert_allclose(again, logits, rtol=1e-6)  # On an AMD EPYC not all bits.
    other = apply(variables, images, switches=own | {"pool1": 3 - own["pool1"]})
    assert np.abs(other - logits).max() > 1e-3


@pytest.mark.long
def test_sizes_with_valid_padding():
    """A padded batch scores every image as it is scored alone."""
    with jax.enable_x64(True):
        model = fcn_jax.create("deconvnet", param_dtype="float64", **SMALL)
        variables = cases.random_variables(model)
        images = cases.random_images((2, 230, 226), dtype="float64")
        sizes = jnp.array([(193, 226), (230, 197)], jnp.int32)
        apply = cases.quick_jit(model.apply)
        logits = apply(variables, images, sizes)
        alone = apply(variables, images[:1, :193])
        scale = np.abs(alone).max()
        assert scale > 1e-3
        np.testing.assert_allclose(logits[:1, :193], alone, rtol=0, atol=1e-12 * scale)


@pytest.mark.long
def test_training_records_statistics_and_needs_no_bias():
    model = fcn_jax.create("deconvnet", padding="same", **SMALL)
    variables = cases.random_variables(model)
    images = cases.random_images((2, 40, 36))

    @cases.quick_jit
    def step(params):
        def loss(params):
            logits, updates = model.apply(
                variables | {"params": params},
                images,
                train=True,
                mutable=["batch_stats"],
            )
            return (logits**2).sum(), updates["batch_stats"]

        return jax.grad(loss, has_aux=True)(params)

    grads, stats = step(variables["params"])
    for name in ("bnfc6", "fc6-deconv-bn", "debn3_2"):
        assert np.abs(
            stats[name]["mean"] - variables["batch_stats"][name]["mean"]
        ).max()
    # BatchNorm takes the bias away again: nothing is spent on its gradient.
    assert not grads["deconv3_2"]["bias"].any()
    assert grads["deconv3_2"]["kernel"].any()
    assert grads["seg-score"]["bias"].any()


def test_too_small_an_image_is_refused():
    model = fcn_jax.create("deconvnet", **SMALL)
    variables = cases.variable_shapes(model)
    small = jax.ShapeDtypeStruct((1, 192, 224, 3), jnp.float32)
    with pytest.raises(ValueError, match=r"have 192x224 .* below 193x193 .*224x"):
        jax.eval_shape(model.apply, variables, small)
    # Sizes may be constants of what is traced: they are looked at all the same.
    sizes, images = (
        jnp.array([(100, 224)], jnp.int32),
        small.update(shape=(1, 224, 224, 3)),
    )
    with pytest.raises(ValueError, match=r"sizes go down to 100x224 .*padding='same'"):
        jax.eval_shape(lambda *args: model.apply(*args, sizes), variables, images)


def test_unknown_options_and_no_classes_are_refused():
    images = jnp.zeros((1, 224, 224, 3))
    with pytest.raises(ValueError, match=r"start='he' is not .* normal, upsampling\."):
        fcn_jax.create("deconvnet", decoder_start="he").init(jax.random.key(0), images)
    with pytest.raises(ValueError, match=r"padding='caffe' is not .* valid, same\."):
        fcn_jax.create("deconvnet", padding="caffe").init(jax.random.key(0), images)
    with pytest.raises(ValueError, match="num_classes=0 is not positive"):
        fcn_jax.create("deconvnet", num_classes=0).init(jax.random.key(0), images)


def test_smallest_image():
    assert vgg.SMALLEST_VALID == 193
    assert fcn_jax.create("deconvnet").smallest_image == 193
    assert fcn_jax.create("deconvnet", padding="same").smallest_image == 1


def test_batch_norm_has_the_epsilon_of_the_release():
    """HyeonwooNoh/DeconvNet's Caffe: bn_layer.cpp, var_eps 1e-9."""
    assert fcn_jax.create("deconvnet").encoder.bn_epsilon == 1e-9
