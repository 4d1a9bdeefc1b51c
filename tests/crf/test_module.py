"""The CRF as a layer, by itself and behind a network."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax import crf, preprocessing, training
from tests.support import cases

OPTIONS = {"smooth_xy": 2.0, "bilateral_xy": 8.0, "bilateral_rgb": 20.0}


def scene(num_images=2, shape=(6, 8), num_classes=3):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(num_images, *shape, num_classes)).astype(np.float32)
    return logits, rng.integers(0, 256, (num_images, *shape, 3)).astype(np.uint8)


@pytest.mark.long
def test_fresh_it_is_the_mean_field_with_its_start():
    logits, image = scene()
    layer = crf.CRF(3, **OPTIONS, smooth_weight=1.5, bilateral_weight=2.0)
    variables = layer.init(jax.random.key(0), logits, image)
    assert {name: x.shape for name, x in variables["params"].items()} == {
        "smooth_weight": (3,),
        "bilateral_weight": (3,),
        "compatibility": (3, 3),
    }
    found = layer.apply(variables, logits, image)
    want = crf.mean_field(
        crf.unary_from_logits(logits),
        image,
        **OPTIONS,
        smooth_weight=1.5,
        bilateral_weight=2.0,
        iterations=5,
        normalization="after",
    )
    np.testing.assert_allclose(jax.nn.softmax(found), want, atol=1e-6)


@pytest.mark.long
def test_all_of_it_learns():
    logits, image = scene()
    layer = crf.CRF(3, **OPTIONS, smooth_weight=0.5, bilateral_weight=0.5, capacity=288)
    params = layer.init(jax.random.key(0), logits, image)["params"]
    labels = (jnp.asarray(logits.argmax(-1)) + 1) % 3

    @jax.jit
    def step(params):
        def loss(params):
            scores = layer.apply({"params": params}, logits, image)
            truth = jax.nn.one_hot(labels, 3)
            return -(jax.nn.log_softmax(scores) * truth).sum(-1).mean()

        value, grads = jax.value_and_grad(loss)(params)
        return value, grads, jax.tree.map(lambda p, g: p - 0.05 * g, params, grads)

    first, grads, params = step(params)
    for name, gradient in grads.items():
        assert np.abs(gradient).min() > 0, (name, gradient)
    for _ in range(5):
        last, _, params = step(params)
    assert last < first


@pytest.mark.long
def test_too_little_room_shows_in_value_and_gradient():
    logits, image = scene()
    layer = crf.CRF(3, **OPTIONS, capacity=100)
    params = crf.CRF(3, **OPTIONS).init(jax.random.key(0), logits, image)
    value, grads = jax.jit(
        jax.value_and_grad(lambda p: layer.apply(p, logits, image)[..., 0].sum())
    )(params)
    assert np.isnan(value)
    assert all(np.isnan(g).all() for g in jax.tree.leaves(grads))


@pytest.mark.slow
def test_scores_do_not_round_where_probabilities_do():
    logits, image = scene()
    options = OPTIONS | {"smooth_weight": 60.0, "bilateral_weight": 60.0}
    run = jax.tree_util.Partial(
        crf.mean_field,
        crf.unary_from_logits(logits),
        image,
        **options,
        iterations=3,
        normalization="no",
    )
    scores = run(logits=True)
    assert (np.asarray(run()) == 0).any()
    np.testing.assert_allclose(jax.nn.softmax(scores), run(), atol=1e-6)
    assert np.isfinite(jax.nn.log_softmax(scores)).all()


@pytest.mark.slow
def test_weights_alone_may_be_traced():
    logits, image = scene()

    def total(weight):
        probs = crf.mean_field(
            crf.unary_from_logits(logits),
            image,
            **OPTIONS,
            smooth_weight=1.0,
            bilateral_weight=weight,
            iterations=2,
            capacity=500,
        )
        return probs[..., 0].sum()

    assert np.isfinite(jax.jit(jax.grad(total))(2.0))


def network():
    return fcn_jax.create(
        "fcn8s", 3, width=1 / 32, fc_features=64, padding="same", batch_norm=True
    )


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
def test_behind_a_network():
    """It has the network's names, sees the photograph, and heeds sizes."""
    _, photos = scene(shape=(40, 36))
    recipe = preprocessing.IMAGENET
    images = fcn_jax.preprocess(photos, recipe)
    alone = network()
    layer = crf.CRF(3, **OPTIONS, capacity=6 * 40 * 36)
    model = crf.WithCRF(alone, layer, recipe)
    assert (model.num_classes, model.smallest_image) == (3, 1)
    variables = training.init_variables(model, 0)
    of_network = training.init_variables(alone, 0)
    names = set(variables["params"])
    assert names == set(of_network["params"]) | {"crf"}
    assert set(variables["batch_stats"]) == set(of_network["batch_stats"])
    # Scores start at zero; these do not.
    params = dict(variables["params"])
    params["score_fr"] = jax.tree.map(lambda x: x + 0.1, params["score_fr"])
    kernel = params["score_fr"]["kernel"]
    rng = np.random.default_rng(1)
    params["score_fr"]["kernel"] = jnp.asarray(rng.normal(size=kernel.shape), "float32")
    variables = {**variables, "params": params}
    apply = jax.jit(model.apply)
    found = apply(variables, images)
    scores = jax.jit(alone.apply)(variables, images)
    want = layer.apply({"params": params["crf"]}, scores, photos)
    np.testing.assert_allclose(found, want, atol=1e-4)
    sizes = jnp.array([[40, 36], [33, 30]])
    both = apply(variables, images, sizes)
    one = apply(variables, images[1:, :33, :30])
    np.testing.assert_allclose(both[1, :33, :30], one[0], rtol=1e-3, atol=1e-3)


