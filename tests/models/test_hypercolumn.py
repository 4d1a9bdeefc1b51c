"""Hypercolumn: its parameters, what it computes against NumPy, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax.models
from fcn_jax.models import encoders, hypercolumn
from fcn_jax.ops import location_grid, pasting, roi
from fcn_jax.training import step
from tests.support import cases, quick_runs

BOXES = np.array([[[0, 0, 20, 30], [5, 8, 33, 40]], [[2, 3, 9, 9], [0, 0, 24, 32]]])
LABELS = np.array([[1, 3], [2, 0]])
SIZES = np.array([[33, 40], [24, 32]])


@pytest.fixture(scope="module")
def net():
    with quick_runs.shallow():
        yield fcn_jax.models.create(
            "hypercolumn", 4, width=1 / 32, fc_features=256, grid=2, side=6
        )


@pytest.fixture(scope="module")
def variables(net):
    return cases.random_variables(net)


@pytest.fixture(scope="module")
def images():
    return cases.random_images((2, 33, 40))


@pytest.fixture(scope="module")
def apply(net):
    return cases.quick_jit(
        lambda variables, images, sizes: net.apply(
            variables,
            images,
            sizes,
            boxes=jnp.asarray(BOXES, jnp.int32),
            box_labels=jnp.asarray(LABELS, jnp.int32),
        )
    )


@pytest.fixture(scope="module")
def found(apply, variables, images):
    return apply(variables, images, jnp.asarray(SIZES, jnp.int32))


def test_the_new_layers_have_the_published_number_of_parameters():
    """1,152,500 on pool3, 256,500 on pool4 and 2,048,500 on fc7."""
    net = fcn_jax.models.create("hypercolumn")
    params = cases.variable_shapes(net)["params"]
    counts = {
        name: step.count_params(params[name])
        for name in params
        if name.startswith("hyper")
    }
    assert counts == {
        "hyper_pool3": 1_152_500,
        "hyper_pool4": 256_500,
        "hyper_fc7": 2_048_500,
    }
    assert sum(counts.values()) == 3_457_500
    assert params["fc6"]["kernel"].shape == (7, 7, 512, 4096)  # As VGG-16's.
    assert params["cls_score"]["kernel"].shape == (1, 1, 4096, 21)


def convolved(x, kernel, bias):
    """A 3x3 convolution with a pixel of zeros around it."""
    wide = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    height, width = x.shape[:2]
    return bias + sum(
        wide[i : i + height, j : j + width] @ kernel[i, j]
        for i in range(3)
        for j in range(3)
    )


def windowed(x, window, stride, side):
    """Bilinear between cells' centres; beyond the outermost as they are."""
    places = []
    for k, length in enumerate(x.shape[:2]):
        centres = (np.arange(side) + 0.5) / side
        place = window[k] + centres * (window[k + 2] - window[k])
        places.append(np.clip(place / stride - 0.5, 0, length - 1))
    rows, columns = (
        np.maximum(1 - np.abs(place[:, None] - np.arange(length)), 0)
        for place, length in zip(places, x.shape[:2], strict=True)
    )
    return np.einsum("yh,xw,hwc->yxc", rows, columns, x)


def by_hand(params, maps, box, window, label, stack):
    """Class scores and mask of a box; the layers added, or stacked before they are."""
    kernels = {name: np.asarray(p["kernel"], np.float64) for name, p in params.items()}
    biases = {name: np.asarray(p["bias"], np.float64) for name, p in params.items()}
    pooled = roi.roi_pool(
        jnp.asarray(maps["conv5"], "float32"), jnp.asarray(box[None], jnp.int32), 16
    )
    x = np.asarray(pooled[0], np.float64).reshape(-1)
    for name in ("fc6", "fc7"):
        kernel = kernels[name].reshape(-1, kernels[name].shape[-1])
        x = np.maximum(x @ kernel + biases[name], 0)
    scores = x @ kernels["cls_score"][0, 0] + biases["cls_score"]
    own = slice((label - 1) * 4, label * 4)
    pool3, pool4 = maps["pool3"] * 0.0027, maps["pool4"] * 0.063
    first = convolved(pool3, kernels["hyper_pool3"], biases["hyper_pool3"])
    total = windowed(first[..., own], window, 8, 6)
    if stack:  # Of layers seen by 1x1 kernels: a hypercolumn, and one classifier of it.
        column = windowed(pool4, window, 16, 6)
        fc7 = np.broadcast_to(x, (6, 6, len(x)))
        stacked = np.concatenate([column, fc7], axis=-1)
        kernel = np.concatenate([kernels[f"hyper_{n}"][0, 0] for n in ("pool4", "fc7")])
        bias = biases["hyper_pool4"] + biases["hyper_fc7"]
        total = total + (stacked @ kernel + bias)[..., own]
    else:
        second = pool4 @ kernels["hyper_pool4"][0, 0] + biases["hyper_pool4"]
        third = x @ kernels["hyper_fc7"][0, 0] + biases["hyper_fc7"]
        total = total + windowed(second[..., own], window, 16, 6) + third[own]
    cells = 1 / (1 + np.exp(-total.reshape(6, 6, 2, 2)))
    along = location_grid.cell_weights(6, 2)
    return scores, np.einsum("yi,xj,yxij->yx", along, along, cells)


