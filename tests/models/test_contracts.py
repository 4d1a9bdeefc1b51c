"""What every entry of tests/cases.py promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax.models
from fcn_jax.models import layers
from tests.support import cases, quick_runs

every_case = pytest.mark.parametrize("case", cases.CASES, ids=str)
# What holds of one net of a kind will hold of the others, which are `slow`. Where every
# net is compiled, it has one convolution a stage.
FEW = {"fcn32s-same", "fcn8s-caffe-batch_norm", "deconvnet-same", "segnet"}
few_cases = pytest.mark.parametrize(
    "case",
    [
        case if str(case) in FEW else pytest.param(case, marks=pytest.mark.slow)
        for case in cases.CASES
    ],
    ids=str,
)
# Score layers of FCN start at zero.
from_zero = [x for x in cases.CASES if not x.batch_norm and x.model.startswith("fcn")]
_LAYERS = (layers.Conv, layers.Score, layers.Deconv, layers.BatchNorm, layers.Upscore)
SHAPE = (33, 50)
SIZES = ((33, 21), (1, 50))


def of_a_layer(module, method):
    return isinstance(module, _LAYERS)


def close(ours, theirs, tolerance):
    scale = np.abs(theirs).max()
    assert scale > 1e-3
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)


def check_sizes_contract(case, dtype, tolerance, num_alone):
    """Logits of a padded batch are those of each image alone."""
    model = case.create(param_dtype=dtype)
    variables = cases.random_variables(model)
    images = cases.random_images((len(SIZES), *SHAPE), dtype=dtype)
    sizes = jnp.array(SIZES, jnp.int32)
    apply = cases.quick_jit(model.apply)
    outside = np.ones(images.shape[:3], bool)
    for n, (height, width) in enumerate(SIZES):
        outside[n, :height, :width] = False
    logits = {
        fill: apply(variables, jnp.where(outside[..., None], fill, images), sizes)
        for fill in (0.0, 1e6, jnp.nan)
    }
    for fill in (1e6, jnp.nan):
        np.testing.assert_array_equal(logits[fill], logits[0.0])
    assert logits[0.0].dtype == dtype
    for n, (height, width) in enumerate(SIZES[:num_alone]):
        alone = apply(variables, images[n : n + 1, :height, :width])
        close(logits[0.0][n : n + 1, :height, :width], alone, tolerance)


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
@every_case
def test_padding_changes_nothing_in_float64(case):
    with jax.enable_x64(True):
        check_sizes_contract(case, "float64", 1e-12, len(SIZES))


@pytest.mark.slow
@few_cases
def test_padding_changes_nothing_in_float32(case):
    check_sizes_contract(case, "float32", 1e-5, 1)


@pytest.mark.long
@few_cases
def test_jit_is_eager_and_full_sizes_are_none(case):
    model = case.create()
    variables = cases.random_variables(model)
    images = cases.random_images((2, *SHAPE))
    eager = model.apply(variables, images)
    assert (eager.shape, eager.dtype) == ((2, *SHAPE, 3), jnp.float32)
    # Fused, a multiplication and an addition round once: 1.01e-6 on one processor.
    close(jax.jit(model.apply)(variables, images), eager, 2e-6)
    full = jnp.array([SHAPE] * 2, jnp.int32)
    close(model.apply(variables, images, full), eager, 1e-6)


@pytest.mark.usefixtures("shallow_nets")
@every_case
def test_every_parameter_gets_a_gradient(case):
    model = case.create(**case.learned)
    variables = cases.random_variables(model)
    images = cases.random_images((1, 40, 24))
    pull = cases.random_images((1, 40, 24), seed=1)  # Three classes, three channels.

    @cases.quick_jit
    def gradient(params):
        def loss(params):
            return jnp.vdot(model.apply(variables | {"params": params}, images), pull)

        return jax.grad(loss)(params)

    for path, leaf in jax.tree_util.tree_leaves_with_path(
        gradient(variables["params"])
    ):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(leaf).all(), name
        assert np.abs(leaf).max() > 0, name


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
@pytest.mark.parametrize("case", from_zero, ids=str)
def test_a_fresh_net_scores_every_class_zero(case, key):
    """So the loss is ln C and the prediction class 0."""
    model = case.create()
    images = cases.random_images((1, 9, 7))
    logits, _ = cases.quick_jit(model.init_with_output)(key, images)
    np.testing.assert_array_equal(logits, np.zeros((1, 9, 7, 3)))
    loss = -jax.nn.log_softmax(logits)[..., 1].mean()
    np.testing.assert_allclose(loss, np.log(3), rtol=1e-6)
    assert not logits.argmax(-1).any()


@every_case
@pytest.mark.parametrize("shape", ((1, 1), (1, 7), (33, 65), (64, 2), (97, 31)))
def test_logits_have_the_size_of_the_image(case, shape):
    model = case.create()
    images = jax.ShapeDtypeStruct((2, *shape, 3), jnp.float32)
    variables = cases.variable_shapes(model)
    logits = jax.eval_shape(model.apply, variables, images)
    assert (logits.shape, logits.dtype) == ((2, *shape, 3), jnp.float32)


@pytest.mark.long
@every_case
def test_bfloat16_computes_narrow_and_scores_wide(case):
    model = case.create(dtype="bfloat16")
    variables = cases.variable_shapes(model)
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(variables)}
    assert dtypes == {jnp.dtype("float32")}
    images = jax.ShapeDtypeStruct((1, *SHAPE, 3), jnp.float32)
    _, captured = jax.eval_shape(
        lambda v, x: model.apply(v, x, capture_intermediates=of_a_layer),
        variables,
        images,
    )
    for name, outputs in captured["intermediates"].items():
        if "__call__" not in outputs:  # A map that DeconvNet sows.
            continue
        scores = "score" in name or name.endswith("_ms") or name == case.score
        expected = jnp.float32 if scores else jnp.bfloat16
        assert outputs["__call__"][0].dtype == expected, name
    last = case.create().encoder.convolutions()[-1]
    assert {"conv1_1", last, case.score} < captured["intermediates"].keys()


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
@few_cases
def test_lowers_for_gpu_and_tpu(case):
    model = case.create()
    images = jax.ShapeDtypeStruct((2, 20, 30, 3), jnp.float32)
    sizes = jax.ShapeDtypeStruct((2, 2), jnp.int32)
    variables = cases.variable_shapes(model)

    def evaluate(variables, images, sizes):
        return model.apply(variables, images, sizes)

    def train(variables, images, sizes, key):
        def loss(params):
            logits, _ = model.apply(
                variables | {"params": params},
                images,
                sizes,
                train=True,
                rngs={"dropout": key},
                mutable=["batch_stats"],
            )
            return logits.sum()

        return jax.grad(loss)(variables["params"])

    key = jax.eval_shape(lambda: jax.random.key(0))
    both = {"platforms": ("cuda", "tpu")}
    jax.export.export(jax.jit(evaluate), **both)(variables, images, sizes)
    jax.export.export(jax.jit(train), **both)(variables, images, sizes, key)


@pytest.mark.long
@pytest.mark.parametrize("model", ("fcn8s", "deconvnet"))
def test_one_compilation_for_images_of_any_sizes(model):
    """Sizes are values, not shapes: a padded batch of any mixture is one program."""
    case = cases.Case(model, {"padding": "same"})
    net = case.create()
    variables = cases.random_variables(net)
    images = cases.random_images((2, 48, 40))
    traced = []

    @cases.quick_jit
    def run(variables, images, sizes):
        traced.append(sizes)
        return net.apply(variables, images, sizes)

    for sizes in ([[48, 40]] * 2, [[1, 1], [48, 40]], [[31, 7], [17, 33]]):
        logits = run(variables, images, jnp.array(sizes, jnp.int32))
        assert np.isfinite(logits).all()
    assert len(traced) == 1


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
@pytest.mark.parametrize("model", ("fcn32s", "fcn16s", "fcn8s", "fcn8s_atonce"))
def test_scores_of_fcn_are_the_same_alone_and_in_a_batch(model):
    """But for the last bits, on some processors, as docs/evaluation.md says."""
    net = cases.Case(model, {"padding": "same"}).create()
    variables = cases.random_variables(net)
    images = cases.random_images((3, 33, 48))
    run = jax.jit(net.apply)
    together = run(variables, images)
    for image, found in zip(images, together, strict=True):
        alone = run(variables, image[None])[0]
        np.testing.assert_allclose(alone, found, rtol=0, atol=1e-6 * abs(found).max())


@pytest.mark.parametrize(
    ("name", "deep", "alike"),
    (("fcn32s", 16, 8), ("deconvnet", 30, 16), ("segnet", 26, 16)),
)
def test_nets_are_shallow_no_longer_than_asked_for(name, deep, alike):
    """Of quick runs: VGG-16 has 8 convolutions that follow another, as its mirrors."""
    model = fcn_jax.models.create(name, 3, width=1 / 32)

    def count():
        params = cases.variable_shapes(model)["params"]
        return sum("kernel" in layer for layer in params.values())

    assert count() == deep
    with quick_runs.shallow():
        assert count() == deep - alike
    assert count() == deep
