"""Evaluate a run from a checkout; the same as `fcn_jax eval`."""

import sys

from fcn_jax.commands import command_line, eval

if __name__ == "__main__":
    command_line.start(eval, sys.argv)
