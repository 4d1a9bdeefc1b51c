"""A measurement that stops by itself, and says what it knows while it goes on."""

import argparse
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path

from fcn_jax.storage import files

_IMPORTED = time.time()


def add_arguments(
    parser: argparse.ArgumentParser, seconds: float | None = None
) -> None:
    """Options of a script that stops by itself.

    Args:
        parser: Of its command line; learns --limit, --out and --started.
        seconds: It has where it is not told; None: as many as it likes.
    """
    parser.add_argument(
        "--limit",
        type=float,
        default=seconds,
        help="seconds in all, imports included; what has begun is ended",
    )
    parser.add_argument(
        "--out", type=Path, help="where the report is, whole, whenever it grows"
    )
    # When the process was started, by who did it: Python and imports count too.
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)


def left(arguments: argparse.Namespace) -> float:
    """Seconds until the time is up.

    Args:
        arguments: That the options of `add_arguments` belong to.
    """
    if arguments.limit is None:
        return math.inf
    return arguments.limit - (time.time() - (arguments.started or _IMPORTED))


def keep(arguments: argparse.Namespace, report: Mapping[str, object]) -> None:
    """Write what is known so far, for the case that this process is stopped.

    Args:
        arguments: That the options of `add_arguments` belong to.
        report: As it would be printed.
    """
    if arguments.out is not None:
        files.write_json(arguments.out, report)


def told(arguments: argparse.Namespace) -> dict[str, object]:
    """The arguments as a report has them: not those of one call alone.

    Args:
        arguments: That the options of `add_arguments` belong to.
    """
    own = ("out", "started")
    return {name: value for name, value in vars(arguments).items() if name not in own}


def finish(arguments: argparse.Namespace, report: Mapping[str, object]) -> None:
    """Keep the report, and print it.

    Args:
        arguments: That the options of `add_arguments` belong to.
        report: All of it.
    """
    keep(arguments, report)
    print(json.dumps(report, indent=2))
