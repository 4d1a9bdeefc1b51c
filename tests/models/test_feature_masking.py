"""CFM: sizes as published, and both designs against NumPy on the same maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax.models.feature_masking import CFM
from fcn_jax.ops import feature_masking
from tests.support import cases

SMALL = {"num_classes": 3, "width": 1 / 32, "fc_features": 128}
BOXES = jnp.array([[[0, 0, 32, 48], [3, 8, 30, 31], [20, 20, 27, 22]]], jnp.int32)


def parameters(name, **options):
    net = fcn_jax.create(name, **options)
    image = jax.ShapeDtypeStruct((1, 224, 224, 3), "float32")
    return jax.eval_shape(net.init, jax.random.key(0), image)["params"]


def count(layer):
    return sum(int(np.prod(x.shape)) for x in layer.values())


def test_design_a_on_zf5_has_the_published_sizes():
    found = parameters("cfm", encoder="zf5")
    assert count(found["fc6"]) == count(found["fc6_segment"]) == 52_432_896
    assert found["fc6"]["kernel"].shape == (1, 1, 12_800, 4096)
    assert found["cls_score"]["kernel"].shape == (1, 1, 8_192, 21)


def test_design_a_on_vgg16_has_its_layers_on_both_paths():
    found = parameters("cfm")
    for path in ("", "_segment"):
        assert found[f"fc6{path}"]["kernel"].shape == (7, 7, 512, 4096)
        assert found[f"fc7{path}"]["kernel"].shape == (1, 1, 4096, 4096)
    assert found["cls_score"]["kernel"].shape == (1, 1, 8_192, 21)


def test_design_b_has_one_path():
    found = parameters("cfm_design_b")
    assert [name for name in found if name.startswith("fc")] == ["fc6", "fc7"]
    assert count(found["fc6"]) == 52_432_896
    assert found["cls_score"]["kernel"].shape == (1, 1, 4_096, 21)


def test_centres_are_those_of_the_encoders():
    assert fcn_jax.create("cfm").geometry() == (7.5, 16)
    assert fcn_jax.create("cfm", encoder="zf5").geometry() == (20, 16)


@pytest.fixture(scope="module")
def nets(quick_runs_only):
    """Design A on a shallow VGG-16, design B on ZF-5: net, variables, image, masks."""
    found = {}
    rng = np.random.default_rng(0)
    for name, options in (
        ("cfm", {"levels": (2,)}),
        ("cfm_design_b", {"levels": (1, 3)}),
    ):
        net = fcn_jax.create(name, **SMALL, **options)
        variables = cases.random_variables(net)
        images = cases.random_images((1, 32, 48))
        encode = cases.quick_jit(net.encoder.clone(parent=None).apply)
        top = encode({"params": of_encoder(net, variables)}, images)
        top = top.maps[net.encoder.top]
        masks = jnp.asarray(rng.random((1, 3, *top.shape[1:3])) < 0.6)
        found[name] = net, variables, images, masks, np.asarray(top[0])
    return found


def scores(net, variables, images, boxes, masks=None, sizes=None):
    """The scores of boxes, compiled: in half the time of layer by layer."""
    ask = cases.quick_jit(
        lambda variables, images: net.apply(
            variables, images, sizes, boxes=boxes, box_masks=masks
        )["class_scores"]
    )
    return ask(variables, images)


def of_encoder(net, variables):
    names = net.encoder.convolutions()
    return {n: p for n, p in variables["params"].items() if n in names}


def dense(x, layer):
    kernel = np.asarray(layer["kernel"], np.float64)
    return x.reshape(-1) @ kernel.reshape(-1, kernel.shape[-1]) + layer["bias"]


def bins(x, cells, level, mask):
    """Maxima of a box's bins, by slices."""
    row0, col0, row1, col1 = cells
    x = x * mask[..., None]
    found = np.zeros((level, level, x.shape[-1]))
    for i in range(level):
        top, bottom = i * (row1 - row0) // level, -(-(i + 1) * (row1 - row0) // level)
        for j in range(level):
            left = j * (col1 - col0) // level
            right = -(-(j + 1) * (col1 - col0) // level)
            part = x[row0 + top : row0 + bottom, col0 + left : col0 + right]
            found[i, j] = part.max(axis=(0, 1))
    return found


def cells_of(net, top):
    first, stride = net.geometry()
    extent = jnp.asarray(top.shape[:2])
    found = feature_masking.cells_of_boxes(BOXES[0], extent, first=first, stride=stride)
    return np.asarray(found).tolist()


def test_design_a_against_numpy(nets):
    net, variables, images, masks, top = nets["cfm"]
    found = scores(net, variables, images, BOXES, masks)
    params, everywhere = variables["params"], np.ones(top.shape[:2])
    for n, cells in enumerate(cells_of(net, top)):
        parts = []
        for path, mask in (("", everywhere), ("_segment", np.asarray(masks[0, n]))):
            x = np.maximum(dense(bins(top, cells, 2, mask), params[f"fc6{path}"]), 0)
            parts.append(np.maximum(dense(x, params[f"fc7{path}"]), 0))
        expected = dense(np.concatenate(parts), params["cls_score"])
        np.testing.assert_allclose(found[0, n], expected, rtol=2e-4, atol=1e-4)


def test_design_b_against_numpy(nets):
    net, variables, images, masks, top = nets["cfm_design_b"]
    found = scores(net, variables, images, BOXES, masks)
    params, everywhere = variables["params"], np.ones(top.shape[:2])
    for n, cells in enumerate(cells_of(net, top)):
        levels = (
            bins(top, cells, 1, everywhere),
            bins(top, cells, 3, np.asarray(masks[0, n])),
        )
        x = np.concatenate([np.moveaxis(x, 2, 0).reshape(-1) for x in levels])
        x = np.maximum(dense(x, params["fc6"]), 0)
        x = np.maximum(dense(x, params["fc7"]), 0)
        expected = dense(x, params["cls_score"])
        np.testing.assert_allclose(found[0, n], expected, rtol=2e-4, atol=1e-4)


def test_a_full_mask_shows_both_paths_the_same(nets):
    net, _, _, _, top = nets["cfm"]
    cells = jnp.array([[0, 0, 2, 3]])
    whole = jnp.ones((1, *top.shape[:2]), bool)
    seen = net.seen(jnp.asarray(top), cells, whole)
    np.testing.assert_array_equal(seen[""][0], seen["_segment"][0])


def test_what_lies_beyond_an_image_changes_nothing(nets):
    """Padded to a larger canvas it has the scores that it has alone."""
    net, variables, images, masks, top = nets["cfm"]
    alone = scores(net, variables, images, BOXES, masks)
    padded = jnp.pad(images, ((0, 0), (0, 32), (0, 16), (0, 0)), constant_values=9.0)
    wide = jnp.pad(masks, ((0, 0), (0, 0), (0, 2), (0, 1)), constant_values=True)
    assert wide.shape[2:] == (top.shape[0] + 2, top.shape[1] + 1)
    sizes = jnp.array([[32, 48]], jnp.int32)
    found = scores(net, variables, padded, BOXES, wide, sizes)
    np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.long
def test_every_parameter_learns_and_an_image_alone_is_a_segment(nets):
    net, variables, images, masks, _ = nets["cfm"]

    def loss(params):
        found = net.apply({"params": params}, images, boxes=BOXES, box_masks=masks)
        return jnp.sum(jnp.square(found["class_scores"]))

    gradients = cases.quick_jit(jax.grad(loss))(variables["params"])
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
        assert jnp.all(jnp.isfinite(leaf)), path
        assert jnp.any(leaf != 0), path
    logits = cases.quick_jit(net.apply)(variables, images)
    whole = jnp.array([[[0, 0, 32, 48]]], jnp.int32)
    of_box = scores(net, variables, images, whole)
    assert logits.shape == (1, 32, 48, 3)
    np.testing.assert_allclose(logits[0, 5, 7], of_box[0, 0], rtol=1e-6)


def test_what_is_refused(nets):
    net, variables, images, masks, _ = nets["cfm"]

    def ask(**given):
        return jax.eval_shape(lambda v: net.apply(v, images, **given), variables)

    with pytest.raises(TypeError, match="boxes are float32; expected integers"):
        ask(boxes=jnp.ones((1, 1, 4)))
    with pytest.raises(
        ValueError, match=r"boxes have shape \(2, 1, 4\); .* \[1, M, 4\]"
    ):
        ask(boxes=jnp.ones((2, 1, 4), jnp.int32))
    with pytest.raises(ValueError, match="2x3 cells expected .* project them to this"):
        ask(boxes=BOXES, box_masks=masks[..., :2])
    image = jnp.zeros((1, 32, 32, 3))
    for options, error, text in (
        ({"levels": (0,)}, ValueError, "a level of a pyramid has at least one bin"),
        ({"num_classes": {"a": 2, "b": 3}}, ValueError, "a segment has one class"),
        ({"encoder": "googlenet"}, TypeError, "does not end with its last convolution"),
    ):
        wrong = fcn_jax.create("cfm", **{"num_classes": 3, **options})
        with pytest.raises(error, match=text):
            jax.eval_shape(wrong.init, jax.random.key(0), image)
    alone = fcn_jax.create("cfm_design_b", 3, levels=(6,))
    with pytest.raises(ValueError, match="design B masks the finest of several levels"):
        jax.eval_shape(alone.init, jax.random.key(0), image)


def test_design_a_takes_any_pyramid():
    net = fcn_jax.create("cfm", encoder="zf5", **SMALL)
    assert isinstance(net, CFM)
    assert net.pyramid == (1, 2, 3, 6)
    assert fcn_jax.create("cfm", **SMALL).pyramid == (7,)
