"""DeepLab: where its logits lie, what the multi-scale nets add, what is refused."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax.models import layers
from fcn_jax.models.deeplab import BRANCHES
from fcn_jax.models.encoders import VGG16
from fcn_jax.models.encoders.deeplab import DeepLabVGG16
from fcn_jax.ops import interp
from tests.support import cases

SMALL = {"num_classes": 3, "width": 1 / 32, "fc_features": 256}
MSC = "deeplab_msc_largefov"


def create(name=MSC, **options):
    return fcn_jax.create(name, **SMALL | options)


@pytest.fixture(scope="module")
def msc():
    model = create(dropout_rate=0.0)
    return model, cases.random_variables(model)


def test_logits_at_the_cells_are_the_scores():
    """So that a loss on labels shrunk by 8 sees what the released nets' does."""
    model = create("deeplab")
    variables = cases.random_variables(model)
    images = cases.random_images((1, 33, 42))
    apply = cases.quick_jit(lambda v, x: model.apply(v, x, capture_intermediates=True))
    logits, captured = apply(variables, images)
    scores = captured["intermediates"]["fc8_score"]["__call__"][0]
    assert scores.shape == (1, 5, 7, 3)  # The last column lies on pixel 48.
    np.testing.assert_allclose(
        interp.shrink(logits, 8), scores[:, :5, :6], rtol=0, atol=1e-6
    )
    between = (logits[:, 0, 8] + logits[:, 0, 16]) / 2
    np.testing.assert_allclose(logits[:, 0, 12], between, rtol=0, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("shape", ((65, 33), (40, 30)))
def test_the_net_of_training_is_that_of_use_at_every_eighth_pixel(msc, shape):
    """The prototxts of MSc: branches of stride 8, 4, 2, 1, 1 or zooms of 1, 2, 4, 8, 8.

    Sizes whose last cell lies on the last pixel, and others.
    """
    model, variables = msc
    images = cases.random_images((1, *shape))
    used = cases.quick_jit(model.apply)(variables, images)
    trained = cases.quick_jit(lambda v, x: model.apply(v, x, train=True))(
        variables, images
    )
    assert trained.shape == used.shape
    ours, theirs = (interp.shrink(x, 8) for x in (trained, used))
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * scale)
    assert np.abs(trained - used).max() > 0.01 * scale  # Between they differ.


@pytest.mark.long
def test_a_sum_of_scores_is_one_classifier_of_all_maps(msc):
    """The paper concatenates 1024 + 5 x 128 channels; the released net adds scores."""
    model, variables = msc
    images = cases.random_images((1, 17, 25))
    seen = {}

    def watched(score, args, kwargs, context):
        if isinstance(context.module, layers.Score):
            seen[context.module.name] = args[0]
        return score(*args, **kwargs)

    with nn.intercept_methods(watched):
        fused = interp.shrink(model.apply(variables, images, train=True), 8)
    names = list(seen)
    assert names == ["fc8_score", *(f"{x.source}_ms" for x in BRANCHES)]
    maps = jnp.concatenate([seen[name] for name in names], axis=-1)
    assert maps.shape[1:] == (3, 4, 8 + 5 * 4)
    params = variables["params"]
    kernel = np.concatenate([params[name]["kernel"][0, 0] for name in names])
    bias = np.sum([params[name]["bias"] for name in names], axis=0)
    scores = np.einsum("nhwf,fc->nhwc", np.asarray(maps), kernel) + bias
    np.testing.assert_allclose(fused, scores, rtol=0, atol=1e-5 * np.abs(scores).max())


@pytest.mark.long
def test_branches_start_as_in_the_prototxt():
    model = fcn_jax.create(MSC, 3, width=1 / 8, fc_features=32)
    init = cases.quick_jit(model.init)
    found = init(jax.random.key(0), jnp.ones((1, 9, 9, 3)))["params"]
    deviations = {
        "data_conv": 1e-3, "pool4_conv": 1e-3, "pool1_fc": 1e-3, "pool4_fc": 5e-3,
        "data_ms": 1e-2, "pool3_ms": 0, "fc8_score": 1e-2,
    }  # fmt: skip
    for name, expected in deviations.items():
        kernel = np.asarray(found[name]["kernel"])
        assert kernel.std() == pytest.approx(expected, rel=0.5), name
        assert not np.any(found[name]["bias"]), name


@pytest.mark.long
def test_dropout_is_of_the_branches_too(msc):
    model, variables = msc
    model = model.clone(encoder=model.encoder.clone(dropout_rate=0.5))
    images = cases.random_images((1, 9, 9))

    def of(key):
        rngs = {"dropout": jax.random.key(key)}
        _, seen = model.apply(
            variables, images, train=True, rngs=rngs, capture_intermediates=True
        )
        return seen["intermediates"]["pool2_ms"]["__call__"][0]

    assert np.abs(of(0) - of(1)).max() > 0
    np.testing.assert_array_equal(of(1), of(1))


def test_several_heads():
    model = create(num_classes={"kind": 3, "side": 2})
    shapes = cases.variable_shapes(model)["params"]
    assert shapes["fc8_score_kind"]["kernel"].shape == (1, 1, 8, 3)
    assert shapes["pool1_ms_side"]["kernel"].shape == (1, 1, 4, 2)
    images = jax.ShapeDtypeStruct((1, 12, 10, 3), jnp.float32)
    found = jax.eval_shape(model.apply, {"params": shapes}, images)
    assert {head: x.shape[1:] for head, x in found.items()} == {
        "kind": (12, 10, 3), "side": (12, 10, 2)
    }  # fmt: skip


def test_an_fcn_on_the_same_encoder_lies_on_the_same_pixels():
    """FCN-32s' kernel by the rule that lays its cells on the image: 15 of stride 8."""
    fcn = fcn_jax.create("fcn32s", encoder="deeplab", variant="4x4", **SMALL)
    ours = create("deeplab")
    variables = cases.random_variables(ours)
    params = dict(variables["params"])
    params["score_fr"] = params.pop("fc8_score")
    images = cases.random_images((1, 16, 11))
    expected = cases.quick_jit(ours.apply)(variables, images)
    found = cases.quick_jit(fcn.apply)({"params": params}, images)
    # Beyond the last cell FCN's kernel fades; no pixel of an image lies there.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_other_encoders_are_refused():
    with pytest.raises(
        TypeError,
        match=r"DeepLab: the first cell of fc7 of the encoder VGG16 lies on pixel 15.5",
    ):
        create("deeplab", encoder="vgg16", padding="same").init(
            jax.random.key(0), jnp.ones((1, 8, 8, 3))
        )
    deeplab = type(create())

    class Other(DeepLabVGG16):
        """Whose poolings have other names."""

        def coordinate_maps(self):
            maps = super().coordinate_maps()
            return {name: x for name, x in maps.items() if name != "pool3"}

    with pytest.raises(TypeError, match="encoder Other has no map 'pool3'; pass a Dee"):
        deeplab(encoder=Other(), num_classes=3).init(
            jax.random.key(0), jnp.ones((1, 8, 8, 3))
        )


def test_its_encoder_is_its_own():
    model = create("deeplab_7x7")
    assert isinstance(model.encoder, DeepLabVGG16)
    assert model.encoder.variant == "7x7"
    assert isinstance(fcn_jax.create("fcn8s").encoder, VGG16)
    with pytest.raises(ValueError, match="option 'variant' of model 'deeplab' is not"):
        create("deeplab", variant="7x7")
