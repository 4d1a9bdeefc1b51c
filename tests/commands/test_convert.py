"""python -m fcn_jax convert: there and back, runs that evaluate, mistakes."""

import itertools
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from absl import flags

import fcn_jax
from fcn_jax import runs, runtime
from fcn_jax.commands import command as commands
from fcn_jax.commands import convert
from fcn_jax.config import build
from fcn_jax.config import workdir as workdirs
from fcn_jax.preprocessing import IMAGENET
from fcn_jax.runs import trainer
from fcn_jax.storage import checkpoints, files
from fcn_jax.weights import formats, pretrained, saving
from tests.support import cases
from tests.support import foreign_weights as foreign
from tests.support.runs import make_folder, tiny_config

SMALL = ("--num_classes=3", "--width=0.03125", "--fc_features=64")


@pytest.fixture
def command(monkeypatch):
    """The command in this process, with the flags of one command line."""
    before = set(flags.FLAGS)
    convert.define_flags()
    monkeypatch.setattr(runtime, "prepare", lambda: None)

    def run(*arguments):
        argv = ["fcn_jax convert", *map(str, arguments)]
        found = commands.parse_flags(convert.COMMAND, argv)
        commands.run(convert.COMMAND, found[1:])

    yield run
    for name in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, name)
    flags.FLAGS.unparse_flags()


@pytest.fixture(scope="module")
def once():
    model = foreign.create("fcn8s_atonce")
    return model, foreign.flat(cases.random_variables(model))


def load(path, model, **options):
    found, _ = fcn_jax.load_weights(path, model, **options)
    return foreign.flat(found)


@pytest.mark.long
def test_of_a_run_the_net_is_known(command, tmp_path):
    """Width, padding, classes and preprocessing come from its config.json."""
    config = tiny_config(tmp_path / "data", **{"preprocessing": "imagenet"})
    model = build.make_model(config)
    variables = cases.random_variables(model)
    saving.save_weights(tmp_path / "run", variables, model, preprocessing=IMAGENET)
    (tmp_path / "run" / "config.json").write_text(config.to_json())
    command(tmp_path / "run", tmp_path / "out.npz")
    found = load(tmp_path / "out.npz", model, preprocessing=IMAGENET)
    for name, x in foreign.flat(variables).items():
        np.testing.assert_array_equal(found[name], x, err_msg=name)
    # What was converted into a run has none, and knows them too.
    command(tmp_path / "run", tmp_path / "again")
    command(tmp_path / "again", tmp_path / "again.npz")
    first, second = (
        formats.read(tmp_path / x).arrays for x in ("out.npz", "again.npz")
    )
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    command(tmp_path / "run", tmp_path / "16.npz", "--model=fcn16s", "--nostrict")
    assert "params/score_pool3/kernel" not in formats.read(tmp_path / "16.npz").arrays


def test_of_a_packed_net_the_net_is_known(command, tmp_path):
    """By name or file, with what no flag says: fc6_dilation, and its preprocessing."""
    _, variables = fcn_jax.create(
        "fcn8s", pretrained="camvid-fcn8s", preprocessing=IMAGENET
    )
    for source in ("camvid-fcn8s", pretrained.FOLDER / "camvid-fcn8s.safetensors"):
        command(source, tmp_path / "out.npz")
        file = formats.read(tmp_path / "out.npz")
        np.testing.assert_allclose(file.arrays["record/mean"], IMAGENET.mean)
        for name, x in foreign.flat(variables).items():
            np.testing.assert_array_equal(file.arrays[name], x, err_msg=name)


def test_a_packed_net_as_a_run_predicts_as_it_did(command, tmp_path):
    """At its scale, with the names and colours of its classes."""
    command("camvid-fcn8s", tmp_path / "run")
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    ours, theirs = (
        fcn_jax.load(source) for source in (tmp_path / "run", "camvid-fcn8s")
    )
    assert ours.config.eval_scale == theirs.config.eval_scale == 0.5
    (head,), (expected,) = ours.heads, theirs.heads
    assert head.classes == expected.classes
    assert "bicyclist" in head.classes
    np.testing.assert_array_equal(head.palette, expected.palette)
    np.testing.assert_array_equal(ours.predict(image), theirs.predict(image))
    command("camvid-fcn8s", tmp_path / "five", "--num_classes=5", "--nostrict")
    five = fcn_jax.load(tmp_path / "five")
    assert five.config.eval_scale == 0.5
    assert five.heads[0].classes == ("0", "1", "2", "3", "4")


