"""Mistakes in a command line: one message each, before anything is done."""

import importlib
import re

import pytest
from absl import flags

from fcn_jax import __main__
from fcn_jax.commands import command, command_line
from tests.support import pages


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "--config=shapes_fcn8s:smok", "--workdir=W"],
            r"mode of config shapes_fcn8s 'smok' is not known; did you mean 'smoke'\? "
            "There are: any_size, full, smoke",
        ),
        (
            ["train", "--config=camvid_fcn8s:", "--workdir=W"],
            "mode of config camvid_fcn8s '' is not known; There are: full, gpu, light",
        ),
        (
            ["eval", "--workdir=W"],
            "--config is missing, and W does not exist whose config could be taken; us",
        ),
        (
            ["eval", "--workdir=."],
            r"--config is missing, and \. holds no run whose config could be taken; us",
        ),
        (
            ["eval", "--workdir=W", "--config.seed=1"],
            "--config.seed is a key of a config, and --config is missing, and W does n",
        ),
        (
            ["train", "--config.seed=1"],
            "--config.seed is a key of a config, and --config is missing; give --confi",
        ),
        (["report", "--config.seed=1", "W"], "Unknown command line flag 'config.seed'"),
        (["train", "--workdir=file"], "--workdir=file is a file; give a run's directo"),
        (["status", "--workdir=file"], "--workdir=file is a file; give a run's direct"),
        (["eval", "--rows=0"], "flag --rows=0: .*positive"),
        (
            ["predict", "RUN", "a.png", "--out=file"],
            "--out=file is a file; give a directory to write into",
        ),
        (
            ["activations", "--workdir=W", "--image=a.png", "--out=."],
            r"--out=\. is a directory; give the name of a file",
        ),
        (
            ["export", "--workdir=W", "--out=."],
            r"--out=\. is a directory; give the name of a file",
        ),
        (
            ["export", "--workdir=W", "--out=file/net.zip"],
            r"--out=file/net.zip cannot be written \(.*/file is a file\)\. Choose an",
        ),
        (
            ["report", ".", "--out=file/new/page.html"],
            r"--out=file/new/page.html cannot be written \(.*/file is a file\)\. Choo",
        ),
    ],
)
def test_a_mistake_is_one_message(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=f"^fcn_jax {arguments[0]}: {message}"):
        __main__.main(["fcn_jax", *arguments])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_home_directory_is_meant_behind_an_equals_sign_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=f"--workdir={tmp_path}/file is a file"):
        __main__.main(["fcn_jax", "status", "--workdir=~/file"])
    left = ["fcn_jax", "a=~/b", "--images=~b", "~/c", "--scales=1"]
    assert command_line.with_home(left) == left


@pytest.mark.parametrize("name", __main__.COMMANDS)
def test_the_flags_that_a_help_names_are_flags(name, capsys):
    command = importlib.import_module(f"fcn_jax.commands.{name}").COMMAND
    # What it says of other commands is not its own.
    text = re.sub(rf"fcn_jax (?!{name} )\w+ .*|curl .*", "", command.text)
    named = {flag.split(".")[0] for flag in re.findall(r"--([\w.]+)", text)}
    __main__.main(["fcn_jax", name, "--help"])
    listed = set(re.findall(r"^  --(\w+) ", capsys.readouterr().out, re.MULTILINE))
    listed |= {f"no{flag}" for flag in listed}
    assert named | set(command.required) <= listed


def test_what_train_does_unasked():
    """It neither begins anew nor goes on with other data."""
    before = set(flags.FLAGS)
    command = importlib.import_module("fcn_jax.commands.train").COMMAND
    command.define_flags()
    own = set(flags.FLAGS) - before
    try:
        values = {name: flags.FLAGS[name].default for name in own}
    finally:
        for name in own:
            delattr(flags.FLAGS, name)
    assert (values["restart"], values["allow_changed"]) == (False, [])


