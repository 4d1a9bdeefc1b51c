"""The dense CRF: against brute force and a lattice of dictionaries, by hand, limits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax import crf
from fcn_jax.crf.checks import NORMALIZATIONS
from tests.support.crf_scenes import SMALL, scene
from tests.support.lattices import dictionary_lattice
from tests.support.paths import GOLDEN

# Every lattice takes seconds to compile: of many alike, one is quick to test.
slow = pytest.mark.slow
SOME_NORMALIZATIONS = tuple(
    pytest.param(name, marks=() if name == "symmetric" else slow)
    for name in NORMALIZATIONS
)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def reference(unary, image, kernels, normalization, iterations, compatibility=None):
    """Mean field in NumPy float64; kernels are (weight, function of values)."""
    flat = unary.reshape(-1, unary.shape[-1]).astype(np.float64)
    ones = np.ones((len(flat), 1))
    probs = softmax(-flat)
    for _ in range(iterations):
        support = np.zeros_like(flat)
        for weight, apply in kernels:
            n = apply(ones) + 1e-20
            message = {
                "no": lambda q, apply=apply: apply(q),
                "before": lambda q, apply=apply, n=n: apply(q / n),
                "after": lambda q, apply=apply, n=n: apply(q) / n,
                "symmetric": lambda q, apply=apply, n=n: (
                    apply(q / np.sqrt(n)) / np.sqrt(n)
                ),
            }[normalization](probs)
            support += weight * message
        if compatibility is not None:
            support = -support @ compatibility.T
        probs = softmax(support - flat)
    return probs.reshape(unary.shape)


def features(image, smooth_xy, bilateral_xy, bilateral_rgb, **_):
    row, column = np.indices(image.shape[:2]).astype(np.float64)
    position = np.stack([column, row], -1).reshape(-1, 2)
    colour = image.reshape(-1, 3).astype(np.float64)
    return position / smooth_xy, np.concatenate(
        [position / bilateral_xy, colour / bilateral_rgb], 1
    )


def brute_force(points):
    kernel = np.exp(-0.5 * ((points[:, None] - points[None]) ** 2).sum(-1))
    return lambda values: kernel @ values


def by_dictionary(points):
    return lambda values: dictionary_lattice(points, values)[0]


def expected(unary, image, make, normalization, compatibility=None, **changes):
    options = SMALL | changes
    weights = options["smooth_weight"], options["bilateral_weight"]
    kernels = [
        (weight, make(points))
        for weight, points in zip(weights, features(image, **options), strict=True)
    ]
    return reference(
        unary, image, kernels, normalization, options["iterations"], compatibility
    )


@pytest.mark.parametrize("normalization", SOME_NORMALIZATIONS)
@pytest.mark.parametrize(
    ("method", "make"), (("exact", brute_force), ("lattice", by_dictionary))
)
def test_mean_field_in_numpy(method, make, normalization):
    unary, image = scene()
    found = crf.mean_field(
        unary, image, **SMALL, normalization=normalization, method=method
    )
    assert (found.shape, found.dtype) == (unary.shape, jnp.float32)
    np.testing.assert_allclose(
        found, expected(unary, image, make, normalization), rtol=0, atol=2e-5
    )


def test_a_full_compatibility_and_weights_by_class():
    unary, image = scene()
    cost = np.array([[0, 1, 2], [1, 0, 0.5], [0.3, 0.5, -0.2]])
    weight = np.array([0.5, 1.0, 2.0])
    found = crf.mean_field(
        unary,
        image,
        **SMALL | {"bilateral_weight": weight},
        normalization="after",
        compatibility=cost,
        method="exact",
    )
    want = expected(unary, image, brute_force, "after", cost, bilateral_weight=weight)
    np.testing.assert_allclose(found, want, rtol=0, atol=2e-5)


@pytest.mark.parametrize("method", ("exact", pytest.param("lattice", marks=slow)))
def test_potts_as_a_matrix_is_potts(method):
    unary, image = scene()
    run = functools.partial(crf.mean_field, unary, image, **SMALL, method=method)
    np.testing.assert_allclose(run(compatibility=1 - np.eye(3)), run(), atol=2e-6)


def test_two_pixels_by_hand():
    """Of one colour, a deviation apart: k = exp(-1/2) smooth, exp(-1/8) bilateral."""
    unary = np.array([[[0.0, 1.0], [0.5, 0.0]]], np.float32)
    image = np.full((1, 2, 3), 9, np.uint8)
    found = crf.mean_field(
        unary,
        image,
        smooth_xy=1.0,
        smooth_weight=0.3,
        bilateral_xy=2.0,
        bilateral_rgb=5.0,
        bilateral_weight=0.7,
        iterations=1,
        normalization="no",
        method="exact",
    )
    q = softmax(-unary[0].astype(np.float64))
    own, other = 0.3 + 0.7, 0.3 * np.exp(-1 / 2) + 0.7 * np.exp(-1 / 8)
    want = softmax(own * q + other * q[::-1] - unary[0])
    np.testing.assert_allclose(found[0], want, rtol=1e-5)


@pytest.mark.parametrize("method", ("exact", pytest.param("lattice", marks=slow)))
def test_no_weights_or_no_iterations_give_the_softmax(method):
    unary, image = scene()
    for changes in (
        {"smooth_weight": 0.0, "bilateral_weight": 0.0},
        {"iterations": 0},
    ):
        found = crf.mean_field(unary, image, **SMALL | changes, method=method)
        np.testing.assert_allclose(found, softmax(-unary), atol=1e-6)


@pytest.mark.parametrize("method", ("exact", "lattice"))
@pytest.mark.parametrize(
    ("shape", "num_classes"),
    (((1, 1), 3), ((5, 7), 2), pytest.param((1, 9), 2, marks=slow)),
)
def test_small_and_few(method, shape, num_classes):
    unary, image = scene(shape, num_classes)
    found = crf.mean_field(unary, image, **SMALL, method=method)
    make = brute_force if method == "exact" else by_dictionary
    want = expected(unary, image, make, "symmetric")
    np.testing.assert_allclose(found, want, atol=2e-5)


def test_an_image_of_one_colour_is_smoothed():
    unary, image = scene()
    image[:] = 128
    found = crf.mean_field(unary, image, **SMALL)
    want = expected(unary, image, by_dictionary, "symmetric")
    np.testing.assert_allclose(found, want, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_lattice_and_exact_agree_mostly(normalization):
    unary, image = scene((24, 32))
    lattice, exact = (
        crf.mean_field(
            unary, image, **SMALL, normalization=normalization, method=method
        )
        for method in ("lattice", "exact")
    )
    assert (lattice.argmax(-1) == exact.argmax(-1)).mean() > 0.95
    if normalization != "no":  # Without, both are all but certain.
        # The two differ: they are not the same code.
        assert np.abs(lattice - exact).max() > 1e-3


@pytest.mark.long
@pytest.mark.parametrize("method", ("exact", "lattice"))
def test_images_of_other_sizes_in_one_batch(method):
    shapes = ((10, 12), (7, 12), (10, 5))
    alone, unaries, images = [], [], []
    for seed, (height, width) in enumerate(shapes):
        unary, image = scene((height, width), seed=seed)
        alone.append(crf.mean_field(unary, image, **SMALL, method=method))
        pads = ((0, 10 - height), (0, 12 - width), (0, 0))
        unaries.append(np.pad(unary, pads, constant_values=np.nan))
        images.append(np.pad(image, pads, constant_values=200))
    together = crf.mean_field(
        np.stack(unaries),
        np.stack(images),
        **SMALL,
        method=method,
        sizes=np.array(shapes, np.int32),
    )
    for found, want, (height, width) in zip(together, alone, shapes, strict=True):
        np.testing.assert_allclose(found[:height, :width], want, atol=1e-6)


@pytest.mark.parametrize("method", ("exact", "lattice"))
def test_within_shard_map(method):
    """Loops begin with arrays that vary over the devices as those they go on with."""
    mesh = jax.sharding.Mesh(np.asarray(jax.devices()[:2]), ("batch",))
    spread = jax.sharding.PartitionSpec("batch")
    run = functools.partial(crf.mean_field, **SMALL, method=method)
    run = jax.shard_map(run, mesh=mesh, in_specs=(spread, spread), out_specs=spread)
    unary = jax.ShapeDtypeStruct((2, 4, 5, 3), jnp.float32)
    image = jax.ShapeDtypeStruct((2, 4, 5, 3), jnp.uint8)
    assert jax.eval_shape(run, unary, image).shape == unary.shape


def test_sizes_of_few_bits():
    """Row 257 is beyond row 1, though uint8 counts from 0 again."""
    unary = np.full((1, 258, 2, 2), np.log(2), np.float32)
    unary[:, 256:] = np.nan
    image = np.zeros((1, 258, 2, 3), np.uint8)
    numbers = {**SMALL, "iterations": 0}
    found = crf.mean_field(
        unary, image, **numbers, method="exact", sizes=np.array([[4, 2]], np.uint8)
    )
    np.testing.assert_allclose(found[:, :4], 0.5, atol=1e-6)


def test_jit_is_eager():
    unary, image = scene()
    eager = crf.mean_field(unary, image, **SMALL)
    jitted = jax.jit(functools.partial(crf.mean_field, **SMALL, capacity=700))
    np.testing.assert_allclose(jitted(unary, image), eager, atol=1e-6)


@pytest.mark.parametrize(
    "method", ("exact", pytest.param("lattice", marks=pytest.mark.long))
)
def test_gradients(method):
    unary, image = scene((4, 5))
    with jax.enable_x64(True):
        unary = jnp.asarray(unary, jnp.float64)
        pull = jax.random.normal(jax.random.key(0), unary.shape, jnp.float64)
        point = {
            "unary": unary,
            "smooth_weight": jnp.asarray(0.8),
            "bilateral_weight": jnp.asarray([0.5, 1.0, 1.5]),
            "compatibility": 1 - jnp.eye(3) + 0.1,
        }
        fixed = {k: v for k, v in SMALL.items() if k not in point}

        def loss(values):
            probs = crf.mean_field(
                image=image, method=method, capacity=120, **fixed, **values
            )
            return jnp.vdot(probs, pull)

        found = jax.jit(jax.grad(loss))(point)
        value = jax.jit(loss)
        rng = np.random.default_rng(0)
        for name, gradient in found.items():
            way = jnp.asarray(rng.normal(size=gradient.shape))
            ahead, behind = (
                value(point | {name: point[name] + sign * 1e-5 * way})
                for sign in (1, -1)
            )
            numeric = (ahead - behind) / 2e-5
            np.testing.assert_allclose(
                jnp.vdot(gradient, way), numeric, rtol=1e-5, atol=1e-9, err_msg=name
            )
            assert abs(numeric) > 1e-4, name


@pytest.mark.long
def test_under_jit_what_is_wrong_comes_back_as_nan():
    unary, image = scene()
    run = jax.jit(functools.partial(crf.mean_field, **SMALL, capacity=700))
    unary[3, 4, 1] = np.inf
    batch = jnp.stack([jnp.asarray(unary), jnp.asarray(scene()[0])])
    found = run(batch, jnp.stack([image, image]))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()
    tight = jax.jit(functools.partial(crf.mean_field, **SMALL, capacity=50))
    assert np.isnan(tight(scene()[0], image)).all()


def test_unaries():
    logits = np.array([[1.0, 2.0, -1.0]], np.float32)
    np.testing.assert_allclose(
        crf.unary_from_logits(logits), -np.log(softmax(logits)), rtol=1e-5
    )
    np.testing.assert_allclose(
        crf.unary_from_probs(np.array([0.25, 0.75, 0.0], np.float32)),
        -np.log([0.25, 0.75, 1e-5]),
        rtol=1e-5,
    )
    found = crf.unary_from_labels(np.array([[1, 255]]), 3, confidence=0.7)
    np.testing.assert_allclose(
        found[0], -np.log([[0.15, 0.7, 0.15], [1 / 3] * 3]), rtol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", crf.PARAMETERS)
def test_published_parameters_run(name):
    unary, image = scene()
    found = fcn_jax.crf.mean_field(unary, image, **crf.PARAMETERS[name])
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize("shape", ((1, 1), (2, 2)))
def test_tiny_images_fit_under_jit(shape):
    """A pixel alone touches six vertices; here they are constants, sizes too."""
    unary = jnp.full((1, *shape, 2), np.log(2), jnp.float32)
    image, sizes = jnp.zeros((1, *shape, 3), jnp.uint8), jnp.array([shape], jnp.int32)
    run = functools.partial(crf.mean_field, unary, image, sizes=sizes, **SMALL)
    np.testing.assert_allclose(jax.jit(run)(), 0.5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ("deconvnet", "crfasrnn"))
def test_narrow_colours_fit_under_jit(name):
    """Noise in which nearly every pixel has vertices of its own."""
    image = np.random.default_rng(0).integers(0, 256, (12, 14, 3), dtype=np.uint8)
    unary, _ = scene(image.shape[:2])
    run = functools.partial(crf.mean_field, **crf.PARAMETERS[name] | {"iterations": 2})
    found = jax.jit(run)(unary, image)
    np.testing.assert_allclose(found, run(unary, image), atol=1e-5)


@pytest.mark.parametrize("dtype", (jnp.bfloat16, jnp.float16))
def test_half_precision_is_computed_in_float32(dtype):
    unary, image = scene()
    rounded = jnp.asarray(unary, dtype)
    run = functools.partial(crf.mean_field, image=image, **SMALL)
    found = run(rounded)
    assert found.dtype == dtype
    expected = run(rounded.astype(jnp.float32)).astype(dtype)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.long
@pytest.mark.parametrize(
    "case",
    (
        "80_13_symmetric",
        *(pytest.param(f"80_13_{n}", marks=slow) for n in ("no", "before", "after")),
        pytest.param("20_3_symmetric", marks=slow),
    ),
)
def test_the_published_code(case):
    """Recorded by tests/golden/record_crf.py on an image of the built-in shapes."""
    golden = np.load(GOLDEN / "crf.npz")
    bilateral_xy, bilateral_rgb, normalization = case.split("_")
    found = crf.mean_field(
        golden["unary"],
        golden["image"],
        smooth_xy=3.0,
        smooth_weight=1.5,
        bilateral_xy=float(bilateral_xy),
        bilateral_rgb=float(bilateral_rgb),
        bilateral_weight=2.0,
        iterations=5,
        normalization=normalization,
    )
    # Both compute in float32, and sum in other orders; without a normalisation sums
    # are hundreds of nats.
    tolerance = 1e-3 if normalization == "no" else 1e-5
    np.testing.assert_allclose(found, golden[case], rtol=0, atol=tolerance)
    np.testing.assert_array_equal(found.argmax(-1), golden[case].argmax(-1))