@pytest.mark.long
def test_statistics_of_the_network_behind_which_it_stands():
    _, photos = scene(shape=(40, 36))
    model = crf.WithCRF(network(), crf.CRF(3, **OPTIONS))
    variables = training.init_variables(model, 0)
    statistics = functools.partial(training.batch_statistics, model=model)
    found = jax.eval_shape(statistics, variables, {"image": photos})
    assert jax.tree.structure(found) == jax.tree.structure(variables["batch_stats"])


def test_logits_of_other_classes():
    logits, image = scene()
    with pytest.raises(ValueError, match="logits of 3 classes; expected num_classes=4"):
        crf.CRF(4).init(jax.random.key(0), logits, image)


def test_who_changes_a_parameter_changes_it_for_nobody_else():
    crf.get_parameters("deeplab")["bilateral_xy"] = 1
    assert crf.get_parameters("deeplab")["bilateral_xy"] == 121


def test_parameters_by_name_or_from_a_file(tmp_path):
    assert crf.get_parameters("deeplab")["bilateral_xy"] == 121
    path = tmp_path / "found.json"
    found = crf.PARAMETERS["wssl"]
    path.write_text(json.dumps({"parameters": found, "mean_iu": 0.5}))
    assert crf.get_parameters(str(path)) == found
    for change, name in (
        ({"bilateral_xi": 3}, "bilateral_xi"),
        ({"bilateral_xy": "3"}, "bilateral_xy"),
        ({"normalization": 1}, "normalization"),
    ):
        path.write_text(json.dumps({"parameters": {**found, **change}}))
        with pytest.raises(ValueError, match=f"json: its parameter '{name}' is missin"):
            crf.get_parameters(str(path))
    path.write_text('{"parameters": {"normalization": "no"}}')
    with pytest.raises(ValueError, match="its parameter 'bilateral_rgb' is missing, u"):
        crf.get_parameters(str(path))
    path.write_text("{")
    with pytest.raises(ValueError, match="found.json is no readable JSON .* crf_searc"):
        crf.get_parameters(str(path))
    path.write_text("[]")
    with pytest.raises(ValueError, match="found.json holds no CRF parameters; .* crf_"):
        crf.get_parameters(str(path))
    with pytest.raises(ValueError, match="'depplab' are not known; .* pydensecrf, de"):
        crf.get_parameters("depplab")


@pytest.mark.long
def test_scores_that_are_nan_are_an_error_outside_jit():
    """Under jit they come back as NaN; a broken network is seen before that."""
    logits, image = scene()
    layer = crf.CRF(3, **OPTIONS)
    variables = layer.init(jax.random.key(0), logits, image)
    logits[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"unary of image 1 at pixel \(2, 3\), .* nan"):
        layer.apply(variables, logits, image)


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
def test_behind_a_network_of_more_channels_it_compares_colours():
    _, photos = scene(shape=(20, 24))
    recipe = preprocessing.PREPROCESSING["nyud_rgbd"]
    depth = np.full((*photos.shape[:-1], 1), 7.8, np.float32)
    images = fcn_jax.preprocess(
        np.concatenate([photos.astype(np.float32), depth], axis=-1), recipe
    )
    alone = fcn_jax.create(
        "fcn32s", 3, width=1 / 32, fc_features=64, padding="same", channels=4
    )
    layer = crf.CRF(3, **OPTIONS, capacity=6 * 20 * 24)
    model = crf.WithCRF(alone, layer, recipe)
    variables = cases.random_variables(model)
    scores = alone.apply(variables, images)
    want = layer.apply({"params": variables["params"]["crf"]}, scores, photos)
    np.testing.assert_allclose(model.apply(variables, images), want, atol=1e-4)