def test_weights_alone_are_scored_and_not_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(command_line.of_run, "get_config", lambda workdir: None)
    (tmp_path / "checkpoints").mkdir()
    argv = ["fcn_jax eval", f"--workdir={tmp_path}"]
    command_line.define_flags()
    try:
        given = command_line.with_config(argv, takes_weights=True)
        assert given[1].startswith("--config=")
        assert given[1].endswith(f"of_run.py:{tmp_path}")
        assert command_line.with_config(argv) == argv
    finally:
        for name in ("config", "workdir"):
            delattr(flags.FLAGS, name)


def started(monkeypatch, *arguments):
    """What a command with --config sees of numbers, tuples and flags of its own."""
    monkeypatch.setattr(command.runtime, "prepare", lambda: None)
    seen = []

    def define_flags():
        command_line.define_flags()
        flags.DEFINE_bool("loud", False, "Its own.")

    def run(values):
        config = values.config
        seen.append((config.num_steps, config.data.crop, config.seed, values.loud))

    made_up = command.Command("Looks.", define_flags, run, {"config": "NAME"})
    with pytest.raises(SystemExit) as ended:
        command.start(made_up, ["fcn_jax look", *arguments])
    assert not ended.value.code
    return seen


# Of ml_collections, which loads config files so.
@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
def test_one_process_starts_commands_one_after_the_other(monkeypatch):
    """A notebook does: with other keys, other values, other configs."""
    before = set(flags.FLAGS)
    crop, again = "--config.data.crop=(8,9)", "--config.data.crop=(6,7)"
    shapes, camvid = "--config=shapes_fcn8s:smoke", "--config=camvid_fcn8s:smoke"
    first = started(monkeypatch, shapes, "--config.num_steps=3", crop, "--loud")
    assert first == [(3, (8, 9), 0, True)]
    second = started(monkeypatch, again, "--config.num_steps", "4", camvid)
    assert second == [(4, (6, 7), 0, False)]
    third = started(monkeypatch, shapes, "--config.seed=5")
    assert third[0][2:] == (5, False)
    assert third[0][0] not in (3, 4)
    assert third[0][1] not in ((8, 9), (6, 7))
    left = set(flags.FLAGS) - before
    assert not left & {"config", "workdir", "loud"}
    assert not [name for name in left if name.startswith("config.")]


def test_the_help_of_a_config_lists_its_keys(capsys):
    """With their values there, a mode's too, and what they mean."""
    __main__.main(["fcn_jax", "train", "--config=shapes_fcn8s:smoke", "--help"])
    text = capsys.readouterr().out
    assert "Keys of shapes_fcn8s:smoke, given as --config.KEY=VALUE:" in text
    (line,) = [x for x in text.splitlines() if x.split()[:1] == ["num_steps"]]
    assert line.split(maxsplit=2)[1:] == ["2", "Optimiser updates."]
    __main__.main(["fcn_jax", "train", "--help"])
    assert "The configs are camvid_deconvnet, " in capsys.readouterr().out


def test_the_help_of_a_config_that_is_none():
    with pytest.raises(
        SystemExit, match="train: config 'shapes' is neither a file nor"
    ):
        __main__.main(["fcn_jax", "train", "--config=shapes", "--help"])
    with pytest.raises(SystemExit, match="train: .*mode of config shapes_fcn8s"):
        __main__.main(["fcn_jax", "train", "--config=shapes_fcn8s:fast", "--help"])


@pytest.mark.parametrize("name", __main__.COMMANDS)
def test_every_help_has_examples_that_can_be_given(name):
    """Whole commands, with values in place; what they name is there."""
    text = importlib.import_module(f"fcn_jax.commands.{name}").COMMAND.text
    examples = [
        each
        for each in pages.commands_of(text)
        if not re.search(r"[\[\]]|\b(DIR|FILE|NAME|IN|OUT|RUN)\b", " ".join(each))
    ]
    assert [each for each in examples if each[0] == name]
    assert [pages.mistakes(each) for each in examples] == [[]] * len(examples)
