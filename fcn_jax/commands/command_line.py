"""Flags that several commands have, and how their values are read."""

import ast
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from fcn_jax import messages
from fcn_jax.config import keys, named, of_run, with_options
from fcn_jax.config.types import Config
from fcn_jax.storage import files, mirrors
from fcn_jax.weights import pretrained


def define_flags() -> None:
    """Declare --config and --workdir."""
    define_config_flag()
    flags.DEFINE_string("workdir", None, "Directory of the run.")


def define_config_flag() -> None:
    """Declare --config."""
    config_flags.DEFINE_config_file(
        "config", None, "A config's name or file, or one of these with :mode."
    )


def with_home(argv: Sequence[str]) -> list[str]:
    """The arguments, ~ being the home directory in --workdir=~/runs/x too.

    Shells replace it where it begins a word alone.

    Args:
        argv: The program, and its arguments.
    """
    found: list[str] = []
    for argument in argv:
        name, equals, value = argument.partition("=")
        if name.startswith("-") and (value == "~" or value.startswith("~/")):
            value = os.path.expanduser(value)
        found.append(f"{name}{equals}{value}")
    return found


def with_default(argv: Sequence[str], config: str) -> list[str]:
    """The arguments, with a config where they give none.

    Args:
        argv: The program, and its arguments.
        config: The file of the config; "": none.
    """
    if not config or "config" in dict(_assignments(argv)):
        return list(argv)
    return [argv[0], f"--config={config}", *argv[1:]]


def with_config(argv: Sequence[str], takes_weights: bool = False) -> list[str]:
    """The arguments, --config given as a file; without one it is that of the run.

    Args:
        argv: The program, and its arguments.
        takes_weights: Whether a directory of weights alone will do for a run, and a
            packed net.
    """
    if "config" not in flags.FLAGS:
        return list(argv)
    given = dict(_assignments(argv))
    workdir = given.get("workdir", "")
    if "config" in given:
        name, colon, text = given["config"].partition(":")
        file, mode = str(named.config_file(name)), text if colon else None
        if mode is not None:
            named.check_mode(file, mode)
    elif workdir and _is_run(workdir, takes_weights):
        of_run.get_config(workdir)  # Here a damaged one is one message.
        file, mode = of_run.__file__, workdir
    else:
        return list(argv)
    options = {
        name.removeprefix("config."): value
        for name, value in given.items()
        if name.startswith(tuple(f"config.{free}." for free in with_options.FREE_DICTS))
    }
    config = f"{file}:{mode}" if mode is not None else file
    if options:
        config = with_options.argument(file, mode, options)
    return [argv[0], f"--config={config}", *_without(argv[1:], "config")]


def keys_of_config(argv: Sequence[str]) -> str:
    """The keys of the config that a command line names, with values and meanings.

    Args:
        argv: The program, and its arguments.

    Returns:
        Lines; how to have them where no config is named.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it has no such mode.
    """
    given = dict(_assignments(argv)).get("config", "")
    if not given:
        return (
            "--config=NAME --help lists the keys of a config, each with its value and "
            f"what it means. The configs are {', '.join(named.names())}."
        )
    name, colon, mode = given.partition(":")
    if colon:
        named.check_mode(name, mode)
    config = named.load(name).get_config(*((mode,) if colon else ()))
    return f"Keys of {given}, given as --config.KEY=VALUE:\n{keys.describe(config)}"


def _is_run(workdir: str, takes_weights: bool) -> bool:
    """Whether a directory, or a packed net, says what network it holds."""
    place = Path(workdir)
    weights = (place / "checkpoints").is_dir() or pretrained.packed(place) is not None
    return (takes_weights and weights) or (place / "config.json").exists()


def check_workdir(values: flags.FlagValues, takes_weights: bool = False) -> None:
    """Refuse a directory of a run that is a file or an address, and such an --out.

    Args:
        values: The flags, parsed.
        takes_weights: Whether a packed net will do.

    Raises:
        flags.Error: Naming what is there.
        ValueError: Likewise.
    """
    for name in ("workdir", "out"):
        place = values[name].value if name in values else None
        mirrors.check_local(place or "", f"--{name}")
    given = values["workdir"].value if "workdir" in values else None
    if takes_weights and given and pretrained.packed(given):
        return
    if given and not Path(given).is_dir() and Path(given).exists():
        raise flags.Error(f"--workdir={given} is a file; give a run's directory.")


