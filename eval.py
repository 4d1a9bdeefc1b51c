"""Evaluate a run: python eval.py --config=configs/NAME.py --workdir=DIR."""

from absl import app

from fcn_jax.commands import command_line
from fcn_jax.commands import eval as command

if __name__ == "__main__":
    command.define_flags()
    app.run(command.main, flags_parser=command_line.parse_flags)
