"""Zoom-out: an independent NumPy build, and what cannot be asked."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

import fcn_jax.models
from fcn_jax.models import zoomout
from fcn_jax.models.encoders import vgg
from fcn_jax.ops import region_statistics
from tests.support import cases

SMALL = {
    "width": 1 / 32, "fc_features": 256, "padding": "same", "side": 32, "hidden": 8,
    "num_superpixels": 10, "max_superpixels": 48, "regions_at_once": 3,
}  # fmt: skip
SHAPE = (24, 40)
ROOM = SMALL["max_superpixels"]


def create(name="zoomout", **options):
    return fcn_jax.models.create(name, 3, **SMALL | options)


def patches(seed=0):
    """Two maps of superpixels, the second image smaller than the arrays."""
    rng = np.random.default_rng(seed)
    found = np.full((2, *SHAPE), -1, np.int32)
    blocks = np.arange(12).reshape(3, 4)
    found[0] = np.kron(blocks, np.ones((8, 10), int))
    rows, columns = np.mgrid[:17, :23]
    centres = rng.uniform(0, (17, 23), (9, 2))
    apart = (rows[..., None] - centres[:, 0]) ** 2 + (
        columns[..., None] - centres[:, 1]
    ) ** 2
    found[1, :17, :23] = np.unique(apart.argmin(-1), return_inverse=True)[1]
    return found


SIZES = np.array([SHAPE, (17, 23)], np.int32)
PULL = np.random.default_rng(2).normal(size=(2, *SHAPE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def case(quick_runs_only):
    del quick_runs_only  # One convolution a stage.
    net = create()
    variables = cases.random_variables(net)
    statistics = variables["batch_stats"]["standardize"]
    # A feature that did not vary.
    statistics["var"] = jnp.abs(statistics["var"]).at[:3].set(0)
    images = np.array(cases.random_images((2, *SHAPE)))
    images[1, 17:] = np.nan  # Whatever the padding holds.
    images[1, :, 23:] = np.nan

    def pulled(params, superpixels):
        logits = net.apply(
            {**variables, "params": params}, images, SIZES, superpixels=superpixels
        )
        return jnp.vdot(logits, PULL), logits

    learn = cases.quick_jit(jax.value_and_grad(pulled, has_aux=True))
    features = cases.quick_jit(
        lambda variables, superpixels: net.apply(
            variables, images, SIZES, superpixels, method="features"
        )
    )
    return variables, images, learn, features


# ---- The same by NumPy, one superpixel at a time.


def convolved(x, layer, pad):
    kernel = np.asarray(layer["kernel"], np.float64)
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(x, kernel.shape[:2], axis=(0, 1))
    found = np.einsum("hwcyx,yxco->hwo", windows, kernel)
    return np.maximum(found + np.asarray(layer["bias"]), 0)


def pooled(x):
    height, width, _ = x.shape
    x = np.pad(x, ((0, height % 2), (0, width % 2), (0, 0)))
    return x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).max(axis=(1, 3))


def encoded(x, params):
    """The maps of all convolutions with their factors, and the last pooling."""
    maps = []
    for stage, channels in enumerate(vgg.STAGES, start=1):
        for i in range(1, len(channels) + 1):
            x = convolved(x, params[f"conv{stage}_{i}"], 1)
            maps.append((x, 2 ** (stage - 1)))
        x = pooled(x)
    return maps, x


def enlarged(x, factor, shape):
    for axis, length in enumerate(shape):
        place = (np.arange(length) + 0.5) / factor - 0.5
        cells = np.arange(x.shape[axis])
        x = np.apply_along_axis(
            lambda line, p=place, c=cells: np.interp(p, c, line), axis, x
        )
    return x


def of_region(image, box, params):
    """fc7 of a box, resized as Pillow does."""
    row0, col0, row1, col1 = box
    crop = image[row0:row1, col0:col1].astype(np.float32)
    channels = [
        Image.fromarray(np.ascontiguousarray(crop[..., c])).resize(
            (32, 32), Image.Resampling.BILINEAR
        )
        for c in range(3)
    ]
    _, x = encoded(np.stack([np.asarray(c) for c in channels], -1), params)
    x = convolved(x, params["fc6"], 3)
    return convolved(x, params["fc7"], 0).max(axis=(0, 1))


def steps_from(start, of_pixels):
    """How many steps every superpixel is from one, by breadth first."""
    neighbours = collections.defaultdict(set)
    height, width = of_pixels.shape
    for row in range(height):
        for column in range(width):
            for r, c in ((row + 1, column), (row, column + 1)):
                if r < height and c < width:
                    pair = of_pixels[row, column], of_pixels[r, c]
                    neighbours[pair[0]].add(pair[1])
                    neighbours[pair[1]].add(pair[0])
    found, todo = {start: 0}, collections.deque([start])
    while todo:
        here = todo.popleft()
        for other in neighbours[here] - found.keys():
            found[other] = found[here] + 1
            todo.append(other)
    return found


def reference(image, of_pixels, params):
    """Zoom-out features, [superpixels, F]."""
    maps, _ = encoded(image.astype(np.float64), params)
    of_maps = [enlarged(x, factor, of_pixels.shape) for x, factor in maps]
    scene = of_region(image, (0, 0, *of_pixels.shape), params)
    found = []
    for number in range(of_pixels.max() + 1):
        own = [x[of_pixels == number].mean(axis=0) for x in of_maps]
        near = [n for n, steps in steps_from(number, of_pixels).items() if steps <= 3]
        rows, columns = np.nonzero(np.isin(of_pixels, near))
        box = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
        found.append(np.concatenate([*own, of_region(image, box, params), scene]))
    return np.array(found)


def close(ours, theirs, tolerance=2e-5):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * abs(theirs).max())


@pytest.mark.long
def test_features_and_logits_are_those_of_numpy(case):
    variables, images, learn, features = case
    superpixels = patches()
    ours = features(variables, superpixels)
    (_, logits), _ = learn(variables["params"], superpixels)
    assert ours.shape == (2, ROOM, ours.shape[-1])
    params = jax.tree.map(np.asarray, variables["params"])
    statistics = variables["batch_stats"]["standardize"]
    mean, var = np.asarray(statistics["mean"]), np.asarray(statistics["var"])
    for n, (height, width) in enumerate(SIZES):
        of_pixels = superpixels[n, :height, :width]
        theirs = reference(images[n, :height, :width], of_pixels, params)
        close(ours[n, : len(theirs)], theirs)
        x = (theirs - mean) / np.where(var > 0, np.sqrt(var), 1)
        x = x @ np.asarray(params["hidden"]["kernel"])[0, 0] + params["hidden"]["bias"]
        x = np.maximum(x, 0) @ np.asarray(params["score"]["kernel"])[0, 0]
        scores = x + np.asarray(params["score"]["bias"])
        close(logits[n, :height, :width], scores[of_pixels])
        assert not np.asarray(logits[n, height:]).any()  # Beyond the image.


def test_other_numbers_of_superpixels_change_nothing(case):
    variables, _, learn, features = case
    superpixels = patches()
    order = np.random.default_rng(1).permutation(9)
    count = superpixels[1].max() + 1
    order = order[order < count]
    other = superpixels.copy()
    inside = superpixels[1] >= 0
    other[1][inside] = order[superpixels[1][inside]]
    ours, theirs = features(variables, superpixels), features(variables, other)
    close(theirs[1][order], ours[1][:count], 1e-6)
    logits = [learn(variables["params"], x)[0][1] for x in (superpixels, other)]
    close(logits[1], logits[0], 1e-6)


def test_an_image_of_one_superpixel_sees_itself_at_every_level(case):
    variables, images, _, features = case
    one = np.where(patches() >= 0, 0, -1).astype(np.int32)
    found = np.asarray(features(variables, one))
    fc7 = variables["params"]["fc7"]["bias"].shape[0]
    close(found[:, 0, -2 * fc7 : -fc7], found[:, 0, -fc7:], 1e-6)  # Sub-scene, scene.
    maps, _ = encoded(images[0].astype(np.float64), variables["params"])
    means = [enlarged(x, factor, SHAPE).mean(axis=(0, 1)) for x, factor in maps]
    close(found[0, 0, : -2 * fc7], np.concatenate(means))


def test_one_superpixel_a_pixel_has_the_hypercolumn_of_that_pixel(case):
    """Of conv1, which needs no enlarging, its very values."""
    variables, images, _, features = case
    each = np.full((2, *SHAPE), -1, np.int32)
    each[0, :6, :8] = np.arange(48).reshape(6, 8)  # As many as there is room for.
    found = np.asarray(features(variables, each))[0]
    maps, _ = encoded(images[0].astype(np.float64), variables["params"])
    column = np.concatenate([enlarged(x, f, SHAPE) for x, f in maps], axis=-1)
    close(found[:, : column.shape[-1]], column[:6, :8].reshape(48, -1))


def test_superpixels_of_few_bits_and_constants_of_what_is_traced():
    given = jnp.full((1, 2, 2), 255, jnp.uint8)
    found = jax.eval_shape(
        lambda images: zoomout.check_superpixels(given, images, 300),
        jax.ShapeDtypeStruct((1, 2, 2, 3), jnp.float32),
    )
    assert found.dtype == jnp.int32


def test_a_feature_that_does_not_vary_is_zero():
    net = zoomout.Standardize()
    variables = {
        "batch_stats": {"mean": jnp.array([5.0, 1.0]), "var": jnp.array([0, 4.0])}
    }
    found = net.apply(variables, jnp.array([[5.0, 5.0], [5.0, -1.0]]))
    np.testing.assert_array_equal(found, [[0, 2], [0, -1]])
    fresh = net.init(jax.random.key(0), jnp.ones((1, 2)))
    np.testing.assert_array_equal(net.apply(fresh, jnp.ones((1, 2))), jnp.ones((1, 2)))


def test_the_classifier_learns_and_the_encoder_does_not(case):
    variables, _, learn, _ = case
    superpixels, params = patches(), variables["params"]
    _, grad = learn(params, superpixels)
    for layer, parts in grad.items():
        for part, x in parts.items():
            assert np.any(x) == (layer in ("hidden", "score")), (layer, part)
    # By finite differences, along the gradient itself.
    norm = np.sqrt(sum(float(jnp.vdot(x, x)) for x in jax.tree.leaves(grad)))
    there, back = (
        learn(jax.tree.map(lambda x, g, s=s: x + s * g, params, grad), superpixels)[0][
            0
        ]
        for s in (1e-2 / norm, -1e-2 / norm)
    )
    np.testing.assert_allclose((there - back) * norm / 2e-2, norm**2, rtol=2e-2)


def test_the_first_version_sees_colours_near():
    net = create("zoomout_v1", levels=("local", "proximal"), preprocessing="imagenet")
    variables = cases.random_variables(net)
    photos = np.random.default_rng(0).integers(0, 256, (2, *SHAPE, 3), np.uint8)
    imagenet = fcn_jax.preprocessing.PREPROCESSING["imagenet"]
    images = fcn_jax.preprocess(photos, imagenet)
    superpixels = patches()
    found = cases.quick_jit(
        lambda x: net.apply(variables, x, SIZES, superpixels, method="features")
    )(images)
    of_pixels = superpixels[1, :17, :23]
    near = [steps_from(n, of_pixels) for n in range(of_pixels.max() + 1)]
    for part, hops in enumerate((0, 2)):
        regions = np.zeros((len(near), ROOM), bool)
        for n, steps in enumerate(near):
            regions[n, [m for m, apart in steps.items() if apart <= hops]] = True
        alone = jax.jit(region_statistics.features)(
            jnp.asarray(photos[1, :17, :23]),
            jnp.asarray(of_pixels),
            jnp.asarray(regions),
        )
        start = part * region_statistics.FEATURES
        ours = found[1, : len(near), start : start + region_statistics.FEATURES]
        np.testing.assert_allclose(ours, alone, atol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("shallow_nets")
def test_it_computes_narrow_scores_wide_and_lowers_for_gpu_and_tpu():
    net = create(dtype="bfloat16", batch_norm=True)
    variables = cases.variable_shapes(net)
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    images = jax.ShapeDtypeStruct((2, *SHAPE, 3), jnp.float32)
    superpixels = jax.ShapeDtypeStruct((2, *SHAPE), jnp.int32)

    def train(variables, images, superpixels):
        def loss(params):
            logits, kept = net.apply(
                variables | {"params": params},
                images,
                train=True,
                superpixels=superpixels,
                mutable=["batch_stats"],
            )
            assert logits.dtype == jnp.float32
            return logits.sum(), kept["batch_stats"]

        return jax.grad(loss, has_aux=True)(variables["params"])

    _, kept = jax.eval_shape(train, variables, images, superpixels)
    assert kept == variables["batch_stats"]  # All of them, none of them changed.
    both = {"platforms": ("cuda", "tpu")}
    jax.export.export(jax.jit(train), **both)(variables, images, superpixels)


@pytest.mark.parametrize(
    ("options", "what", "text"),
    (
        ({"padding": "caffe"}, ValueError, "padding='caffe' shows regions with a wide"),
        (
            {"padding": "valid"},
            ValueError,
            "side=32 pixels have no room .* 193 or more",
        ),
        (
            {"levels": ("global", "local")},
            ValueError,
            "are not some of local, proximal",
        ),
        ({"levels": ("texton",)}, ValueError, r"levels=\('texton',\) are not some of"),
        ({"hidden": -1}, ValueError, "hidden=-1 is no number of units; 0 is linear"),
        ({"num_superpixels": 0}, ValueError, "num_superpixels=0 is not positive"),
        ({"preprocessing": "x"}, ValueError, "preprocessing='x' is not known; use one"),
        ({"encoder": "alexnet"}, TypeError, "encoder AlexNet is no VGG-16, whose 13"),
    ),
)
def test_options_that_cannot_be_are_named(options, what, text):
    options = SMALL | options
    if "encoder" in options:
        options = {"encoder": "alexnet", "padding": "same"}
    net = fcn_jax.models.create("zoomout", 3, **options)
    with pytest.raises(what, match=text):
        jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))


@pytest.mark.parametrize(
    ("superpixels", "what", "text"),
    (
        (
            np.full((1, 8, 8), 48),
            ValueError,
            "the number 48, and there is room for 0 to 4",
        ),
        (None, ValueError, "zoom-out labels superpixels, and none were given; pass"),
        (
            np.zeros((1, 8, 9), int),
            ValueError,
            r"shape \(1, 8, 9\) for images \(1, 8, 8",
        ),
        (np.zeros((1, 8, 8)), TypeError, "superpixels are float64; expected integers"),
    ),
)
def test_superpixels_are_those_of_the_images(superpixels, what, text):
    net = create()
    with pytest.raises(what, match=text):
        net.apply(
            cases.random_variables(net),
            jnp.zeros((1, 8, 8, 3)),
            superpixels=superpixels,
        )
