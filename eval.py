"""Evaluate a run from a checkout; the same as `fcn_jax eval`."""

import sys

from fcn_jax import __main__

if __name__ == "__main__":
    __main__.start("eval", sys.argv)
