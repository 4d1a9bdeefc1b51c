"""Evaluate a run from a checkout; the same as `fcn_jax eval`."""

import sys

from fcn_jax.commands import command, eval

if __name__ == "__main__":
    command.start(eval.COMMAND, sys.argv)
