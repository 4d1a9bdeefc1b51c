"""fcn_jax COMMAND, or python -m fcn_jax COMMAND."""

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Generator

from fcn_jax import messages

# By purpose; each is a file of fcn_jax/commands with a `COMMAND`.
PURPOSES = {
    "Data": {
        "doctor": "look at a data set before training: what is wrong, what is in it",
        "import": "make a folder of what annotation tools write: COCO, labelme, ...",
        "proposals": "compute object proposals of a split into a directory",
    },
    "Training": {
        "train": "train a network, or go on with a run",
        "status": "say whether a run goes on, how far it is, and what is damaged",
    },
    "Judging a network": {
        "eval": "score a run on a split, with a table and pictures",
        "report": "write one HTML page about a run, or several beside each other",
        "regions": "score the regions of a network of boxes: AP^r, and their threshold",
        "crf_search": "find the dense CRF's parameters that suit a run, on a split",
        "activations": "draw what the decoder of a DeconvNet sees in an image",
    },
    "Using one": {
        "predict": "label photographs: no masks are needed",
        "heatmap": "draw where in a photograph a classifier sees a class",
        "serve": "show a network in the browser, and answer as JSON",
        "export": "write a run's network into one file, for JAX alone or as ONNX",
        "pack": "write a run's network into a small file that others start from",
        "convert": "rewrite weights: Caffe, PyTorch, Keras, npz, a run -> one of these",
        "fetch": "download known weights, checked; lists them without a name",
    },
}
COMMANDS = {
    name: text for commands in PURPOSES.values() for name, text in commands.items()
}
_HELP = ("--help", "-h", "-help", "help")
_ENDS = """Exit status: 0 where all is done, 1 with one line that says what is wrong,
130 after Ctrl-C, 143 after SIGTERM; 75 of train on several hosts where one is gone.
--debug shows where an error came from."""

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
    if name in _HELP:
        print(usage())
    elif name == "--version":
        print(f"fcn_jax {importlib.import_module('fcn_jax').__version__}")
    elif name in COMMANDS:
        start(name, [f"fcn_jax {name}", *argv[2:]])
    else:
        close = messages.suggestion(name, COMMANDS)
        wrong = f"fcn_jax: command {name!r} is not known; " if name else ""
        sys.exit(f"{wrong}{f'{close} ' if close else ''}{usage()}")


def usage() -> str:
    """How commands are called, which there are, and how they end."""
    listed = [
        "\n".join([f"{purpose}:", *(f"  {n:12}{text}" for n, text in commands.items())])
        for purpose, commands in PURPOSES.items()
    ]
    first = (
        "usage: fcn_jax COMMAND [--flag=value ...]\n       fcn_jax COMMAND --help   "
        "what it does, with examples; train --config=NAME --help also what\n"
        "                               each key of the config means"
    )
    return "\n\n".join([first, *listed, _ENDS])


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
