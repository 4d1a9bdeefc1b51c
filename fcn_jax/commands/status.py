"""Say what a run's directory holds: whether it runs, how far it is, what is whole.

fcn_jax status runs/shapes_fcn8s
fcn_jax status runs/shapes_fcn8s --json

Every checkpoint is read and compared with its hashes (--noverify leaves that out), and
config.json, log.jsonl, checkpoints_scores.json, result.json and curves.png are looked
at; tensorboard/ is not. Nothing is changed. The exit status is 1 where one of them is
damaged; it is named, with what follows.
"""

import json
import sys
from collections.abc import Sequence

from absl import flags

from fcn_jax.commands.command import Command
from fcn_jax.runs.status import format_status, status


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("workdir", None, "The directory, given as other commands do.")
    flags.DEFINE_bool("verify", True, "Read every checkpoint and compare its hashes.")
    flags.DEFINE_bool("json", False, "Print JSON.")


def check_flags(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """Refuse anything but one directory.

    Args:
        values: The flags.
        operands: The rest of the command line.

    Raises:
        flags.Error: If there is not one.
    """
    given = [*operands, *filter(None, [values.workdir])]
    if len(given) != 1:
        raise flags.Error(
            f"give the directory of one run: fcn_jax status WORKDIR; given were "
            f"{given or 'none'}"
        )


def run_flags(values: flags.FlagValues, workdir: str = "") -> None:
    """Print the status of a run.

    Args:
        values: The flags.
        workdir: Its directory; "": that of --workdir.

    Raises:
        SystemExit: With 1, if something is damaged.
    """
    found = status(workdir or values.workdir, values.verify)
    print(json.dumps(found, indent=2) if values.json else format_status(found))
    if found["damaged"]:
        sys.exit(1)


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
)
