"""SegNet: published layers, sizes, starts, options; the rest is a contract."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax.models import segnet
from fcn_jax.models.encoders import VGG16, VGG16Trunk
from tests.support import cases

SMALL = {"num_classes": 3, "width": 1 / 64}
# segnet_train.prototxt at 360x480: what poolings give, rounding up; upsample5 and
# upsample4 say so (`upsample_h: 23`, `upsample_w: 30`; 45 and 60).
POOLED = {1: (180, 240), 2: (90, 120), 3: (45, 60), 4: (23, 30), 5: (12, 15)}


def intermediate_shapes(model, shape):
    images = jax.ShapeDtypeStruct((1, *shape, 3), jnp.float32)
    _, found = jax.eval_shape(
        lambda v, x: model.apply(v, x, mutable=["intermediates"]),
        cases.variable_shapes(model),
        images,
    )
    return {name: maps[0].shape[1:] for name, maps in found["intermediates"].items()}


def test_published_maps():
    shapes = intermediate_shapes(fcn_jax.create("segnet", 11), (360, 480))
    channels = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}
    for stage, size in POOLED.items():
        assert shapes[f"pool{stage}_mask"] == (*size, channels[stage])
        before = POOLED.get(stage - 1, (360, 480))
        assert shapes[f"upsample{stage}"] == (*before, channels[stage])


@pytest.mark.parametrize(("classes", "count"), ((11, 29_449_355), (21, 29_455_125)))
def test_number_of_parameters(classes, count):
    """29.45 M for the 11 classes of CamVid; ten more have 5,770 more."""
    params = cases.variable_shapes(fcn_jax.create("segnet", classes))["params"]
    assert sum(int(np.prod(x.shape)) for x in jax.tree.leaves(params)) == count
    assert sum("scale" in layer for layer in params.values()) == 25
    assert sum("kernel" in layer for layer in params.values()) == 26


def test_parameter_table():
    model = fcn_jax.create("segnet")
    assert not any("fc" in name for name in cases.variable_shapes(model)["params"])
    assert [x.name for x in model.encoder.layers()][-1] == model.encoder.top == "pool5"


@pytest.mark.long
def test_starts_as_the_release_does(key):
    """Scale 1, shift 0.001 (bn_param), weights by He et al. (msra), biases 0."""
    model = fcn_jax.create("segnet", width=1 / 16)
    params = cases.quick_jit(model.init)(key, jnp.zeros((1, 32, 32, 3)))["params"]
    for name in ("conv4_2", "conv4_2_D", "conv1_1_D"):
        kernel = params[name]["kernel"]
        std = np.sqrt(2 / np.prod(kernel.shape[:3]))
        tolerance = 3 / np.sqrt(2 * kernel.size)  # Three deviations.
        np.testing.assert_allclose(kernel.std(), std, rtol=tolerance)
        assert not params[name]["bias"].any()
    for name in ("bn1_1", "bn5_3_D", "bn1_2_D"):
        np.testing.assert_array_equal(params[name]["scale"], 1)
        np.testing.assert_array_equal(params[name]["bias"], np.float32(0.001))
    assert model.encoder.bn_epsilon == 1e-9


def test_layers_of_the_decoder_mirror_those_of_the_encoder():
    assert [name for name, _, _ in segnet.decoder_layers(5)] == [
        "conv5_3_D", "conv5_2_D", "conv5_1_D",
    ]  # fmt: skip
    assert segnet.decoder_layers(2) == (
        ("conv2_2_D", "bn2_2_D", 128),
        ("conv2_1_D", "bn2_1_D", 64),
    )
    assert segnet.decoder_layers(1) == (("conv1_2_D", "bn1_2_D", 64),)


def test_given_switches_take_the_place_of_its_own():
    model = fcn_jax.create("segnet", 3, width=1 / 16)
    variables = cases.random_variables(model)
    images = cases.random_images((1, 32, 32))
    look = cases.quick_jit(lambda v, x: model.apply(v, x, mutable=["intermediates"]))
    logits, found = look(variables, images)
    maps = found["intermediates"]
    own = {f"pool{stage}": maps[f"pool{stage}_mask"][0] for stage in POOLED}
    apply = cases.quick_jit(model.apply)
    again = apply(variables, images, switches=own)
    scale = np.abs(logits).max()  # Two programs, which round in their own ways.
    np.testing.assert_allclose(again, logits, rtol=0, atol=1e-5 * scale)
    other = own | {"pool1": 3 - own["pool1"]}
    assert np.abs(apply(variables, images, switches=other) - logits).max() > 1e-3


@pytest.mark.long
def test_training_records_statistics_and_needs_no_bias():
    model = fcn_jax.create("segnet", **SMALL)
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
    for name in ("bn1_1", "bn5_3_D", "bn1_2_D"):
        before = variables["batch_stats"][name]["mean"]
        assert np.abs(stats[name]["mean"] - before).max() > 0
    # BatchNorm takes the bias away again: nothing is spent on its gradient.
    assert not grads["conv3_2_D"]["bias"].any()
    assert grads["conv3_2_D"]["kernel"].any()
    assert grads["conv1_1_D"]["bias"].any()


def test_heads_have_scores_of_their_own():
    model = fcn_jax.create("segnet", {"a": 2, "b": 4}, width=1 / 64)
    variables = cases.variable_shapes(model)
    images = jax.ShapeDtypeStruct((2, 33, 40, 3), jnp.float32)
    found = jax.eval_shape(model.apply, variables, images)
    assert {head: x.shape for head, x in found.items()} == {
        "a": (2, 33, 40, 2),
        "b": (2, 33, 40, 4),
    }
    assert {"conv1_1_D_a", "conv1_1_D_b"} < variables["params"].keys()


def test_options_that_it_has_not_and_other_encoders_are_refused():
    with pytest.raises(ValueError, match=r"option 'padding' of model 'segnet' is not"):
        fcn_jax.create("segnet", padding="same")
    images = jnp.zeros((1, 32, 32, 3))
    whole = segnet.SegNet(VGG16(padding="same", return_switches=True), 3)
    with pytest.raises(TypeError, match="SegNet: the encoder is VGG16; its decoder mi"):
        whole.init(jax.random.key(0), images)
    trunk = VGG16Trunk(padding="same", return_switches=True, output_stride=8)
    with pytest.raises(ValueError, match=r"SegNet: output_stride=8 .* no unpooling"):
        segnet.SegNet(trunk, 3).init(jax.random.key(0), images)
