"""What it takes to add a command: a file of fcn_jax/commands and a line of COMMANDS."""

import sys
import types

import pytest
from absl import app, flags

from fcn_jax import __main__
from fcn_jax.commands import command_line

# The file that a newcomer writes.
SOURCE = """
from absl import flags

from fcn_jax.commands import command_line


def define_flags():
    flags.DEFINE_string("greeting", None, "What to say.")


def parse_flags(argv):
    return command_line.parse_flags(argv, required={"greeting": "TEXT"})


def main(argv):
    print(flags.FLAGS.greeting)
"""


@pytest.fixture
def greet(monkeypatch):
    module = types.ModuleType("fcn_jax.commands.greet")
    exec(compile(SOURCE, "greet.py", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(__main__.COMMANDS, "greet", "say something")
    values = flags.FlagValues()
    for owner in (flags, module.flags, command_line.flags):
        monkeypatch.setattr(owner, "FLAGS", values)
    monkeypatch.setattr(
        flags, "DEFINE_string",
        lambda name, default, text: flags.DEFINE(
            flags.ArgumentParser(), name, default, text, values
        ),
    )  # fmt: skip
    monkeypatch.setattr(
        app, "run", lambda main, argv, flags_parser: main(flags_parser(argv))
    )


def test_it_runs(greet, capsys):
    __main__.main(["fcn_jax", "greet", "--greeting=hello"])
    assert capsys.readouterr().out == "hello\n"


def test_a_flag_that_is_missing_is_one_message(greet):
    with pytest.raises(SystemExit, match="--greeting is missing; usage: .*greet"):
        __main__.main(["fcn_jax", "greet"])


def test_it_is_listed_and_suggested(greet):
    with pytest.raises(SystemExit, match="did you mean 'greet'\\?(.|\n)*say something"):
        __main__.main(["fcn_jax", "gret"])
