"""Nets into files: layouts of PyTorch, round trips, what is recorded, full disks."""

import json
import sys
import threading

import numpy as np
import pytest

import fcn_jax
from fcn_jax import crf
from fcn_jax.preprocessing import CAFFE, IMAGENET, Preprocessing
from fcn_jax.storage import checkpoints, files
from fcn_jax.weights import WeightsError, formats, saving
from fcn_jax.weights.formats import safetensors
from tests.support import cases
from tests.support import foreign_weights as foreign
from tests.support.patience import SECONDS


@pytest.fixture(scope="module")
def learned():
    model = foreign.create(upsampling="learned")
    return model, cases.random_variables(model)


@pytest.fixture(scope="module")
def small():
    model = foreign.create("fcn32s")
    return model, cases.random_variables(model)


def test_layouts_of_pytorch_by_hand(learned):
    model, variables = learned
    arrays = saving.to_pytorch(variables, model)
    params = foreign.flat(variables["params"])
    conv, up = params["conv2_1/kernel"], params["upscore_pool4/kernel"]
    assert arrays["conv2_1.weight"].shape == (4, 2, 3, 3)
    for o, i, r, c in np.ndindex(4, 2, 3, 3):
        assert arrays["conv2_1.weight"][o, i, r, c] == conv[r, c, i, o]
    for i, o, r, c in np.ndindex(3, 3, 4, 4):
        assert arrays["upscore_pool4.weight"][i, o, r, c] == up[r, c, i, o]
    assert arrays["fc6.weight"].shape == (2, 16, 7, 7)
    assert len(arrays) == len(params)
    assert all(x.flags.c_contiguous for x in arrays.values())


def test_batch_norm_in_pytorch():
    model = foreign.create("deconvnet", padding="same")
    variables = cases.random_variables(model)
    arrays = saving.to_pytorch(variables, model)
    params, stats = variables["params"], variables["batch_stats"]
    for part, x in {
        "weight": params["fc6-deconv-bn"]["scale"],
        "bias": params["fc6-deconv-bn"]["bias"],
        "running_mean": stats["fc6-deconv-bn"]["mean"],
        "running_var": stats["fc6-deconv-bn"]["var"],
    }.items():
        np.testing.assert_array_equal(arrays[f"fc6-deconv-bn.{part}"], x)
    kernel = np.array(params["fc6-deconv"]["kernel"])  # 7, 7, 2 in, 16 out.
    assert arrays["fc6-deconv.weight"].shape == (2, 16, 7, 7)
    assert arrays["fc6-deconv.weight"][1, 5, 2, 6] == kernel[2, 6, 1, 5]
    assert not [name for name in arrays if name.startswith("up")]


@pytest.mark.parametrize(
    ("name", "upsampling", "expected"),
    [
        ("fcn32s", "fixed", {"upscore": 64}),
        ("fcn16s", "fixed", {"upscore2": 4, "upscore16": 32}),
        ("fcn8s", "fixed", {"upscore2": 4, "upscore_pool4": 4, "upscore8": 16}),
        ("fcn8s", "learned_2x", {"upscore8": 16}),
        ("fcn8s", "learned", {}),
    ],
)
def test_fixed_upsampling_is_written_out(name, upsampling, expected):
    model = foreign.create(name, upsampling=upsampling)
    variables = cases.random_variables(model)
    arrays = saving.to_pytorch(variables, model)
    written = {n for n in arrays if n.startswith("up")}
    ours = {n for n in variables["params"] if n.startswith("up")}
    assert written == {f"{n}.weight" for n in ours | expected.keys()}
    for layer, size in expected.items():
        weight = arrays[f"{layer}.weight"]
        assert (weight.shape, weight.dtype) == ((3, 3, size, size), np.float32)
        taps = 1 - np.abs(np.arange(size) - (size - 1) / 2) / (size / 2)
        for i, o in np.ndindex(3, 3):
            expected_kernel = np.outer(taps, taps) * (i == o)
            np.testing.assert_allclose(weight[i, o], expected_kernel, atol=1e-7)


ODD = Preprocessing("odd", "rgb", (1.0, 2.5, 3.0), (2.0, 3.0, 0.1))


