"""Train a network: python train.py --config=configs/NAME.py --workdir=DIR."""

from absl import app

from fcn_jax.commands import command_line, train

if __name__ == "__main__":
    command_line.define_flags()
    app.run(train.main, flags_parser=command_line.parse_flags)
