"""python -m fcn_jax COMMAND: what is done besides training and evaluating."""

import difflib
import importlib
import sys

from absl import app

# Each is a file of fcn_jax/commands with define_flags, parse_flags(argv), main(argv).
COMMANDS = {
    "activations": "draw what the decoder of a trained DeconvNet sees in an image",
    "convert": "rewrite weights: Caffe, PyTorch, Keras, npz, a run -> one of these",
    "crf_search": "find the dense CRF's parameters that suit a run, on a split",
    "export": "write the network of a run into one file that needs only JAX",
    "fetch": "download known weights, checked; lists them without a name",
    "proposals": "compute object proposals of a split into a directory, on all cores",
}


def main(argv: list[str]) -> None:
    """Run the command that the first argument names.

    Args:
        argv: The program, the command, and its flags.
    """
    name = argv[1] if len(argv) > 1 else ""
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        wrong = f"fcn_jax: command {name!r} is not known; " if name else ""
        hint = f"did you mean {close[0]!r}? " if close else ""
        listed = "\n".join(f"  {name:12}{text}" for name, text in COMMANDS.items())
        sys.exit(
            f"{wrong}{hint}usage: python -m fcn_jax COMMAND [--flag=value ...]\n"
            f"{listed}"
        )
    command = importlib.import_module(f"fcn_jax.commands.{name}")
    command.define_flags()
    app.run(
        command.main,
        argv=[f"-m fcn_jax {name}", *argv[2:]],
        flags_parser=command.parse_flags,
    )


if __name__ == "__main__":
    main(sys.argv)
