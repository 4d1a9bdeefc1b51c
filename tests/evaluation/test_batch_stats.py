"""BatchNorm's statistics, taken anew before a network is scored."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax import models, parallel, preprocessing, training
from fcn_jax.evaluation import batch_stats

pytestmark = pytest.mark.usefixtures("quick_runs_only")


def make(dropout_rate=0.5, **more):
    options = {"width": 1 / 32, "fc_features": 64, "padding": "same", **more}
    model = models.create(
        "fcn8s", 3, batch_norm=True, dropout_rate=dropout_rate, **options
    )
    return model, training.init_variables(model, seed=0)


def make_batches(count=3, rows=4, with_sizes=False):
    rng = np.random.default_rng(0)
    batches = []
    for _ in range(count):
        batch = {"image": rng.integers(0, 256, (rows, 32, 40, 3)).astype(np.uint8)}
        batch["labels"] = np.zeros((rows, 32, 40), np.uint8)
        if with_sizes:
            batch["sizes"] = rng.integers(9, 33, (rows, 2)).astype(np.int32)
        batches.append(batch)
    return batches


def recompute(model, variables, batches, num_devices=1):
    devices = jax.devices()[:num_devices]
    step = parallel.data_parallel(
        training.batch_statistics, devices, model=model, axis_name=parallel.AXIS
    )
    found = batch_stats.recompute_batch_stats(
        step, parallel.replicate(variables, devices), batches, devices, len(batches)
    )
    return parallel.unreplicate(found)


def test_the_first_layer_by_hand_and_a_frozen_one():
    model, variables = make(freeze_batch_norm=("bn5_1",))
    batches = make_batches()
    found = recompute(model, variables, batches)["batch_stats"]
    for part, kept in variables["batch_stats"]["bn5_1"].items():
        np.testing.assert_array_equal(found["bn5_1"][part], kept)
    assert (found["bn4_1"]["mean"] != variables["batch_stats"]["bn4_1"]["mean"]).any()
    stats = found["bn1_1"]
    conv = variables["params"]["conv1_1"]
    means, variances = [], []
    for batch in batches:
        maps = jax.lax.conv_general_dilated(
            preprocessing.preprocess(jnp.asarray(batch["image"])),
            conv["kernel"],
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        means.append(np.mean(maps, axis=(0, 1, 2)))
        variances.append(np.var(maps, axis=(0, 1, 2)))
    np.testing.assert_allclose(stats["mean"], np.mean(means, 0), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(stats["var"], np.mean(variances, 0), rtol=1e-4)


def test_dropout_and_what_stood_there_before_make_no_difference():
    model, variables = make(dropout_rate=0.9)
    batches = make_batches(2, with_sizes=True)
    found = recompute(model, variables, batches)
    for a, b in zip(
        jax.tree.leaves(found["params"]),
        jax.tree.leaves(variables["params"]),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    other = jax.tree.map(lambda x: x + 2.5, variables["batch_stats"])
    again = recompute(
        make(dropout_rate=0.0)[0], variables | {"batch_stats": other}, batches
    )
    for a, b in zip(
        jax.tree.leaves(found["batch_stats"]),
        jax.tree.leaves(again["batch_stats"]),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def test_devices_make_no_difference():
    model, variables = make()
    batches = make_batches(2, with_sizes=True)
    one = recompute(model, variables, batches)["batch_stats"]
    four = recompute(model, variables, batches, 4)["batch_stats"]
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(four), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def test_refusals():
    with pytest.raises(ValueError, match="this network has none; set .*_batches=0"):
        batch_stats.recompute_batch_stats(None, {"params": {}}, [], [], 1)
    frozen = models.create("fcn8s", batch_norm=True, freeze_batch_norm=True)
    with pytest.raises(ValueError, match="freeze_batch_norm=True keeps .*batches=0"):
        training.batch_statistics({}, {}, model=frozen)
    with pytest.raises(ValueError, match="count=0 is not positive"):
        batch_stats.recompute_batch_stats(None, {"batch_stats": {}}, [], [], 0)
