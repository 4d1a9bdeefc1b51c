"""Options of schedules and proposals by the command line; keys that are not there."""

import pytest

from fcn_jax.commands import command_line
from fcn_jax.config import named, with_options


def config_of(arguments):
    """The config file that --config becomes, loaded as ml_collections loads it."""
    found = command_line.with_config(["train.py", *arguments])
    (given,) = (a for a in found if a.startswith("--config="))
    file, _, text = given.removeprefix("--config=").partition(":")
    return named.load(file).get_config(*([text] if text else []))


@pytest.fixture(autouse=True)
def flags(monkeypatch):
    monkeypatch.setattr(command_line.flags, "FLAGS", {"config": None})


@pytest.mark.parametrize("apart", (False, True))
def test_options_of_a_schedule(apart):
    given = ("--config.optim.schedule_options.boundaries", "(2,3)")
    arguments = list(given) if apart else ["=".join(given)]
    config = config_of(["--config=shapes_fcn8s", *arguments])
    assert config.optim.schedule_options.boundaries == (2, 3)
    assert config.is_locked


def test_options_of_a_mode_and_of_proposals():
    config = config_of(
        [
            "--config=camvid_fcn8s:smoke",
            "--config.data.objects.proposal_options.blur=1.5",
            "--config.optim.schedule_options.note=text",
            "--config.data.boxsup.options.min_side=8",
        ]
    )
    assert config.data.boxsup.options.min_side == 8
    assert config.data.objects.proposal_options.blur == 1.5
    assert config.optim.schedule_options.note == "text"
    smoke = named.load("camvid_fcn8s").get_config("smoke")
    assert config.num_steps == smoke.num_steps


def test_without_options_the_config_is_as_it_is():
    found = command_line.with_config(["train.py", "--config", "shapes_fcn8s", "--x"])
    assert found[1].endswith("shapes_fcn8s.py")
    assert found[2:] == ["--x"]
    assert with_options.__file__ not in found[1]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("learning_rate", "no key 'learning_rate'; did you mean 'optim.learning_rate'"),
        ("optim.learning_rat", "did you mean 'optim.learning_rate'?"),
        ("data.crpo", "did you mean 'data.crop'?"),
        ("gpus", "config has no key 'gpus'. All keys stand in fcn_jax/config/base"),
    ],
)
def test_a_key_that_is_not_there(key, message):
    file = named.config_file("shapes_fcn8s")
    argv = ["train.py", f"--config={file}", "--config.num_steps=3", f"--config.{key}=1"]
    assert message in command_line.unknown_key(argv)


def test_keys_that_are_there():
    file = named.config_file("shapes_fcn8s")
    argv = ["train.py", f"--config={file}", "--config.optim.learning_rate=1"]
    assert command_line.unknown_key(argv) == ""
    assert command_line.unknown_key(["train.py"]) == ""
