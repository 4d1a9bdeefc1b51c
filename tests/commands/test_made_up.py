"""What it takes to add a command: a file of fcn_jax/commands and a line of PURPOSES."""

import dataclasses
import re
import signal
import subprocess
import sys
import types

import jax
import pytest
from absl import app, flags

import fcn_jax
from fcn_jax import __main__, runtime
from fcn_jax.commands import command, command_line
from tests.support.compiled_code import IN_A_MUTEX
from tests.support.patience import SECONDS

# The file that a newcomer writes.
SOURCE = """
from absl import flags

from fcn_jax.commands.command import Command


def define_flags():
    flags.DEFINE_string("greeting", None, "What to say.")


COMMAND = Command(
    text="Say something.",
    define_flags=define_flags,
    run=lambda values: print(values.greeting),
    required={"greeting": "TEXT"},
)
"""


@pytest.fixture
def greet(monkeypatch):
    module = types.ModuleType("fcn_jax.commands.greet")
    exec(compile(SOURCE, "greet.py", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(__main__.COMMANDS, "greet", "say something")
    monkeypatch.setitem(__main__.PURPOSES["Data"], "greet", "say something")
    values = flags.FlagValues()
    for owner in (flags, module.flags, command.flags, command_line.flags):
        monkeypatch.setattr(owner, "FLAGS", values)
    monkeypatch.setattr(
        flags, "DEFINE_string",
        lambda name, default, text: flags.DEFINE(
            flags.ArgumentParser(), name, default, text, values
        ),
    )  # fmt: skip
    monkeypatch.setattr(command.runtime, "prepare", lambda: None)
    monkeypatch.setattr(
        app, "run", lambda main, argv, flags_parser: main(flags_parser(argv))
    )


def test_it_runs(greet, capsys):
    __main__.main(["fcn_jax", "greet", "--greeting=hello"])
    assert capsys.readouterr().out == "hello\n"


def test_its_help_is_its_text_and_its_flags(greet, capsys):
    __main__.main(["fcn_jax", "greet", "--help"])
    assert re.fullmatch(
        r"Say something\.\n\nFlags:\n  --greeting  What to say\.\n",
        capsys.readouterr().out,
    )


def test_what_is_no_flag_is_refused(greet):
    with pytest.raises(SystemExit, match=r"cannot make sense of \['hello'\]; options"):
        __main__.main(["fcn_jax", "greet", "--greeting=a", "hello"])


@pytest.mark.parametrize(
    ("traceback", "error", "message"),
    (("", SystemExit, "error: a is too short"), ("1", ValueError, "^a is too short")),
)
def test_a_mistake_of_the_user_is_one_message(
    greet, monkeypatch, traceback, error, message
):
    def fail(values):
        raise ValueError(f"{values.greeting} is too short.")

    module = sys.modules["fcn_jax.commands.greet"]
    monkeypatch.setattr(
        module, "COMMAND", dataclasses.replace(module.COMMAND, run=fail)
    )
    monkeypatch.setenv("FCN_JAX_TRACEBACK", traceback)
    with pytest.raises(error, match=message):
        __main__.main(["fcn_jax", "greet", "--greeting=a"])


def test_a_flag_that_is_missing_is_one_message(greet):
    with pytest.raises(SystemExit, match="--greeting is missing; usage: .*greet"):
        __main__.main(["fcn_jax", "greet"])


def test_it_is_listed_and_suggested(greet):
    with pytest.raises(SystemExit, match="did you mean 'greet'\\?(.|\n)*say something"):
        __main__.main(["fcn_jax", "gret"])


@pytest.mark.parametrize("word", ("--help", "-h", "help"))
def test_the_program_has_a_help(word, capsys):
    """By purpose, with how commands end; asked for, it is no mistake."""
    __main__.main(["fcn_jax", word])
    text = capsys.readouterr().out
    for purpose, commands in __main__.PURPOSES.items():
        assert f"\n{purpose}:\n" in text
        for name in commands:
            assert f"\n  {name:12}" in text
    assert "130 after Ctrl-C, 143 after SIGTERM" in text


def test_the_program_has_a_version(capsys):
    __main__.main(["fcn_jax", "--version"])
    assert capsys.readouterr().out == f"fcn_jax {fcn_jax.__version__}\n"


def test_without_a_command_there_is_usage_and_a_status_of_1():
    with pytest.raises(SystemExit, match="^usage: fcn_jax COMMAND"):
        __main__.main(["fcn_jax"])


def test_debug_shows_where_an_error_came_from(greet, monkeypatch):
    """For that command, and not for the next one of the process."""

    def fail(values):
        raise ValueError(f"{values.greeting} is too short.")

    module = sys.modules["fcn_jax.commands.greet"]
    failing = dataclasses.replace(module.COMMAND, run=fail)
    monkeypatch.setattr(module, "COMMAND", failing)
    monkeypatch.delenv("FCN_JAX_TRACEBACK", raising=False)
    with pytest.raises(ValueError, match="a is too short"):
        __main__.main(["fcn_jax", "greet", "--debug", "--greeting=a"])
    with pytest.raises(SystemExit, match="error: a is too short"):
        __main__.main(["fcn_jax", "greet", "--greeting=a"])


def test_a_notebook_starts_it_again(greet, capsys):
    """%run defines the same flags in one process."""
    for word in ("one", "two"):
        __main__.main(["fcn_jax", "greet", f"--greeting={word}"])
    assert capsys.readouterr().out.split() == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "each"),
    (
        ("RESOURCE_EXHAUSTED: Out of memory allocating 6000 bytes.\n  more", "500"),
        ("INTERNAL: Error dispatching: Out of memory allocating 6000 bytes.", "500"),
        ("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1.5KiB.", "128"),
    ),
)
def test_too_little_memory_is_one_message(greet, monkeypatch, text, each):
    def fail(values):
        with runtime.naming_memory(2, 2, 3):
            raise jax.errors.JaxRuntimeError(text)

    module = sys.modules["fcn_jax.commands.greet"]
    changed = dataclasses.replace(module.COMMAND, run=fail, memory="say less")
    monkeypatch.setattr(module, "COMMAND", changed)
    match = (
        rf"error: .*allocat\w+ .*B\w*\. That is {each} bytes a pixel, of 2 images of "
        r"2x3 \(height x width\)\. To need less, say less\."
    )
    with pytest.raises(SystemExit, match=re.compile(match, re.IGNORECASE)):
        __main__.main(["fcn_jax", "greet", "--greeting=a"])


