"""Train a network from a checkout; the same as `fcn_jax train`."""

import sys

from fcn_jax.commands import command, train

if __name__ == "__main__":
    command.start(train.COMMAND, sys.argv)