@pytest.mark.parametrize("recipe", (CAFFE, IMAGENET, ODD), ids=lambda r: r.name)
@pytest.mark.parametrize("out", ("net.safetensors", "net.npz", "net"))
def test_round_trips(tmp_path, same, learned, out, recipe):
    model, variables = learned
    path = tmp_path / "deep" / out
    saving.save_weights(path, variables, model, preprocessing=recipe)
    # Given images as it was, it is as it was, whichever recipe that is...
    found, report = fcn_jax.load_weights(path, model, preprocessing=recipe)
    same(foreign.flat(found), foreign.flat(variables))
    assert "rewritten" not in str(report)
    assert "does not say" not in str(report)
    # ... and given others, it is rewritten for those without a word from the user.
    other = IMAGENET if recipe is CAFFE else CAFFE
    found, report = fcn_jax.load_weights(path, model, preprocessing=other)
    # An archive of numbers keeps no name but those that are known.
    name = "recorded" if recipe is ODD and out == "net.npz" else recipe.name
    note = f"conv1_1 rewritten from {name} to {other.name} images"
    assert note in str(report)
    photo = np.random.default_rng(0).integers(0, 256, (3, 3, 3), dtype=np.uint8)

    def activation(params, recipe):
        x = np.array(fcn_jax.preprocess(photo, recipe), np.float64)
        layer = params["conv1_1"]
        return np.einsum("hwi,hwio->o", x, layer["kernel"]) + layer["bias"]

    ours = activation(found["params"], other)
    theirs = activation(variables["params"], recipe)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert [p.name for p in path.parent.iterdir()] == [out]


@pytest.mark.parametrize("out", ("net.safetensors", "net.npz", "net"))
def test_the_factors_of_the_at_once_net_go_along(tmp_path, out):
    once = foreign.create("fcn8s_atonce")
    variables = cases.random_variables(once)
    path = tmp_path / out
    saving.save_weights(path, variables, once)
    plain, report = fcn_jax.load_weights(path, foreign.create("fcn8s"))
    for layer, factor in (("score_pool4", 0.01), ("score_pool3", 1e-4)):
        np.testing.assert_allclose(
            plain["params"][layer]["kernel"],
            variables["params"][layer]["kernel"] * factor,
            rtol=1e-6,
        )
    assert "score_pool3 rescaled for the net's factor 1" in str(report)
    # One skip, one factor.
    once = foreign.create("fcn16s", skip_scales=(0.5,))
    variables = cases.random_variables(once)
    path = tmp_path / f"16{out}"
    saving.save_weights(path, variables, once)
    plain, _ = fcn_jax.load_weights(path, foreign.create("fcn16s"))
    np.testing.assert_allclose(
        plain["params"]["score_pool4"]["kernel"],
        variables["params"]["score_pool4"]["kernel"] * 0.5,
        rtol=1e-6,
    )


def test_statistics_survive(tmp_path, same):
    model = foreign.create("fcn32s", batch_norm=True, padding="same")
    variables = cases.random_variables(model)
    for out in ("net.safetensors", "net.npz", "net"):
        saving.save_weights(tmp_path / out, variables, model)
        found, _ = fcn_jax.load_weights(tmp_path / out, model)
        same(foreign.flat(found), foreign.flat(variables))


def test_what_is_recorded(tmp_path):
    model = foreign.create("fcn8s_atonce", padding="same", batch_norm=True)
    variables = cases.random_variables(model)
    for out in ("net.safetensors", "net.npz", "net"):
        saving.save_weights(tmp_path / out, variables, model, preprocessing=IMAGENET)
    text = safetensors.read_metadata(tmp_path / "net.safetensors")
    assert json.loads(text.pop("preprocessing")) == IMAGENET.to_dict()
    assert text == {
        "model": "fcn8s_atonce",
        "num_classes": "3",
        "padding": "same",
        "skip_scales": "0.01,0.0001",
        "options": '{"upsampling": "fixed", "bn_epsilon": 1e-05, "padding": "same", '
        '"output_stride": 0}',
    }
    with np.load(tmp_path / "net.npz") as archive:
        record = {n: archive[n] for n in archive.files if n.startswith("record/")}
    assert record.keys() == {
        "record/mean",
        "record/std",
        "record/rgb",
        "record/skip_scales",
    }
    np.testing.assert_array_equal(record["record/mean"], IMAGENET.mean)
    run = formats.read(tmp_path / "net").metadata
    assert run == {
        "preprocessing": IMAGENET.to_dict(),
        "model": {
            "name": "fcn8s_atonce",
            "num_classes": 3,
            "channels": 3,
            "padding": "same",
            "batch_norm": True,
            "batch_norm_fc": False,
            "bn_epsilon": 1e-5,
            "width": 1 / 32,
            "fc_features": 64,
            "output_stride": 0,
            "fc6_dilation": 1,
            "upsampling": "fixed",
            "skip_scales": [0.01, 0.0001],
        },
    }


