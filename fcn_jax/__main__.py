"""fcn_jax COMMAND, or python -m fcn_jax COMMAND."""

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Generator

from fcn_jax import messages

# Each is a file of fcn_jax/commands with a `COMMAND`.
COMMANDS = {
    "doctor": "look at a data set before training: what is wrong, and what is in it",
    "import": "make a folder of what annotation tools write: COCO, labelme, CVAT, ...",
    "train": "train a network, or go on with a run",
    "eval": "score a run on a split, with a table and pictures",
    "predict": "label photographs with a trained network: no masks are needed",
    "report": "write one HTML page about a run, or several beside each other",
    "activations": "draw what the decoder of a trained DeconvNet sees in an image",
    "convert": "rewrite weights: Caffe, PyTorch, Keras, npz, a run -> one of these",
    "crf_search": "find the dense CRF's parameters that suit a run, on a split",
    "export": "write the network of a run into one file, for JAX alone or as ONNX",
    "fetch": "download known weights, checked; lists them without a name",
    "status": "say whether a run goes on, how far it is, and what is damaged",
    "proposals": "compute object proposals of a split into a directory, on all cores",
}

# What these do in a process in which nobody has said otherwise.
_SYSTEM_S_OWN = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


def main(argv: list[str]) -> None:
    """Run the command that the first argument names.

    Args:
        argv: The program, the command, and its flags.
    """
    name = argv[1] if len(argv) > 1 else ""
    if name not in COMMANDS:
        close = messages.suggestion(name, COMMANDS)
        wrong = f"fcn_jax: command {name!r} is not known; " if name else ""
        hint = f"{close} " if close else ""
        listed = "\n".join(f"  {name:12}{text}" for name, text in COMMANDS.items())
        sys.exit(f"{wrong}{hint}usage: fcn_jax COMMAND [--flag=value ...]\n{listed}")
    start(name, [f"fcn_jax {name}", *argv[2:]])


def start(name: str, argv: list[str]) -> None:
    """Import a command, and run it.

    Args:
        name: One of `COMMANDS`.
        argv: The program, and the flags.
    """
    with _interruptible():
        # JAX comes with it, for which a list of commands need not wait.
        from fcn_jax.commands import command

        module = importlib.import_module(f"fcn_jax.commands.{name}")
        command.start(module.COMMAND, argv)  # It listens for itself.


@contextlib.contextmanager
def _interruptible() -> Generator[None]:
    """Let Ctrl-C and SIGTERM end the process while modules are imported.

    Some modules take every exception of an import for a library that is not there
    (tensorboardX 2.6.5 does, of torch), and go on.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in _SYSTEM_S_OWN}
    for number, own in _SYSTEM_S_OWN.items():
        if before.get(number) is own:  # Else it is somebody else's, or ignored.
            signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is _SYSTEM_S_OWN[number]:
                signal.signal(number, handler)


def _leave(number: int, frame: object) -> None:
    """End the process, with nothing begun that could be lost."""
    del frame
    answer = "interrupted" if number == signal.SIGINT else "terminated"
    print(answer, file=sys.stderr, flush=True)
    os._exit(128 + number)


def run() -> None:
    """The console script: `main` on the process's arguments."""
    main(sys.argv)


if __name__ == "__main__":
    run()
