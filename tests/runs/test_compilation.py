"""What a compiled step says of itself, and what its compiler is told."""

import re

import jax
import jax.numpy as jnp
import pytest

from fcn_jax import parallel
from fcn_jax.config.base import base_config
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


def test_what_xla_is_told():
    config = base_config()
    assert compilation.compiler_options(config) is None
    config.deterministic = True
    assert compilation.compiler_options(config) == {"xla_gpu_deterministic_ops": True}
    with config.unlocked():
        del config.deterministic
    assert compilation.compiler_options(config) is None