def test_names_that_cannot_be_written(tmp_path, small):
    model, variables = small
    with pytest.raises(
        ValueError, match=r"net.pth: weights are written as .*'.pth' is none of these"
    ):
        saving.save_weights(tmp_path / "net.pth", variables, model)
    with pytest.raises(FileExistsError, match=r"exists; give the directory of the new"):
        saving.save_weights(tmp_path, variables, model)
    (tmp_path / "net.npz").mkdir()
    with pytest.raises(IsADirectoryError, match=r"net.npz is a directory; give the na"):
        saving.check_out(tmp_path / "net.npz")
    (tmp_path / "net.npz").rmdir()
    (tmp_path / "file").touch()
    for out in ("run", "net.npz"):
        with pytest.raises(NotADirectoryError, match=rf"{out} cannot .*file is a file"):
            saving.check_out(tmp_path / "file" / out)
    (tmp_path / "file").unlink()
    assert not list(tmp_path.iterdir())


def test_variables_of_another_net(tmp_path, small):
    model, variables = small
    path = tmp_path / "net.npz"
    other = foreign.create("fcn16s")
    with pytest.raises(
        ValueError, match=r"score_pool4/bias is absent in the variables and \(3,\) in F"
    ):
        saving.save_weights(path, variables, other)
    other = foreign.create("fcn32s", num_classes=4)
    with pytest.raises(
        ValueError, match=r"score_fr/bias is \(3,\) in the variables and \(4,\) in FCN"
    ):
        saving.save_weights(path, variables, other)
    extra = {**variables, "crf": {"x": np.ones(2)}}
    with pytest.raises(
        ValueError, match=r"crf/x is \(2,\) in the variables and absent in FCN32s; pass"
    ):
        saving.save_weights(path, extra, model)
    network = foreign.create("fcn8s", padding="same")
    layer = crf.CRF(3, **crf.get_parameters("deeplab"))
    with pytest.raises(
        ValueError, match=r"WithCRF is none of the nets .*, fcn32s.*save the network, w"
    ):
        saving.save_weights(path, variables, crf.WithCRF(network, layer))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ("net.safetensors", "net.npz"))
def test_a_full_disk_leaves_what_was_there(tmp_path, small, out):
    model, variables = small
    path = tmp_path / out
    path.write_text("old")
    files.part_of(tmp_path / out).symlink_to("/dev/full")
    with pytest.raises(
        OSError, match=rf"{out} could not be written \(.*No space left.*Make room"
    ):
        saving.save_weights(path, variables, model)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_no_run(tmp_path, small, monkeypatch):
    def full(store, state, **options):
        (store.directory / "0").mkdir(parents=True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.CheckpointStore, "save", full)
    model, variables = small
    with pytest.raises(
        OSError, match=r"run could not be written \(.*No space left.*Make room"
    ):
        saving.save_weights(tmp_path / "run", variables, model)
    assert not list(tmp_path.iterdir())


def test_of_two_that_write_one_run_the_first_is_whole(tmp_path, small, monkeypatch):
    """The second has begun when the first ends, and finds that it is there."""
    model, variables = small
    save = checkpoints.CheckpointStore.save
    begun, over = threading.Event(), threading.Event()
    said = []

    def slowly(store, arrays, *, metadata):
        save(store, arrays, metadata=metadata)
        if threading.current_thread() is second:
            begun.set()
            assert over.wait(SECONDS)
        else:
            store.wait()
            second.start()
            assert begun.wait(SECONDS)

    def write():
        with pytest.raises(OSError, match=r"run could not be written \(.*not empty"):
            saving.save_weights(tmp_path / "run", variables, model)
        said.append("refused")

    monkeypatch.setattr(checkpoints.CheckpointStore, "save", slowly)
    second = threading.Thread(target=write)
    saving.save_weights(tmp_path / "run", variables, model)
    over.set()
    second.join(SECONDS)
    assert said == ["refused"]
    fcn_jax.load_weights(tmp_path / "run", model)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_damaged_run_is_refused(tmp_path, small):
    model, variables = small
    saving.save_weights(tmp_path / "run", variables, model)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with pytest.raises(WeightsError, match=r"run: checkpoint 0 in .* expected a whole"):
        fcn_jax.load_weights(tmp_path / "run", model)


def test_without_the_package(tmp_path, small, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"needs the package safetensors, which ca"):
        saving.save_weights(tmp_path / "net.safetensors", small[1], small[0])
    assert not list(tmp_path.iterdir())
