"""What a compiled step says of itself, and what its compiler is told."""

import re

import jax
import jax.numpy as jnp
import pytest

from fcn_jax import parallel, training
from fcn_jax.config import build, named
from fcn_jax.config.base import base_config
from fcn_jax.config.parts import build_parts
from fcn_jax.runs import compilation


def product(x, y):
    return x @ y


@pytest.mark.parametrize("deterministic", (False, True))
def test_the_cost_of_a_step(deterministic):
    config = base_config()
    config.deterministic = deterministic
    step = parallel.data_parallel(product, jax.local_devices()[:1])
    x = jax.ShapeDtypeStruct((1, 256, 512), jnp.float32)
    y = jax.ShapeDtypeStruct((1, 512, 128), jnp.float32)
    compiled = compilation.compile_step(step, config, x, y)
    expected = 4 * (256 * 512 + 512 * 128 + 256 * 128)
    assert expected <= compilation.peak_bytes(compiled) < 1.1 * expected
    flops = 2 * 256 * 512 * 128 / 1e9
    text = compilation.describe_cost(compiled)
    assert re.fullmatch(
        rf"a step takes {flops:.1f} GFLOP and, at its peak, 1 MiB a device on cpu", text
    )


@pytest.mark.parametrize("count", (1, 2))
def test_only_several_devices_sum_gradients_and_statistics(count):
    """XLA copies what one device "sums": of DeconvNet a gigabyte a step."""
    devices = jax.devices()[:count]
    config = named.load("shapes_fcn8s").get_config("smoke")
    parts = build_parts(config, devices)
    variables = jax.eval_shape(lambda: training.init_variables(parts.model, 0))
    optimizer = build.make_optimizer(config, variables["params"])
    step = compilation.training_step(
        config,
        devices,
        model=parts.model,
        optimizer=optimizer,
        loss=parts.loss,
        preprocessing=parts.preprocessing,
    )
    state = jax.eval_shape(lambda: training.create_state(variables, optimizer))
    state = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((count, *x.shape), x.dtype), state
    )
    batch = parallel.shard_batch(next(iter(parts.train_batches(0))), devices)
    with jax.numpy_dtype_promotion("standard"):  # AdamW of optax mixes types.
        sums = step.lower(state, batch).as_text().count("all_reduce")
    assert bool(sums) == (count > 1)


def test_what_xla_is_told():
    config = base_config()
    assert compilation.compiler_options(config) is None
    config.deterministic = True
    assert compilation.compiler_options(config) == {"xla_gpu_deterministic_ops": True}
    with config.unlocked():
        del config.deterministic
    assert compilation.compiler_options(config) is None
