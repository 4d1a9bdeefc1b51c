"""The counts behind docs/performance.md: by hand, and against what XLA counts."""

import jax
import jax.numpy as jnp
import pytest

import fcn_jax.models
from benchmarks.roofline import roofline, scaling


def test_the_counts_are_those_of_the_published_nets():
    trunk = roofline.deconv_net(224)
    macs = sum(layer.flops for layer in trunk) // 2
    # Noh et al.'s net: 32.7 G multiply-adds, 251,772,245 weights and biases.
    assert round(macs / 1e9, 1) == 32.7
    assert sum(layer.params for layer in trunk) == 251_772_245
    assert sum(layer.params for layer in roofline.fcn8s(500, 500)) == 134_362_751


def test_one_layer_by_hand():
    (layer,) = (la for la in roofline.fcn8s(1, 1, 2) if la.name == "conv1_1")
    cells = 2 * 199 * 199
    assert layer.flops == 2 * cells * 27 * 64
    image = 2 * 3
    assert layer.bytes == 4 * (image + cells * 64 + 27 * 64)
    assert layer.params == 28 * 64
    assert layer.training_flops == 2 * layer.flops  # Nobody wants the image's gradient.


@pytest.mark.parametrize("padding", ("caffe", "same"))
def test_flops_are_those_that_xla_counts(padding):
    layers = roofline.fcn8s(64, 96, padding=padding, scale=1 / 16, fc_features=256)
    model = fcn_jax.models.create(
        "fcn8s", width=1 / 16, fc_features=256, padding=padding, full_padding=True
    )
    image = jax.ShapeDtypeStruct((1, 64, 96, 3), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), image)
    lowered = jax.jit(model.apply).lower(variables, image)
    counted = lowered.cost_analysis()["flops"]
    # XLA leaves out the products with zeros of the padding, and counts biases and ReLU.
    assert sum(layer.flops for layer in layers) == pytest.approx(counted, rel=0.25)


def test_the_floor_is_the_slower_of_products_and_bytes():
    layer = roofline.Layer("s", "l", flops=100, bytes=10)
    assert layer.seconds(10, 1, training=False) == 10
    assert layer.seconds(1, 10, training=False) == 100
    assert layer.seconds(1, 10, training=True) == 300
    first = roofline.Layer("s", "m", flops=1, bytes=10, first=True)
    assert roofline.floor_seconds([layer, first], 10, 1, True) == {"s": 30 + 20}
    assert roofline.totals([layer, first])["s"]["training_bytes"] == 50


def test_a_ring_sends_everything_twice_but_one_part():
    machine = scaling.Machine("m", 1e3, near=10, far=1, node=4, latency=0.5)
    assert scaling.all_reduce_seconds(100, 1, machine) == 0
    assert scaling.all_reduce_seconds(100, 4, machine) == 6 * (2.5 + 0.5)
    assert scaling.all_reduce_seconds(100, 5, machine) == 8 * (20 + 0.5)


def test_efficiency_of_waiting_and_of_hiding():
    machine = scaling.Machine("m", 2e3, near=10, far=1, node=4, latency=0)
    found = scaling.efficiency(3e4, 100, 2, machine, utilisation=0.5)
    assert (found["compute"], found["all_reduce"]) == (30, 10)
    assert found["waiting"] == 0.75
    assert found["hidden"] == 1  # 10 s fit beside a backward pass of 20.
    slow = scaling.efficiency(3e4, 300, 2, machine, utilisation=0.5)
    assert slow["hidden"] == 30 / 40
    alone = scaling.efficiency(3e4, 100, 1, machine)
    assert alone["waiting"] == alone["hidden"] == 1


def test_the_table_reaches_256_chips_and_falls_with_their_number():
    rows = [r for r in scaling.table() if r["machine"] == "TPU v5e"]
    assert {r["chips"] for r in rows} == set(scaling.CHIPS)
    fcn = [r["waiting"] for r in rows if r["net"].startswith("FCN")]
    assert fcn == sorted(fcn, reverse=True)
