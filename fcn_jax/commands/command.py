"""What a command is, and how one is started: flags, help, mistakes in one message."""

import contextlib
import dataclasses
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

import jax
from absl import app, flags

from fcn_jax import runtime
from fcn_jax.commands import command_line
from fcn_jax.runs.stopping import Stop, Stopping

_OUT_OF_MEMORY = re.compile("RESOURCE_EXHAUSTED|out of memory", re.IGNORECASE)
_ANSWERS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_DEBUG, _TRACEBACK = "--debug", "FCN_JAX_TRACEBACK"
_HELP = {"-h", "-help", "--help", "-helpfull", "--helpfull"}


def _no_more(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """The check of a command that takes flags alone."""
    del values
    if operands:
        raise flags.Error(
            f"cannot make sense of {list(operands)}; options look like --workdir=DIR "
            f"or --config.optim.learning_rate=1e-3"
        )


@dataclasses.dataclass(frozen=True)
class Command:
    """A command, as a module of `fcn_jax.commands` describes it: `COMMAND`.

    Attributes:
        text: What it does and how it is called; --help prints it.
        define_flags: Declares its flags.
        run: Does the work, given the flags' values and the operands.
        required: Flags that must be given, and what stands for their values.
        check: Given the same as `run`, raises `flags.Error` if these do not go
            together; by default there are no operands.
        takes_weights: Whether a directory of weights alone, without a config, will do,
            and a packed net.
        memory: What to do where the device's memory does not suffice.
        config: The file of the config that is taken where none is given.
        out: What --out names: "directory" or "file"; "": it is checked elsewhere.
    """

    text: str | None
    define_flags: Callable[[], object]
    run: Callable[..., object]
    required: Mapping[str, str] = dataclasses.field(default_factory=dict)
    check: Callable[[flags.FlagValues, Sequence[str]], object] = _no_more
    takes_weights: bool = False
    memory: str = "work on smaller images"
    config: str = ""
    out: str = ""


def start(command: Command, argv: Sequence[str]) -> None:
    """Run a command: its flags, then its work; ends the process on a mistake.

    One process may start several, one after the other.

    Args:
        command: What to run.
        argv: The program, and its arguments.
    """
    _print_any_letter()
    argv = command_line.with_home(argv)
    before = set(flags.FLAGS)
    command.define_flags()
    own = set(flags.FLAGS) - before
    try:
        if _HELP & set(argv[1:]):
            try:
                text = describe(command, own, argv)
            except (OSError, ValueError) as error:  # Of a config that is not known.
                sys.exit(f"{Path(argv[0]).name}: {error}")
            with _until_nobody_reads():
                print(text, flush=True)
            return
        with _answering(), _traced(_DEBUG in argv):
            app.run(
                lambda rest: run(command, rest[1:]),
                argv=[argument for argument in argv if argument != _DEBUG],
                flags_parser=lambda argv: parse_flags(command, argv),
            )
    finally:
        # A notebook may start a command again. Those of --config are declared while
        # it is parsed.
        for name in set(flags.FLAGS) - before:
            if name.partition(".")[0] in own:
                delattr(flags.FLAGS, name)


def _print_any_letter() -> None:
    """Have names be printed in escapes where the terminal lacks their letters."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _answering() -> Generator[None]:
    """SIGTERM and Ctrl-C end a command with one line and the status of the signal.

    What it writes is whole or not there, so that it may be broken off anywhere.
    """
    stopping = Stopping(lambda: _ANSWERS[stopping.asked], to_stderr=True)
    with stopping:
        try:
            with stopping.at_once():
                yield
        except Stop:
            print(_ANSWERS[stopping.asked], file=sys.stderr, flush=True)
            if hasattr(sys, "ps1"):  # A notebook goes on.
                sys.exit(stopping.exit_code)
            with contextlib.suppress(OSError):  # Of a pipe that nobody reads.
                sys.stdout.flush()
            os._exit(stopping.exit_code)  # Python would wait for threads that read.


@contextlib.contextmanager
def _until_nobody_reads() -> Generator[None]:
    """Who reads what is printed may go away, as "| head" does."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


@contextlib.contextmanager
def _traced(asked: bool) -> Generator[None]:
    """Within it, errors come with their traceback where that is asked for."""
    before = os.environ.get(_TRACEBACK)
    if asked:
        os.environ[_TRACEBACK] = "1"
    try:
        yield
    finally:
        if asked and before is None:
            del os.environ[_TRACEBACK]


def describe(command: Command, names: set[str], argv: Sequence[str] = ()) -> str:
    """The help of a command: what it does, its flags, the keys of its config.

    Args:
        command: What to describe.
        names: Of its flags.
        argv: The program, and its arguments, which may name a config.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If the config has no such mode.
    """
    width = max(map(len, names), default=0)
    listed = [
        f"  --{name:{width}}  {' '.join((flags.FLAGS[name].help or '').split())}"
        for name in sorted(names)
    ]
    parts = [(command.text or "").strip(), "", "Flags:", *listed]
    if "config" in names:
        parts += ["", command_line.keys_of_config(argv)]
    return "\n".join(parts)


def parse_flags(command: Command, argv: Sequence[str]) -> list[str]:
    """Parse the command line; a mistake in it ends the process with one message.

    Args:
        command: Whose flags are declared.
        argv: The program, and its arguments.

    Returns:
        The program, and the operands.

    Raises:
        SystemExit: If a flag is missing, unknown, or wrong; its text names it.
    """
    program = Path(argv[0]).name
    try:
        argv = command_line.with_default(argv, command.config)
        argv = command_line.with_config(argv, command.takes_weights)
        rest = _parsed(argv)
        command_line.check_workdir(flags.FLAGS, command.takes_weights)
        for name in command.required:
            if not flags.FLAGS[name].value:
                usage = " ".join(f"--{n}={x}" for n, x in command.required.items())
                why = command_line.without_config(flags.FLAGS, name)
                raise flags.Error(
                    f"--{name} is missing{why}; usage: {program} {usage} "
                    f"[--config.key=value ...]"
                )
        command_line.check_out(flags.FLAGS, command.out)
        command.check(flags.FLAGS, rest[1:])
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as e:
        sys.exit(f"{program}: {_explained(e, argv)}")
    return list(rest)


def _parsed(argv: Sequence[str]) -> list[str]:
    """The operands of a command line, program first; ml_collections reads sys.argv."""
    of_process, sys.argv = sys.argv, list(argv)
    try:
        return flags.FLAGS(argv)
    finally:
        sys.argv = of_process


def _explained(error: Exception, argv: Sequence[str]) -> str:
    """What a mistake in the command line is, in words."""
    if isinstance(error, AttributeError | KeyError):  # Of a key of the config.
        unknown = command_line.unknown_key(argv)
        if unknown:
            return unknown
    if isinstance(error, flags.UnrecognizedFlagError):
        without = command_line.key_without_config(error.flagname, argv)
        if without:
            return without
    return command_line.readable(error)


def run(command: Command, operands: Sequence[str]) -> None:
    """Do the work; an error that a user can mend is one message, not a traceback.

    --debug, or FCN_JAX_TRACEBACK=1, shows where it came from.

    Args:
        command: What to run; its flags are parsed.
        operands: Of the command line.
    """
    runtime.prepare()
    try:
        with _until_nobody_reads():
            command.run(flags.FLAGS, *operands)
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        if os.environ.get(_TRACEBACK):
            raise
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except jax.errors.JaxRuntimeError as error:
        text = str(error)
        if os.environ.get(_TRACEBACK) or not _OUT_OF_MEMORY.search(text):
            raise
        told = [text.splitlines()[0], *getattr(error, "__notes__", [])]
        sys.exit(f"error: {' '.join(told)} To need less, {command.memory}.")
