"""Flags that several commands have, and how their values are read."""

import ast
import math
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from fcn_jax.config import named, of_run
from fcn_jax.config.types import Config


def define_flags() -> None:
    """Declare --config and --workdir."""
    define_config_flag()
    flags.DEFINE_string("workdir", None, "Directory of the run.")


def define_config_flag() -> None:
    """Declare --config."""
    config_flags.DEFINE_config_file(
        "config", None, "A config's name or file, or one of these with :mode."
    )


def with_config(argv: Sequence[str]) -> list[str]:
    """The arguments, --config given as a file; without one it is that of the run.

    Args:
        argv: The program, and its arguments.
    """
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


def readable(error: Exception) -> str:
    """The text of an error, taken out of the quotes that libraries put around it."""
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
    """Positive numbers separated by commas.

    Args:
        name: Of the flag, for the message.
        text: Its value.

    Raises:
        ValueError: If it is not such a list.
    """
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
