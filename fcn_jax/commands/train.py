r"""Train a network; run the same command again to go on where it stopped.

fcn_jax train --config=shapes_fcn8s --workdir=runs/shapes_fcn8s
fcn_jax train --config=camvid_fcn8s --workdir=runs/camvid \
    --config.data.root=../camvid --config.num_steps=3000

A config is one of those that come with the package, by name, or a file of your own. The
run's directory holds config.json, checkpoints/, log.jsonl, tensorboard/,
curves.png and, after the last step, result.json.

Several hosts train together where Slurm (srun), Open MPI, Kubeflow or Cloud TPU starts
the same command on each, with a --workdir that all of them see; or by hand:

fcn_jax train --config=NAME --workdir=SHARED --coordinator=node1:29500 \
    --process=0 --processes=2

config.batch_size is that of all together. Exit status 75: another process is gone, or
one hangs; start all again.
"""

import os
import sys

from absl import flags

from fcn_jax import hosts
from fcn_jax.commands import command_line, several
from fcn_jax.commands.command import Command
from fcn_jax.runs.trainer import train


def define_flags() -> None:
    """Declare the flags of this command."""
    command_line.define_flags()
    flags.DEFINE_bool("restart", False, "Begin anew where checkpoints were lost.")
    flags.DEFINE_multi_enum(
        "allow_changed", [], ["data"], "Go on though the training data have changed."
    )
    several.define_flags()


def run_flags(values: flags.FlagValues) -> None:
    """Train as the command line says."""
    config = command_line.config_of_flags()
    crew = several.crew_of(values)
    try:
        with hosts.together(crew):
            train(config, values.workdir, values.restart, values.allow_changed, crew)
    except SystemExit as ended:
        # Of a signal: all is saved. Python would wait for threads that make batches.
        sys.stdout.flush()
        os._exit(int(ended.code or 0))


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    required={"config": "NAME", "workdir": "DIR"},
    memory=(
        "lower config.batch_size (or keep it and raise config.accumulate) or "
        "config.data.crop, or set config.model.dtype=bfloat16"
    ),
)
