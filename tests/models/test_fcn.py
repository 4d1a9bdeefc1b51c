"""The heads of the FCN nets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax.models
from fcn_jax.models import fcn, layers
from fcn_jax.models.encoders import vgg
from fcn_jax.ops import bilinear
from tests.support import cases
from tests.support.paths import GOLDEN

NUM_PARAMETERS = {
    "fcn32s": 134_346_581,
    "fcn16s": 134_357_354,
    "fcn8s": 134_362_751,
    "fcn8s_atonce": 134_362_751,
}
SKIPS = ((), ("pool4",), ("pool4", "pool3"))


def small(name, **options):
    options = {"num_classes": 3, "width": 1 / 32, "fc_features": 256} | options
    return fcn_jax.models.create(name, **options)


def with_params(variables, **replaced):
    return {"params": variables["params"] | replaced}


@pytest.mark.parametrize("name", NUM_PARAMETERS)
def test_number_of_parameters(name):
    params = cases.variable_shapes(fcn_jax.models.create(name))["params"]
    leaves = jax.tree.leaves(params)
    assert sum(int(np.prod(leaf.shape)) for leaf in leaves) == NUM_PARAMETERS[name]


@pytest.mark.parametrize("table", cases.PARAMETER_TABLES)
def test_parameter_table(table):
    name, options = cases.PARAMETER_TABLES[table]
    model = fcn_jax.models.create(name, **options)
    file = GOLDEN / f"parameters_{table}.txt"
    assert cases.parameter_table(model) == file.read_text()


def test_crop_offsets_of_the_published_nets():
    assert {skips: fcn.crop_offsets(vgg.VGG16(), skips) for skips in SKIPS} == {
        (): {"upscore": 19},
        ("pool4",): {"score_pool4": 5, "upscore16": 27},
        ("pool4", "pool3"): {"score_pool4": 5, "score_pool3": 9, "upscore8": 31},
    }


def test_same_padding_crops_the_upsampled_map():
    assert {
        skips: fcn.crop_offsets(vgg.VGG16(padding="same"), skips) for skips in SKIPS
    } == {
        (): {"upscore": 16},
        ("pool4",): {"score_pool4": -1, "upscore16": 8},
        ("pool4", "pool3"): {"score_pool4": -1, "score_pool3": -1, "upscore8": 4},
    }


@pytest.mark.parametrize("pad", (81, 90, 120))
def test_offsets_as_a_function_of_the_padding(monkeypatch, pad):
    """P-81, P-73 and P-69; those of the skips do not depend on it."""
    monkeypatch.setitem(vgg.PADDINGS, "caffe", (pad, 0))
    last = [list(fcn.crop_offsets(vgg.VGG16(), skips).values())[-1] for skips in SKIPS]
    assert last == [pad - 81, pad - 73, pad - 69]
    assert fcn.crop_offsets(vgg.VGG16(), SKIPS[-1])["score_pool4"] == 5
    assert fcn.crop_offsets(vgg.VGG16(), SKIPS[-1])["score_pool3"] == 9


@pytest.mark.long
def test_at_once_is_8s_with_smaller_score_weights():
    at_once = small("fcn8s_atonce")
    variables = cases.random_variables(at_once)
    params = variables["params"]
    scaled = {
        name: params[name] | {"kernel": params[name]["kernel"] * scale}
        for name, scale in (("score_pool4", 1e-2), ("score_pool3", 1e-4))
    }
    images = cases.random_images((1, 30, 41))
    ours = evaluate(at_once, variables, images)
    theirs = evaluate(small("fcn8s"), with_params(variables, **scaled), images)
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max())
    unscaled = evaluate(small("fcn8s"), variables, images)
    assert np.abs(unscaled - ours).max() > 0.1


def of_scores(module, method):
    return isinstance(module, layers.Score)


@pytest.mark.long
def test_16s_from_32s_upsamples_its_scores_in_two_steps():
    """With score_pool4 still zero: by 2, then by 16, cropped at 27."""
    images = cases.random_images((1, 40, 70))
    model = small("fcn32s")
    variables = cases.random_variables(model)
    fresh = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
        cases.variable_shapes(small("fcn16s"))["params"]["score_pool4"],
    )
    ours = evaluate(small("fcn16s"), with_params(variables, score_pool4=fresh), images)
    _, captured = cases.quick_jit(
        lambda v, x: model.apply(v, x, capture_intermediates=of_scores)
    )(variables, images)
    scores = captured["intermediates"]["score_fr"]["__call__"][0]
    twice = bilinear.bilinear_upsample(bilinear.bilinear_upsample(scores, 2), 16)
    theirs = twice[:, 27 : 27 + 40, 27 : 27 + 70]
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max())


def test_first_row_of_32s_is_upsampled_from_one_cell():
    """Row 19 of upscore has weight 1 - 12.5/32 from cell 0: no renormalising."""
    model = small("fcn32s", num_classes=2)
    zeros = jax.tree.map(lambda v: jnp.zeros(v.shape), cases.variable_shapes(model))
    score = {"kernel": zeros["params"]["score_fr"]["kernel"], "bias": jnp.ones(2)}
    variables = with_params(zeros, score_fr=score)
    logits = evaluate(model, variables, jnp.ones((1, 64, 64, 3)))
    column = logits[0, :, 32, 0]  # score_fr is 1 everywhere.
    np.testing.assert_allclose(column[0], 0.609375, rtol=1e-6)
    np.testing.assert_allclose(column[32], 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("net", "upsampling", "learned"),
    (
        ("fcn32s", "learned", {"upscore"}),
        ("fcn32s", "learned_2x", set()),
        ("fcn16s", "learned", {"upscore2", "upscore16"}),
        ("fcn16s", "learned_2x", {"upscore2"}),
        ("fcn8s", "learned", {"upscore2", "upscore_pool4", "upscore8"}),
        ("fcn8s", "learned_2x", {"upscore2", "upscore_pool4"}),
    ),
)
def test_learned_upsampling_starts_as_the_fixed(net, upsampling, learned):
    model = small(net, upsampling=upsampling)
    variables = cases.random_variables(model)
    names = {name for name in variables["params"] if name.startswith("upscore")}
    assert names == learned
    for name in names:
        kernel = variables["params"][name]["kernel"]
        bilinear_kernel = bilinear.bilinear_kernel(kernel.shape[0], 3)
        variables["params"][name] = {"kernel": jnp.asarray(bilinear_kernel, "float32")}
    images = cases.random_images((1, 30, 41))
    logits = evaluate(model, variables, images)
    params = {k: v for k, v in variables["params"].items() if k not in names}
    expected = evaluate(small(net), {"params": params}, images)
    tolerance = 1e-6 * np.abs(expected).max()
    np.testing.assert_allclose(logits, expected, atol=tolerance)


def evaluate(model, variables, images, sizes=None):
    return cases.quick_jit(model.apply)(variables, images, sizes)


def trainer(model):
    """What a training step does with the model: logits and updates."""

    def apply(variables, images, ids=None, sizes=None):
        return model.apply(
            variables,
            images,
            sizes,
            train=True,
            example_ids=ids,
            rngs={"dropout": jax.random.key(0)},
            mutable=["batch_stats"],
        )

    return apply


def test_dropout_depends_on_the_example_only():
    model = small("fcn8s", padding="same")
    variables = cases.random_variables(model)
    images = cases.random_images((3, 40, 33))
    ids = jnp.array([5, 8, 2])
    train = cases.quick_jit(trainer(model))
    together, _ = train(variables, images, ids)
    for n in range(3):
        alone, _ = train(variables, images[n : n + 1], ids[n : n + 1])
        np.testing.assert_allclose(
            alone[0], together[n], atol=1e-5 * np.abs(together).max()
        )
    other, _ = train(variables, images, ids + 1)
    assert np.abs(other - together).max() > 1e-2
    plain = evaluate(model, variables, images)
    undropped = cases.quick_jit(
        trainer(small("fcn8s", padding="same", dropout_rate=0.0))
    )(variables, images)[0]
    np.testing.assert_allclose(plain, undropped, atol=1e-6 * np.abs(plain).max())


@pytest.mark.long
@pytest.mark.parametrize(
    "padding", ("caffe", pytest.param("same", marks=pytest.mark.slow))
)
def test_training_with_sizes_ignores_the_padding(padding):
    """Logits and running averages of BatchNorm, whatever the padding holds."""
    normalised = {"batch_norm": True, "batch_norm_fc": True}
    model = small("fcn8s", padding=padding, **normalised)
    variables = cases.random_variables(model)
    images = cases.random_images((2, 33, 40))
    sizes = jnp.array([(33, 21), (17, 40)], jnp.int32)
    train = cases.quick_jit(trainer(model))
    results = []
    for fill in (0.0, jnp.nan):
        padded = images.at[0, :, 21:].set(fill).at[1, 17:].set(fill)
        logits, updates = train(variables, padded, sizes=sizes)
        results.append((logits, updates))
        stats = updates["batch_stats"]
        assert stats.keys() == variables["batch_stats"].keys()
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(stats))
    jax.tree.map(np.testing.assert_array_equal, *results)
    frozen = small("fcn8s", padding=padding, freeze_batch_norm=True, **normalised)
    _, updates = cases.quick_jit(trainer(frozen))(variables, images, sizes=sizes)
    jax.tree.map(
        np.testing.assert_array_equal, updates["batch_stats"], variables["batch_stats"]
    )


def test_normalised_throughout_its_encoder_is_that_of_deconvnet():
    fcn = small("fcn32s", padding="same", batch_norm=True, batch_norm_fc=True)
    ours = cases.variable_shapes(fcn)
    assert ours["params"].keys() >= {"bnfc6", "bnfc7"}
    theirs = cases.variable_shapes(
        fcn_jax.create(
            "deconvnet",
            padding="same",
            width=fcn.encoder.width,
            fc_features=fcn.encoder.fc_features,
        )
    )
    for collection in ("params", "batch_stats"):
        for name, layer in ours[collection].items():
            if name != "score_fr":
                assert layer == theirs[collection][name], name


def test_first_statistics_are_those_of_the_images_alone():
    """Stacked side by side in one batch, bn1_1 counts what each image alone has."""
    model = small("fcn32s", padding="same", batch_norm=True, bn_momentum=0.0)
    variables = cases.random_variables(model)
    images = cases.random_images((2, 20, 30))
    sizes = jnp.array([(20, 11), (9, 30)], jnp.int32)
    _, updates = cases.quick_jit(trainer(model))(variables, images, sizes=sizes)
    params = variables["params"]["conv1_1"]
    conv = layers.Conv(params["kernel"].shape[-1], 3, pad=1)
    pixels = np.concatenate(
        [
            np.asarray(
                conv.apply({"params": params}, images[n : n + 1, :h, :w])
            ).reshape(h * w, -1)
            for n, (h, w) in enumerate(sizes.tolist())
        ]
    )
    stats = updates["batch_stats"]["bn1_1"]
    np.testing.assert_allclose(stats["mean"], pixels.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stats["var"], pixels.var(0), rtol=1e-4)


@pytest.mark.long
def test_biases_before_batch_norm_have_no_gradient_in_training():
    """BatchNorm takes them away again; frozen, it does not."""
    images = cases.random_images((1, 20, 20))

    def gradient(**options):
        model = small("fcn32s", padding="same", batch_norm=True, **options)
        variables = cases.random_variables(model)

        def loss(params):
            return trainer(model)(variables | {"params": params}, images)[0].sum()

        return cases.quick_jit(jax.grad(loss))(variables["params"])

    assert not gradient()["conv3_1"]["bias"].any()
    assert gradient(freeze_batch_norm=True)["conv3_1"]["bias"].any()


@pytest.mark.long
@pytest.mark.parametrize("padding", ("caffe", "same"))
def test_bfloat16_stays_near_float32(padding):
    model = small("fcn8s", padding=padding, batch_norm=True)
    variables = cases.random_variables(model)
    images = cases.random_images((1, 30, 41))
    wide = evaluate(model, variables, images)
    narrow = evaluate(model.with_encoder(dtype=jnp.bfloat16), variables, images)
    assert narrow.dtype == jnp.float32
    # 2**-8 a rounding, some dozen layers.
    np.testing.assert_allclose(narrow, wide, atol=0.1 * np.abs(wide).max())
    assert np.abs(narrow - wide).max() > 0


def test_images_of_another_shape():
    for shape in ((30, 40, 3), (1, 30, 40, 4), (1, 0, 40, 3)):
        with pytest.raises(
            ValueError, match=r"expected \[N, H, W, 3\] .* image\[None\]"
        ):
            small("fcn32s").init(jax.random.key(0), jnp.zeros(shape))


def test_images_that_were_not_preprocessed():
    images = jnp.zeros((1, 4, 4, 3), jnp.uint8)
    with pytest.raises(
        TypeError, match=r"dtype uint8; .* fcn_jax\.preprocess\(images\)"
    ):
        small("fcn32s").init(jax.random.key(0), images)


def test_sizes_beyond_the_images():
    model = small("fcn32s")
    variables = cases.random_variables(model)
    images = jnp.zeros((1, 4, 4, 3))
    message = r"sizes\[0\] = \(5, 4\) does not fit images of shape \(1, 4, 4, 3\)"
    with pytest.raises(ValueError, match=message):
        model.apply(variables, images, jnp.array([[5, 4]], jnp.int32))
    with pytest.raises(ValueError, match=message):
        model.apply(variables, images, np.array([[5, 4]]))


@pytest.mark.long
@pytest.mark.parametrize("dtype", ("uint8", "int64"))
def test_sizes_of_any_integer_dtype(dtype):
    model = small("fcn32s")
    variables = cases.random_variables(model)
    images = cases.random_images((1, 30, 70))
    sizes = np.array([[20, 65]])
    logits = evaluate(model, variables, images, jnp.asarray(sizes, "int32"))
    other = evaluate(model, variables, images, sizes.astype(dtype))
    np.testing.assert_array_equal(other, logits)


def test_unknown_upsampling():
    with pytest.raises(
        ValueError, match="upsampling='cubic' is not known; .* learned_2x"
    ):
        cases.variable_shapes(small("fcn8s", upsampling="cubic"))


def test_no_classes():
    with pytest.raises(
        ValueError, match="num_classes=0 is not positive; pass the number"
    ):
        cases.variable_shapes(small("fcn8s", num_classes=0))


def test_a_scale_for_every_skip():
    message = r"skip_scales=\(1.0,\) has 1 factors; FCN8s takes .* pool4, pool3"
    with pytest.raises(ValueError, match=message):
        cases.variable_shapes(small("fcn8s", skip_scales=(1.0,)))


def test_classes_hold_their_skips():
    assert fcn.FCN32s.skips == ()
    assert fcn_jax.create("fcn8s_atonce").skip_scales == (0.01, 0.0001)


def test_resizing_has_no_kernels_and_does_not_fade_at_the_edges():
    """Scores that are 1 everywhere: the transposed convolution fades, resizing not."""
    images = jnp.zeros((1, 40, 70, 3))
    for upsampling in ("fixed", "nearest", "bilinear"):
        model = small("fcn32s", padding="same", upsampling=upsampling)
        shapes = cases.variable_shapes(model)
        params = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes["params"])
        params["score_fr"]["bias"] += 1
        logits = cases.quick_jit(model.apply)({"params": params}, images)
        fades = upsampling == "fixed"
        assert bool((logits < 0.99).any()) == fades
        assert bool(model.fixed_upsampling()) == fades
        assert not [name for name in params if name.startswith("up")]


@pytest.mark.parametrize(("net", "output_stride"), (("fcn32s", 1), ("fcn8s", 4)))
def test_without_strides_scores_reach_every_pixel(net, output_stride):
    """Of scores that are 1 everywhere no pixel of the image is left out."""
    model = small(
        net, padding="same", output_stride=output_stride, upsampling="nearest"
    )
    shapes = cases.variable_shapes(model)
    params = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes["params"])
    params["score_fr"]["bias"] += 1
    logits = cases.quick_jit(model.apply)({"params": params}, jnp.zeros((1, 40, 33, 3)))
    np.testing.assert_array_equal(logits, np.ones_like(logits))


def test_cells_before_the_first():
    step = fcn.UpsamplingStep("upscore", 2, 1, "", -15)
    assert fcn.cells_before(step) == 15
    assert fcn.cells_before(step._replace(factor=8, offset=-8)) == 1
    assert fcn.cells_before(step._replace(factor=8, offset=-9)) == 2
    assert fcn.cells_before(step._replace(offset=19)) == 0