def _rewritten(path, change):
    """A packed net whose header says something else."""
    own = (pretrained.FOLDER / "camvid-fcn8s.safetensors").read_bytes()
    size = int.from_bytes(own[:8], "little")
    header = json.loads(own[8 : 8 + size])
    change(header["__metadata__"])
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + own[8 + size :])


def _config(changes):
    def change(metadata):
        run = json.loads(metadata["run"])
        for key, value in changes.items():
            *parts, last = key.split(".")
            inner = run["config"]
            for part in parts:
                inner = inner[part]
            if value is None:
                del inner[last]
            else:
                inner[last] = value
        metadata["run"] = json.dumps(run)

    return change


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.name": "fcn99s"}, "model.name is 'fcn99s', no net of this version"),
        ({"model.width": "wide"}, "model.width is 'wide', expected a number"),
        ({"preprocessing": 7}, "preprocessing is 7, expected str"),
        ({"preprocessing": None}, "preprocessing is None, expected str"),
    ],
)
def test_a_record_of_another_version_is_one_message(
    command, tmp_path, changes, message
):
    _rewritten(tmp_path / "x.safetensors", _config(changes))
    with pytest.raises(SystemExit, match=f"error: .*which net it is of .*{message}"):
        command(tmp_path / "x.safetensors", tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_the_records_of_others_do_not_stand_in_the_way(command, tmp_path):
    """A logger's run id is no record; with --model its file is plain weights."""
    path = tmp_path / "x.safetensors"
    _rewritten(path, lambda metadata: metadata.update(run="3x9ab2"))
    with pytest.raises(SystemExit, match=r"error: .*which net it is of \(JSONDecodeE"):
        command(path, tmp_path / "b.npz")
    flags_of_it = ("--num_classes=11", "--width=0.5", "--batch_norm", "--padding=same")
    command(path, tmp_path / "a.npz", "--model=fcn8s", "--nostrict", *flags_of_it)
    assert "params/conv1_1/kernel" in formats.read(tmp_path / "a.npz").arrays


def test_what_is_not_there_torn_or_in_itself(command, tmp_path):
    with pytest.raises(
        SystemExit,
        match=r"error: camvid-fcn8 does not exist; did you mean 'camvid-fcn8s'\? exp.*"
        r"or a net that comes with the package \(camvid-fcn8s, shapes-fcn8s\)",
    ):
        command("camvid-fcn8", tmp_path / "b.npz")
    own = pretrained.FOLDER / "camvid-fcn8s.safetensors"
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(own.read_bytes()[:100])
    for given in ((), ("--model=fcn8s",)):
        with pytest.raises(SystemExit, match=r"error: .*torn.safetensors: "):
            command(torn, tmp_path / "b.npz", *given)
    assert not (tmp_path / "b.npz").exists()
    torn.write_bytes(own.read_bytes())
    with pytest.raises(SystemExit, match=r"error: .*torn.* is IN itself, whose record"):
        command(torn, torn)
    assert torn.read_bytes() == own.read_bytes()


@pytest.mark.long
def test_there_and_back(command, tmp_path, capsys, once):
    """Caffe -> a run -> safetensors -> npz -> the same numbers."""
    model, ours = once
    first = tmp_path / "net.caffemodel"
    blobs = foreign.caffe(ours)
    blobs["scale_pool4"] = (np.full(16, 0.01, np.float32),)
    blobs["scale_pool3"] = (np.full(8, 1e-4, np.float32),)
    first.write_bytes(foreign.caffemodel(blobs, v1=True))
    chain = [first, *(tmp_path / out for out in ("run", "a.safetensors", "b.npz"))]
    for source, out in itertools.pairwise(chain):
        command(source, out, "--model=fcn8s_atonce", *SMALL)
        assert f"written: {out}" in capsys.readouterr().out
        found = load(out, model)
        for name, x in ours.items():
            np.testing.assert_array_equal(found[name], x, err_msg=name)
    # Into a net that scales no skips.
    command(chain[-1], tmp_path / "plain.npz", "--model=fcn8s", *SMALL)
    assert (
        "note: score_pool4 rescaled for the net's factor 1" in capsys.readouterr().out
    )
    found = load(tmp_path / "plain.npz", foreign.create("fcn8s"))
    name = "params/score_pool3/kernel"
    np.testing.assert_allclose(found[name], ours[name] * 1e-4, rtol=1e-6)


def test_every_option(command, tmp_path, capsys, once):
    _, ours = once
    source, out = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(source, **ours)
    command(
        source,
        out,
        "--model=fcn8s",
        *SMALL,
        "--skip_scales=0.5,0.25",
        "--inputs=imagenet",
        "--preprocessing=caffe",
        "--upsampling=learned",
        "--padding=same",
        "--batch_norm",
        "--nostrict",
    )
    said = capsys.readouterr().out
    assert "conv1_1 rewritten from imagenet to caffe images" in said
    model = foreign.create("fcn8s", upsampling="learned", batch_norm=True)
    found = load(out, model)
    assert {"params/upscore8/kernel", "batch_stats/bn5_3/var"} < found.keys()
    for layer, factor in (("score_pool4", 0.5), ("score_pool3", 0.25)):
        name = f"params/{layer}/kernel"
        np.testing.assert_allclose(found[name], ours[name] * factor, rtol=1e-6)
    kernel = ours["params/conv1_1/kernel"]
    std = np.reshape(IMAGENET.std, (3, 1))
    np.testing.assert_allclose(
        found["params/conv1_1/kernel"], (kernel / std)[:, :, ::-1], rtol=1e-6
    )
    assert formats.read(out).arrays.keys() > {"record/mean", "record/skip_scales"}


@pytest.mark.long
def test_the_forms_of_deconvnet(command, tmp_path, capsys):
    model = foreign.create("deconvnet", padding="same")
    ours = foreign.flat(cases.random_variables(model))
    source = tmp_path / "net.caffemodel"
    source.write_bytes(foreign.caffemodel(foreign.caffe(ours), True, True))
    options = ("--model=deconvnet", "--padding=same", *SMALL)
    command(source, tmp_path / "a.npz", *options)
    assert "are folded into its scale and shift" in capsys.readouterr().out
    command(source, tmp_path / "b.npz", *options, "--bn_form=training")
    assert "take them over training batches" in capsys.readouterr().out


@pytest.mark.long
def test_eval_takes_a_converted_run(command, tmp_path):
    """The scores of a run, and of what it became on the way through PyTorch's form."""
    folder = make_folder(tmp_path / "data", images=4)
    config = tiny_config(folder)
    config.preprocessing = "imagenet"
    model = build.make_model(config)
    variables = cases.random_variables(model)
    saving.save_weights(
        tmp_path / "run",
        variables,
        model.with_encoder(dtype=None),
        preprocessing=IMAGENET,
    )
    options = (
        "--model=fcn8s",
        "--num_classes=3",
        "--padding=same",
        "--batch_norm",
        f"--width={config.model.width}",
        f"--fc_features={config.model.fc_features}",
        "--preprocessing=imagenet",
    )
    command(tmp_path / "run", tmp_path / "net.safetensors", *options)
    command(tmp_path / "net.safetensors", tmp_path / "again", *options)
    scores = []
    for run in ("run", "again"):
        devices = jax.devices()[:1]
        evaluation = runs.Evaluation(config, tmp_path / run, devices=devices)
        assert evaluation.members[0].preprocessing == IMAGENET
        assert evaluation.checkpoint.step == 0
        scores.append(evaluation.score())
    assert scores[0]["confusion"] == scores[1]["confusion"]
    assert np.count_nonzero(np.sum(scores[0]["confusion"], axis=0)) > 1


@pytest.mark.long
def test_training_starts_from_a_converted_file(command, tmp_path, monkeypatch, capsys):
    """What init_from's net was given is told by the file, or by init_inputs."""
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    folder = make_folder(tmp_path / "data", images=4)
    model = build.make_model(tiny_config(folder))
    ours = foreign.flat(cases.random_variables(model))
    trunk = {n: x for n, x in ours.items() if "score" not in n}
    np.savez(tmp_path / "vgg.npz", **trunk)
    for name, inputs, note in (
        ("told", "imagenet", "conv1_1 rewritten from imagenet to caffe images"),
        ("silent", "", "missing (6): "),
    ):
        config = tiny_config(
            folder, init_from=str(tmp_path / "vgg.npz"), init_inputs=inputs
        )
        run = trainer.Trainer(config, tmp_path / name)
        said = capsys.readouterr().out
        assert note in said
        assert ("rewritten" in said) == bool(inputs)
        bias = np.asarray(run.state.params["conv1_1"]["bias"])
        run.close()
        changed = not np.array_equal(bias, ours["params/conv1_1/bias"])
        assert changed == bool(inputs)
    config = tiny_config(folder, init_from=str(tmp_path / "vgg.npz"), init_inputs="bgr")
    with pytest.raises(ValueError, match=r"inputs='bgr' is not known; choose one of"):
        trainer.Trainer(config, tmp_path / "wrong")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "--model=fcn8s"), r"convert: paths are \['a'\]; usage: fcn_j"),
        (("a", "b", "c", "--model=fcn8s"), r"paths are \['a', 'b', 'c'\]; usage"),
        (
            ("a", "b"),
            r"error: a does not exist; expected a run's directory, .*Keras",
        ),
        (("a", "b", "--model=fcn4s"), r"should be one of <fcn32s\|fcn16s\|"),
        (("a", "b", "--modl=fcn8s"), r"Unknown command line flag 'modl'"),
        (("a", "b", "--model=fcn8s", "--inputs=bgr"), r"one of <caffe\|imagenet\|"),
        (("a", "b", "--model=deconvnet", "--bn_form=x"), r"<training\|inference>"),
        (("a", "b.pth", "--model=fcn8s"), r"error: b.pth: weights are written as .saf"),
        (
            ("a", "b", "--model=fcn8s", "--skip_scales=x"),
            r"error: --skip_scales=x is n",
        ),
        (("a", "b", "--model=fcn8s", "--padding=x"), r"error: padding='x' is not kno"),
        (("a", "b", "--model=fcn8s", "--width=0"), r"error: width=0.0 and .* positive"),
        (
            ("a", "b", "--model=deconvnet", "--upsampling=fixed"),
            r"error: option 'upsampling' of model 'deconvnet' is not known",
        ),
        (("a", "b", "--model=fcn8s"), r"error: a does not exist; expected a run's dir"),
    ],
)
def test_mistakes_are_one_message(command, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    if {"--width=0", "--padding=x", "--skip_scales=x"} & set(arguments) or (
        "--upsampling=fixed" in arguments
    ):
        np.savez("in.npz", x=np.ones(2))
        Path("in.npz").rename("a")
    with pytest.raises(SystemExit, match=message):
        command(*arguments)
    assert not (tmp_path / "b").exists()


def test_files_that_do_not_fit_leave_nothing(command, tmp_path, once):
    _, ours = once
    source, out = tmp_path / "in.npz", tmp_path / "out" / "net.npz"
    np.savez(source, **ours)
    for options, message in (
        (
            ("--model=fcn32s",),
            r"error: .*in.npz: it is not this FCN32s: the net has no",
        ),
        (("--model=fcn8s", "--num_classes=4"), r"create the net with num_classes=3"),
        (("--model=fcn8s", "--width=0.0625"), r"30 more shapes differ"),
    ):
        with pytest.raises(SystemExit, match=message):
            command(source, out, *SMALL, *options)
    source.write_bytes(source.read_bytes()[:-100])
    with pytest.raises(SystemExit, match=r"error: .*in.npz: a torn zip archive"):
        command(source, out, "--model=fcn8s", *SMALL)
    (tmp_path / "run").mkdir()
    with pytest.raises(SystemExit, match=r"run exists; give the directory of the new"):
        command(source, tmp_path / "run", "--model=fcn8s", *SMALL)
    assert not out.parent.exists()


@pytest.mark.parametrize("out", ("net.npz", "net.safetensors", "run"))
def test_a_full_disk_leaves_nothing(command, tmp_path, monkeypatch, once, out):
    _, ours = once
    source = tmp_path / "in.npz"
    np.savez(source, **ours)
    if out == "run":

        def full(store, state, **options):
            (store.directory / "0").mkdir(parents=True)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(checkpoints.CheckpointStore, "save", full)
    else:
        files.part_of(tmp_path / out).symlink_to("/dev/full")
    with pytest.raises(
        SystemExit, match=rf"error: .*{out} could not be written \(.*No space left"
    ):
        command(source, tmp_path / out, "--model=fcn8s", *SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["in.npz"]


def test_a_run_without_the_newest_key_goes_on(tmp_path):
    """What an older run's config lacks is there as it is by default."""
    config = tiny_config(tmp_path)
    old = json.loads(config.to_json())
    del old["init_inputs"], old["init_least"], old["loss"]["name"]
    (tmp_path / "config.json").write_text(json.dumps(old))
    workdirs.check_workdir(config, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(old))
    config.init_inputs = "imagenet"
    with pytest.raises(ValueError, match=r"init_inputs: '' there, 'imagenet' now"):
        workdirs.check_workdir(config, tmp_path)
