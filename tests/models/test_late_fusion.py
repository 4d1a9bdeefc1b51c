"""Two nets on one scene: the half of the sum of what each alone scores."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax import to_onnx
from fcn_jax.models import MODELS, late_fusion
from fcn_jax.to_onnx import networks
from tests.support import cases, published

NAMES = ("fcn32s_late_fusion", "fcn16s_late_fusion")
SMALL = {"num_classes": 3, "width": 1 / 32, "fc_features": 64}


def create(name=NAMES[0], **options):
    return fcn_jax.create(name, **SMALL | options)


def images_of(shape, dtype="float32"):
    halves = [cases.random_images(shape, seed, dtype) for seed in (0, 1)]
    return jnp.concatenate(halves, axis=-1)


def of_stream(variables, stream):
    """The variables of one net, under the names that it has alone."""
    return {
        kind: {
            layer.removesuffix(stream): parts
            for layer, parts in found.items()
            if layer.endswith(stream)
        }
        for kind, found in variables.items()
    }


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "options"),
    (
        (NAMES[0], {"padding": "caffe"}),
        (NAMES[1], {"padding": "same", "batch_norm": True}),
    ),
)
def test_scores_are_the_mean_of_those_of_two_nets(name, options):
    """Upsampling and cropping are linear: the mean may as well come last.

    What padding holds makes no difference, as it makes none to either net.
    """
    with jax.enable_x64(True):
        model = create(name, param_dtype="float64", **options)
        variables = cases.random_variables(model)
        images = images_of((1, 24, 33), "float64")
        height, width = 21, 30
        sizes = jnp.array([(height, width)], jnp.int32)
        padded = images.at[:, height:].set(jnp.nan).at[:, :, width:].set(jnp.nan)
        found = cases.quick_jit(model.apply)(variables, padded, sizes)
        apply = cases.quick_jit(model.alone().apply)
        seen = images[:, :height, :width]
        color, hha = (
            apply(of_stream(variables, stream), seen[..., 3 * i : 3 * i + 3])
            for i, stream in enumerate(model.streams)
        )
        assert np.abs(color - hha).max() > 0.1
        np.testing.assert_allclose(
            found[:, :height, :width],
            0.5 * color + 0.5 * hha,
            atol=1e-10 * np.abs(color).max(),
        )


def test_the_layers_are_those_of_the_release():
    """nyud-fcn32s-color-hha: two VGG-16, names with those of their streams behind."""
    params = cases.variable_shapes(fcn_jax.create(NAMES[0], 40))["params"]
    expected = {}
    for stream in ("color", "hha"):
        for layer, (side, given, made) in published.FCN32S.items():
            made = 40 if layer == "score_fr" else made
            expected[f"{layer}{stream}"] = {
                "kernel": (side, side, given, made),
                "bias": (made,),
            }
    found = {
        layer: {part: leaf.shape for part, leaf in parts.items()}
        for layer, parts in params.items()
    }
    assert found == expected
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count == 2 * (14_714_688 + 102_764_544 + 16_781_312 + 40 * 4097)


@pytest.mark.long
def test_a_fresh_net_scores_every_class_zero(key):
    model = create(padding="same")
    logits, _ = cases.quick_jit(model.init_with_output)(key, images_of((1, 9, 7)))
    assert logits.shape == (1, 9, 7, 3)
    assert not np.any(logits)


def test_every_parameter_of_both_learns_and_drops_for_itself(key):
    model = create(padding="same", upsampling="learned")
    variables = cases.random_variables(model)
    images = images_of((1, 40, 24))
    pull = cases.random_images((1, 40, 24), seed=1)

    @cases.quick_jit
    def gradient(params, key):
        def loss(params):
            logits = model.apply(
                {"params": params}, images, train=True, rngs={"dropout": key}
            )
            return jnp.vdot(logits, pull)

        return jax.grad(loss)(params)

    found = gradient(variables["params"], key)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        assert np.abs(leaf).max() > 0, jax.tree_util.keystr(path)
    dropped = [np.all(found[f"score_fr{s}"]["kernel"] == 0, axis=-1) for s in
               model.streams]  # fmt: skip
    assert not np.array_equal(*dropped)


def test_heads_score_the_mean_too():
    model = create(num_classes={"semantic": 3, "geometric": 2}, padding="same")
    variables = cases.random_variables(model)
    assert "score_fr_geometrichha" in variables["params"]
    logits = cases.quick_jit(model.apply)(variables, images_of((1, 8, 8)))
    assert {head: x.shape[-1] for head, x in logits.items()} == model.heads


def test_the_bits_of_a_frozen_stream():
    """Patterns name the layers of BatchNorm with the stream."""
    model = create(padding="same", batch_norm=True, freeze_batch_norm=("*color",))
    variables = cases.random_variables(model)
    _, found = cases.quick_jit(
        lambda v, x: model.apply(
            v,
            x,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(0)},
        )
    )(variables, images_of((1, 16, 16)))
    before, after = variables["batch_stats"], found["batch_stats"]
    for layer in before:
        same = np.array_equal(before[layer]["mean"], after[layer]["mean"])
        assert same == layer.endswith("color"), layer


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_value(name):
    assert issubclass(MODELS[name], late_fusion.LateFusion)
    one, two = create(name, batch_norm=True), create(name, batch_norm=True)
    assert one == two
    assert hash(one) == hash(two)
    assert pickle.loads(pickle.dumps(one)) == one
    assert one.channels == 6
    assert one.alone().channels == 3
    assert type(one.alone()) is MODELS[name.removesuffix("_late_fusion")]


def test_images_of_other_channels_are_refused():
    model = create(padding="same")
    variables = cases.random_variables(model)
    with pytest.raises(ValueError, match=r"expected \[N, H, W, 6\]"):
        model.apply(variables, cases.random_images((1, 8, 8)))


def test_onnx_does_not_know_it():
    assert to_onnx.OUTPUTS
    with pytest.raises(ValueError, match="LateFusion.trunk is not known in ONNX"):
        networks.checked(create())
