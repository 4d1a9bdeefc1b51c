import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax import parallel


def test_rows_of_a_micro_batch_stay_in_it_on_any_number_of_devices():
    batch = {"x": np.arange(16)}
    for num_devices in (1, 2, 4):
        devices = jax.devices()[:num_devices]
        split = np.asarray(parallel.shard_batch(batch, devices, accumulate=2)["x"])
        assert split.shape == (num_devices, 16 // num_devices)
        per_micro = split.reshape(num_devices, 2, -1)
        np.testing.assert_array_equal(per_micro[:, 0].reshape(-1), np.arange(8))
        np.testing.assert_array_equal(per_micro[:, 1].reshape(-1), np.arange(8, 16))


def test_a_mapped_step_sees_all_devices():
    devices = jax.devices()[:4]
    step = parallel.data_parallel(
        lambda x, *, scale: scale * jax.lax.psum(jnp.sum(x), parallel.AXIS),
        devices,
        scale=2.0,
    )
    batch = parallel.shard_batch({"x": np.arange(8, dtype=np.float32)}, devices)
    np.testing.assert_array_equal(np.asarray(step(batch["x"])), np.full(4, 56.0))


@pytest.mark.parametrize("count", (1, 2))
def test_a_step_is_compiled_as_it_is_told(monkeypatch, count):
    """Once for arguments of the same shapes; what comes of it can be given again."""
    told = []
    compiled = jax.stages.Lowered.compile

    def note(lowered, options=None, **more):
        told.append(options)
        return compiled(lowered, options, **more)

    monkeypatch.setattr(jax.stages.Lowered, "compile", note)
    devices, options = (
        jax.devices()[:count],
        {"xla_gpu_exclude_nondeterministic_ops": True},
    )
    step = parallel.data_parallel(
        lambda total, batch, *, scale: total + scale * jnp.sum(batch["x"]),
        devices,
        compiler_options=options,
        scale=2.0,
    )
    total = parallel.replicate(np.float32(0), devices)
    for rows in (4, 4, 8):
        batch = {"x": np.ones(rows, np.float32)}
        total = step(total, parallel.shard_batch(batch, devices))
    assert told == [options] * 2
    np.testing.assert_array_equal(np.asarray(total), np.full(count, 32 / count))


def test_one_device_has_nothing_to_sum_over():
    devices = jax.devices()
    assert parallel.axis_of(devices[:1]) is None
    assert parallel.axis_of(devices[:2]) == parallel.AXIS


def test_a_mapped_step_is_the_same_on_devices_that_are_feigned():
    """chex runs what is mapped over devices as `vmap` does: another implementation."""

    def step(state, x):
        return state - 0.1 * jax.lax.pmean(
            jnp.sum(x * state[None], axis=0), parallel.AXIS
        )

    devices = jax.devices()[:4]
    rows = np.arange(24, dtype=np.float32).reshape(8, 3)
    state = parallel.replicate(np.ones(3, np.float32), devices)
    batch = parallel.shard_batch({"x": rows}, devices)["x"]
    real = parallel.data_parallel(step, devices)(state, batch)
    with chex.fake_pmap():
        feigned = parallel.data_parallel(step, devices)(
            np.ones((4, 3), np.float32), rows.reshape(4, 2, 3)
        )
    np.testing.assert_allclose(real, feigned, rtol=1e-6)


def test_replicas_come_back_as_they_were_and_survive_donation():
    devices = jax.devices()[:2]
    tree = {"a": np.arange(3, dtype=np.float32), "step": np.int32(4)}
    replicated = parallel.replicate(tree, devices)
    kept = parallel.unreplicate(replicated)
    step = parallel.data_parallel(
        lambda t: jax.tree.map(lambda x: x * 0, t), devices, donate=(0,)
    )
    jax.block_until_ready(step(replicated))
    np.testing.assert_array_equal(kept["a"], tree["a"])
    assert kept["step"].shape == ()
    assert kept["step"] == 4


def test_what_changes_later_is_not_in_replicas():
    """A CPU's device takes NumPy's memory for its own where that is aligned."""
    room = np.zeros(2 * 64 + 8 * 4, np.uint8)
    start = -room.ctypes.data % 64
    values = room[start : start + 8 * 4].view(np.float32)
    replicated = parallel.replicate(values, jax.devices()[:1])
    values[:] = 7
    np.testing.assert_array_equal(replicated, np.zeros((1, 8)))


@pytest.mark.parametrize(
    ("rows", "devices", "accumulate"), [(3, 2, 1), (8, 2, 3), (0, 1, 1)]
)
def test_an_uneven_batch_is_refused(rows, devices, accumulate):
    match = (
        rf"batch of {rows} images cannot be split .* multiple of {devices * accumulate}"
    )
    with pytest.raises(ValueError, match=match):
        parallel.shard_batch(
            {"x": np.zeros(rows)}, jax.devices()[:devices], accumulate
        ) if rows else parallel.check_batch_size(rows, devices, accumulate)


def test_an_uneven_batch_names_its_key():
    match = "change config.batch_size, config.accumulate or the number of devices"
    with pytest.raises(ValueError, match=match):
        parallel.check_batch_size(3, 2)
    match = "such as 4: change config.eval_batch_size or the number of devices"
    with pytest.raises(ValueError, match=match):
        parallel.check_batch_size(3, 2, key="config.eval_batch_size")
