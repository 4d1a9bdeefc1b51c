"""Train a network from a checkout; the same as `fcn_jax train`."""

import sys

from fcn_jax import __main__

if __name__ == "__main__":
    __main__.start("train", sys.argv)
