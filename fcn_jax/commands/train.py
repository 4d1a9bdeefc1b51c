r"""Train a network; run the same command again to go on where it stopped.

python train.py --config=configs/shapes_fcn8s.py --workdir=runs/shapes_fcn8s
python train.py --config=configs/camvid_fcn8s.py --workdir=runs/camvid \
    --config.data.root=../camvid --config.num_steps=3000

The run's directory holds config.json, checkpoints/, log.jsonl, tensorboard/,
curves.png and, after the last step, result.json.
"""

from absl import flags

from fcn_jax import runtime
from fcn_jax.commands import command_line
from fcn_jax.runs.trainer import train


def main(argv):
    """Read the flags and train."""
    del argv
    runtime.prepare()
    command_line.run_reporting_errors(
        lambda: train(command_line.config_of_flags(), flags.FLAGS.workdir)
    )