def test_other_errors_of_xla_are_no_lack_of_memory(greet, monkeypatch):
    def fail(values):
        raise jax.errors.JaxRuntimeError("INVALID_ARGUMENT: no")

    module = sys.modules["fcn_jax.commands.greet"]
    changed = dataclasses.replace(module.COMMAND, run=fail)
    monkeypatch.setattr(module, "COMMAND", changed)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INVALID_ARGUMENT"):
        __main__.main(["fcn_jax", "greet", "--greeting=a"])


def test_who_reads_may_go_away(greet, monkeypatch, tmp_path):
    """As "| head" does: no message, the status of SIGPIPE."""

    def fail(values):
        raise BrokenPipeError(32, "Broken pipe")

    module = sys.modules["fcn_jax.commands.greet"]
    monkeypatch.setattr(
        module, "COMMAND", dataclasses.replace(module.COMMAND, run=fail)
    )
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        with pytest.raises(SystemExit) as ended:
            __main__.main(["fcn_jax", "greet", "--greeting=a"])
        file.write("nowhere")
    assert ended.value.code == 141
    assert not (tmp_path / "out").read_text()


BUSY = (
    IN_A_MUTEX
    + """
from fcn_jax.commands.command import Command, start
stopping._GRACE = 0.3 if sys.argv[2] == "c" else 3600


def work(values):
    print("working", flush=True)
    try:
        if sys.argv[2] == "python":
            os.kill(os.getpid(), int(sys.argv[1]))
            threading.Event().wait()
        threading.Thread(target=ask, daemon=True).start()
        compiled()
    finally:
        print("put away", flush=True)


start(Command(text="", define_flags=lambda: None, run=work), ["busy"])
"""
)


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="has no pthread_mutex_lock")
@pytest.mark.parametrize(
    ("number", "answer"),
    ((signal.SIGTERM, "terminated\n"), (signal.SIGINT, "interrupted\n")),
)
@pytest.mark.parametrize("where", ("python", "c"))
def test_a_signal_ends_any_command_with_one_line(number, answer, where):
    done = subprocess.run(
        [sys.executable, "-c", BUSY, str(int(number)), where],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stderr) == (128 + number, answer)
    assert done.stdout == "working\n" + "put away\n" * (where == "python")


def test_who_reads_the_help_may_go_away(greet, monkeypatch, tmp_path):
    def gone(*_, **__):
        raise BrokenPipeError

    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr("builtins.print", gone)
        with pytest.raises(SystemExit) as ended:
            __main__.main(["fcn_jax", "greet", "--help"])
    assert ended.value.code == 128 + signal.SIGPIPE