@pytest.mark.long
@pytest.mark.parametrize("stack", (False, True))
def test_it_is_what_numpy_makes_of_the_encoder_s_maps(
    net, variables, images, found, stack
):
    """Scores of layers, upsampled and added, are those of the layers stacked."""
    with quick_runs.shallow():
        trunk = encoders.VGG16Convolutions(padding="same", width=1 / 32)
        names = set(cases.variable_shapes(trunk)["params"])
    own = {n: p for n, p in variables["params"].items() if n in names}
    for n, (height, width) in enumerate(SIZES):
        with quick_runs.shallow():
            seen = trunk.apply({"params": own}, images[n : n + 1, :height, :width])
        maps = {k: np.asarray(x[0], np.float64) for k, x in seen.maps.items()}
        windows = np.asarray(found["windows"][n])
        for m, (box, label) in enumerate(zip(BOXES[n], LABELS[n], strict=True)):
            scores, probs = by_hand(
                variables["params"], maps, box, windows[m], max(label, 1), stack
            )
            np.testing.assert_allclose(
                found["class_scores"][n, m], scores, rtol=1e-4, atol=1e-4
            )
            np.testing.assert_allclose(
                jax.nn.sigmoid(found["mask_logits"][n, m]), probs, atol=1e-4
            )


def test_windows_are_boxes_and_their_context(found):
    """Of 20 rows 8.2 % is 1.64, of 30 columns 2.46; no window leaves its image."""
    assert found["windows"].tolist() == [
        [[0, 0, 22, 32], [3, 5, 33, 40]],
        [[1, 3, 10, 9], [0, 0, 24, 32]],
    ]
    assert found["box_labels"].tolist() == LABELS.tolist()


def test_padding_changes_nothing(apply, variables, images, found):
    outside = np.ones(images.shape[:3], bool)
    for n, (height, width) in enumerate(SIZES):
        outside[n, :height, :width] = False
    other = apply(
        variables,
        jnp.where(outside[..., None], jnp.nan, images),
        jnp.asarray(SIZES, jnp.int32),
    )
    jax.tree.map(np.testing.assert_array_equal, other, found)


def test_without_labels_masks_are_of_the_likeliest_class(net, variables, images, found):
    own = net.apply(variables, images[:1], boxes=jnp.asarray(BOXES[:1], jnp.int32))
    likeliest = 1 + own["class_scores"][..., 1:].argmax(-1)
    np.testing.assert_array_equal(own["box_labels"], likeliest)
    np.testing.assert_allclose(own["class_scores"], found["class_scores"][:1], 1e-4)


@pytest.mark.long
def test_without_boxes_an_image_is_one(net, variables, images):
    sizes = jnp.asarray(SIZES, jnp.int32)
    logits = net.apply(variables, images, sizes)
    assert (logits.shape, logits.dtype) == ((2, 33, 40, 4), jnp.float32)
    boxes = jnp.asarray([[[0, 0, *size]] for size in SIZES.tolist()], jnp.int32)
    whole = net.apply(variables, images, sizes, boxes=boxes)
    mask = jax.nn.sigmoid(whole["mask_logits"][:, 0]) >= hypercolumn.FOREGROUND
    inside = pasting.place_masks(mask, boxes[:, 0], (33, 40))
    log_probs = jax.nn.log_softmax(whole["class_scores"][:, 0])
    for n in range(2):
        assert inside[n].any()
        np.testing.assert_allclose(
            logits[n][inside[n]],
            np.broadcast_to(log_probs[n], (int(inside[n].sum()), 4)),
            rtol=1e-5,
        )
        assert not logits[n][~inside[n]].argmax(-1).any()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    (
        ({"grid": 51}, ValueError, "grid=51 classifiers .* choose 1 to 50"),
        ({"grid": 0}, ValueError, "grid=0 classifiers"),
        ({"extension": 0.9}, ValueError, "extension=0.9 shrinks boxes"),
        ({"layer_scales": (1.0,)}, ValueError, "has 1 factors; give one for each of p"),
        ({"num_classes": {"a": 2}}, ValueError, "has several heads; a box has one cla"),
        ({"encoder": "alexnet"}, TypeError, "AlexNet is none whose pool3, pool4 and"),
    ),
)
def test_options_that_make_no_such_net(options, error, message, key):
    net = fcn_jax.models.create("hypercolumn", **{"num_classes": 3} | options)
    with pytest.raises(error, match=message):
        jax.eval_shape(net.init, key, jnp.zeros((1, 32, 32, 3)))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    (
        ({"boxes": jnp.zeros((1, 2, 4))}, TypeError, "boxes are float32; expected int"),
        (
            {"boxes": jnp.zeros((2, 4), int)},
            ValueError,
            r"\(2, 4\); .* \[1, M, 4\] wit",
        ),
        ({"boxes": jnp.zeros((1, 0, 4), int)}, ValueError, "M >= 1, a row"),
        (
            {"boxes": jnp.zeros((1, 2, 4), int), "box_labels": jnp.zeros((1, 3), int)},
            ValueError,
            r"box_labels have shape \(1, 3\) .* one class a box, \(1, 2\)",
        ),
    ),
)
def test_boxes_that_are_none(net, variables, images, given, error, message):
    with pytest.raises(error, match=message):
        jax.eval_shape(lambda images: net.apply(variables, images, **given), images[:1])
