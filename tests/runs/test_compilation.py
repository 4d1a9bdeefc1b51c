"""What a compiled step says of itself, and what its compiler is told."""

import re
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import jaxlib
import pytest

from fcn_jax import parallel, training
from fcn_jax.config import build, named
from fcn_jax.config.base import base_config
from fcn_jax.config.parts import build_parts
from fcn_jax.runs import compilation


def product(x, y):
    return x @ y


CPU = SimpleNamespace(platform="cpu")
CUDA = SimpleNamespace(platform="cuda")
GPU = SimpleNamespace(platform="gpu")


@pytest.mark.parametrize("device", (CPU, GPU))
def test_the_cost_of_a_step(device, tmp_path):
    """What a GPU's compiler is told, a CPU's takes too, and does not heed."""
    config = base_config()
    config.deterministic = True
    options = compilation.xla_options(config, [device], tmp_path)
    step = parallel.data_parallel(product, jax.local_devices()[:1])
    x = jax.ShapeDtypeStruct((1, 256, 512), jnp.float32)
    y = jax.ShapeDtypeStruct((1, 512, 128), jnp.float32)
    compiled = compilation.compile_step(step, options, x, y)
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


def test_what_xla_is_told(tmp_path):
    config = base_config()
    assert compilation.xla_options(config, [GPU], tmp_path) is None
    config.deterministic = True
    assert compilation.xla_options(config, [CPU], tmp_path) is None
    place = tmp_path / f"autotuning/jaxlib-{jaxlib.__version__}"
    kept = {
        "xla_gpu_exclude_nondeterministic_ops": True,
        "xla_gpu_per_fusion_autotune_cache_dir": str(place),
        "xla_gpu_experimental_autotune_cache_mode": "AUTOTUNE_CACHE_MODE_READ",
    }
    assert compilation.xla_options(config, [GPU], tmp_path) == kept
    assert compilation.xla_options(config, [CUDA, CUDA], tmp_path) == kept
    with config.unlocked():
        del config.deterministic
    assert compilation.xla_options(config, [GPU], tmp_path) is None


def test_one_process_adds_to_the_algorithms_of_a_run(tmp_path, monkeypatch):
    """Wherever the process stands: XLA opens the folder later."""
    monkeypatch.chdir(tmp_path)
    config = base_config()
    config.deterministic = True
    options = compilation.xla_options(config, [GPU], "run", update=True)
    assert options["xla_gpu_experimental_autotune_cache_mode"].endswith("MODE_UPDATE")
    place = Path(options["xla_gpu_per_fusion_autotune_cache_dir"])
    assert place.is_relative_to(tmp_path / "run")
    assert not place.exists()  # The run may be refused yet.
    compilation.make_room(options)
    compilation.make_room(options)
    assert place.is_dir()


def test_without_a_directory_no_algorithm_is_kept(tmp_path):
    """Nor taken from where JAX has XLA keep those of all runs."""
    config = base_config()
    config.deterministic = True
    packed = tmp_path / "net.safetensors"
    packed.touch()
    for workdir in (None, packed):
        options = compilation.xla_options(config, [GPU], workdir, update=True)
        assert options == {
            "xla_gpu_exclude_nondeterministic_ops": True,
            "xla_gpu_per_fusion_autotune_cache_dir": "",
        }
        compilation.make_room(options)
    compilation.make_room(None)
    assert list(tmp_path.iterdir()) == [packed]


def test_a_wrong_option_is_not_passed_over():
    """So that those above are known to jaxlib, whichever it is."""
    step = parallel.data_parallel(product, jax.local_devices()[:1])
    x = jax.ShapeDtypeStruct((1, 4, 4), jnp.float32)
    with pytest.raises(jax.errors.JaxRuntimeError, match="No such compile option"):
        compilation.compile_step(step, {"xla_gpu_determined": True}, x, x)
