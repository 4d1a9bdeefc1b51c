"""Flags of the commands, and mistakes of their users told in one message."""

import ast
import math
import os
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from fcn_jax.config import named, of_run
from fcn_jax.config.types import Config

# The flags that `train.py` and `eval.py` cannot do without.
REQUIRED_FLAGS = {"config": "NAME", "workdir": "DIR"}


def start(command: types.ModuleType, argv: Sequence[str]) -> None:
    """Run a module of `fcn_jax.commands`: its flags, then its work.

    Args:
        command: With `define_flags`, `parse_flags` and `main`.
        argv: The program, and its arguments.
    """
    command.define_flags()
    app.run(command.main, argv=list(argv), flags_parser=command.parse_flags)


def define_flags() -> None:
    """Declare --config and --workdir."""
    define_config_flag()
    flags.DEFINE_string("workdir", None, "Directory of the run.")


def define_config_flag() -> None:
    """Declare --config."""
    config_flags.DEFINE_config_file(
        "config", None, "A config's name or file, or one of these with :mode."
    )


def parse_flags(
    argv: list[str], required: Mapping[str, str] = REQUIRED_FLAGS
) -> list[str]:
    """Parse the command line; a mistake in it ends the process with one message.

    Args:
        argv: The program, and its arguments.
        required: Flags that must be given, and what stands for their values.

    Returns:
        The program alone.
    """
    try:
        rest = flags.FLAGS(_with_config(argv))
        for name in required:
            if not flags.FLAGS[name].value:
                usage = " ".join(
                    f"--{flag}={value}" for flag, value in required.items()
                )
                raise flags.Error(
                    f"--{name} is missing; usage: python {Path(argv[0]).name} {usage} "
                    f"[--config.key=value ...]"
                )
        if len(rest) > 1:
            raise flags.Error(
                f"cannot make sense of {rest[1:]}; options look like --workdir=DIR or "
                f"--config.optim.learning_rate=1e-3"
            )
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as e:
        # ml_collections wraps its suggestion ("Did you mean ...?") in a repr.
        sys.exit(f"{Path(argv[0]).name.removeprefix('-m ')}: {_readable(e)}")
    return rest


def _with_config(argv: Sequence[str]) -> list[str]:
    """The arguments, --config given as a file; without one it is that of the run."""
    if "config" not in flags.FLAGS:
        return list(argv)
    found, workdir = [], ""
    given = False
    rest = iter(argv)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name in ("--config", "-config", "--workdir", "-workdir") and not equals:
            value = next(rest, "")
            argument = f"{name}={value}"
        if name in ("--config", "-config"):
            given = True
            file, colon, mode = value.partition(":")
            argument = f"--config={named.config_file(file)}{colon}{mode}"
        if name in ("--workdir", "-workdir"):
            workdir = value
        found.append(argument)
    if not given and workdir and (Path(workdir) / "config.json").exists():
        found.insert(1, f"--config={of_run.__file__}:{workdir}")
    return found


def _readable(error: Exception) -> str:
    text = str(error)
    while text[:1] in "'\"":
        try:
            text = str(ast.literal_eval(text.split("\n")[0])) + "".join(
                "\n" + line for line in text.split("\n")[1:]
            )
        except (SyntaxError, ValueError):
            break
    return text.replace("\\n", "\n")


def config_of_flags() -> Config:
    """The config of the command line, overrides applied."""
    return flags.FLAGS.config


def parse_numbers(name: str, text: str) -> tuple[float, ...]:
    """Positive numbers separated by commas."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(n > 0 and math.isfinite(n) for n in numbers):
        raise ValueError(
            f"--{name}={text} is not understood; give positive numbers separated by "
            f"commas, such as --{name}=0.5,1,2."
        )
    return numbers


def run_reporting_errors(work: Callable[[], object]) -> None:
    """Do `work`; an error a user can mend is one message, not a traceback.

    Set FCN_JAX_TRACEBACK=1 to see where it came from.
    """
    try:
        work()
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        if os.environ.get("FCN_JAX_TRACEBACK"):
            raise
        sys.exit(f"error: {error}")