def check_out(values: flags.FlagValues, kind: str) -> None:
    """Refuse an --out of the wrong kind, or where nothing can be written.

    Args:
        values: The flags, parsed.
        kind: What --out names: "directory" or "file"; "": it is not looked at.

    Raises:
        flags.Error: If it is a file where a directory is made, or the reverse.
        OSError: If nothing can be written there.
    """
    if not kind or not values["out"].value:
        return
    place = Path(values["out"].value)
    if kind == "directory" and place.exists() and not place.is_dir():
        raise flags.Error(f"--out={place} is a file; give a directory to write into.")
    if kind == "file" and place.is_dir():
        raise flags.Error(f"--out={place} is a directory; give the name of a file.")
    files.check_place(place, f"--out={place}")


def without_config(values: flags.FlagValues, missing: str) -> str:
    """Why --config is missing though a directory was given; "" for other flags.

    Args:
        values: The flags, parsed.
        missing: The flag.
    """
    given = values["workdir"].value if "workdir" in values else None
    if missing != "config" or not given:
        return ""
    return _no_run_in(given)


def _no_run_in(workdir: str) -> str:
    there = "holds no run" if Path(workdir).exists() else "does not exist"
    return f", and {workdir} {there} whose config could be taken"


def key_without_config(name: str, argv: Sequence[str]) -> str:
    """What is wrong with a key of a config where there is no config; "" where not.

    Args:
        name: Of a flag that is not known.
        argv: The program, and its arguments.
    """
    given = dict(_assignments(argv))
    if not name.startswith("config.") or "config" in given:
        return ""
    if "config" not in flags.FLAGS:
        return ""
    workdir = given.get("workdir", "")
    why = _no_run_in(workdir) if workdir else ""
    return (
        f"--{name} is a key of a config, and --config is missing{why}; give "
        f"--config=NAME, or the --workdir of a run"
    )


def _assignments(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and values of flags, whether "=" or a space stands between them."""
    for position, argument in enumerate(argv):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name:
            after = argv[position + 1] if position + 1 < len(argv) else ""
            yield name, value if equals else after


def _without(argv: Sequence[str], name: str) -> Iterator[str]:
    """The arguments without a flag and its value."""
    rest = iter(argv)
    for argument in rest:
        if argument in (f"--{name}", f"-{name}"):
            next(rest, None)
        elif not argument.startswith((f"--{name}=", f"-{name}=")):
            yield argument


def unknown_key(argv: Sequence[str]) -> str:
    """The message for a key that the config of a command line does not have.

    Args:
        argv: The program, and its arguments, with --config as a file.

    Returns:
        A sentence with a suggestion; "" where all keys are there.
    """
    given = dict(_assignments(argv))
    file, colon, mode = given.get("config", "").partition(":")
    if not file:
        return ""
    config = named.load(file).get_config(*((mode,) if colon else ()))
    known = _keys(config)
    for name in given:
        key = name.removeprefix("config.")
        if name.startswith("config.") and key not in known:
            ends = {each.rpartition(".")[2]: each for each in known}
            last = key.rpartition(".")[2]
            close = messages.nearest(key, known, 0.8) or messages.nearest(last, ends)
            hint = f"; did you mean {ends.get(close[0], close[0])!r}?" if close else "."
            return (
                f"config has no key {key!r}{hint} All keys stand in "
                f"fcn_jax/config/base.py."
            )
    return ""


def _keys(config: Config, prefix: str = "") -> list[str]:
    """All keys of a config, those of its dicts with a dot between."""
    found: list[str] = []
    for name, value in config.items():
        found.append(f"{prefix}{name}")
        if isinstance(value, Config):
            found += _keys(value, f"{prefix}{name}.")
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
