import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fcn_jax import checkpoints, training, warm_start


def variables():
    return {
        "params": {
            "conv1_1": {"kernel": jnp.zeros((3, 3, 3, 4)), "bias": jnp.zeros(4)},
            "score_fr": {"kernel": jnp.zeros((1, 1, 4, 2)), "bias": jnp.zeros(2)},
        }
    }


def test_every_name_is_accounted_for():
    source = {
        "params/conv1_1/kernel": np.ones((3, 3, 3, 4)),
        "params/score_fr/kernel": np.ones((1, 1, 4, 9)),
        "params/fc8/kernel": np.ones(3),
    }
    merged, report = warm_start.merge(variables(), source)
    assert report.copied == ("params/conv1_1/kernel",)
    assert report.created == ("params/conv1_1/bias", "params/score_fr/bias")
    assert report.skipped == ("params/fc8/kernel",)
    assert report.mismatched == (
        ("params/score_fr/kernel", (1, 1, 4, 9), (1, 1, 4, 2)),
    )
    assert merged["params"]["conv1_1"]["kernel"].dtype == np.float32
    np.testing.assert_array_equal(merged["params"]["conv1_1"]["kernel"], 1)
    np.testing.assert_array_equal(merged["params"]["score_fr"]["kernel"], 0)
    text = str(report)
    assert "copied (1): params/conv1_1/kernel" in text
    assert (
        "mismatched (1): params/score_fr/kernel: (1, 1, 4, 9) -> (1, 1, 4, 2)" in text
    )


def test_nothing_in_common_is_an_error():
    with pytest.raises(ValueError, match="nothing could be copied: .* another net"):
        warm_start.merge(variables(), {"params/x/kernel": np.ones(2)})


def test_a_run_is_read_with_its_best_checkpoint(tmp_path):
    store = checkpoints.Checkpoints(tmp_path / "checkpoints")
    for step, score in ((1, 0.9), (2, 0.1)):
        params = {"conv1_1": {"bias": np.full(4, step, np.float32)}}
        stats = {"bn1_1": {"mean": np.full(4, step, np.float32)}}
        opt_state = optax.EmptyState()
        store.save(
            training.TrainState(np.int32(step), params, stats, opt_state),
            metadata={},
            mean_iu=score,
        )
    store.close()
    source = warm_start.read_source(tmp_path)
    assert sorted(source) == ["batch_stats/bn1_1/mean", "params/conv1_1/bias"]
    np.testing.assert_array_equal(source["params/conv1_1/bias"], 1)


def test_an_npz_with_our_names(tmp_path):
    path = tmp_path / "vgg16.npz"
    np.savez(path, **{"conv1_1/kernel": np.ones((3, 3, 3, 4)), "fc6/bias": np.ones(2)})
    source = warm_start.read_source(path)
    assert sorted(source) == ["params/conv1_1/kernel", "params/fc6/bias"]


def test_vgg16_in_tensorflow_layout(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "vgg16.npz"
    conv1_1 = rng.normal(size=(3, 3, 3, 4))
    fc6 = rng.normal(size=(7 * 7 * 5, 6))
    fc7 = rng.normal(size=(6, 6))
    np.savez(path, conv1_1_W=conv1_1, fc6_W=fc6, fc6_b=np.ones(6), fc7_W=fc7, fc8_W=fc7)
    source = warm_start.read_source(path)
    assert "params/fc8/kernel" not in source
    np.testing.assert_array_equal(source["params/conv1_1/kernel"], conv1_1[:, :, ::-1])
    # A dense layer on a 7x7 map, flattened row by row, is a 7x7 convolution.
    image = rng.normal(size=(7, 7, 5))
    dense = image.reshape(-1) @ fc6
    conv = np.einsum("hwc,hwco->o", image, source["params/fc6/kernel"])
    np.testing.assert_allclose(conv, dense, rtol=1e-12)
    assert source["params/fc7/kernel"].shape == (1, 1, 6, 6)
    rgb = warm_start.read_source(path, channels="rgb")
    np.testing.assert_array_equal(rgb["params/conv1_1/kernel"], conv1_1)


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="x.npz does not exist; give a run's"):
        warm_start.read_source(tmp_path / "x.npz")


def test_a_file_that_is_no_archive(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="x.npz cannot be read as an .npz"):
        warm_start.read_source(path)


def test_an_archive_of_something_else(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=np.ones(2))
    with pytest.raises(ValueError, match=r"holds \['a'\]...; expected names such as"):
        warm_start.read_source(path)


def test_a_directory_without_checkpoints(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no run with a checkpoint"):
        warm_start.read_source(tmp_path)
