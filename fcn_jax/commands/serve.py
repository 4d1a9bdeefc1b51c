r"""Serve a trained network: a page in the browser, and an endpoint of JSON.

fcn_jax serve runs/x
fcn_jax serve runs/x --port=0 --crf=deeplab --size=640
curl -F image=@photo.jpg 'http://127.0.0.1:8000/predict?crf=1'
curl --data-binary @photo.jpg 'http://127.0.0.1:8000/predict?x=20&y=35&labels=1'

The page takes an image by choosing, dropping or pasting it, or from the camera, and
shows its labels over it, each class's share, and the probabilities of the pixel that is
clicked. It loads nothing from elsewhere. POST /predict takes an image, or a form with
one, and answers with the same as JSON; GET /classes and GET /health say what is served,
and whether.

Only this machine is answered unless --host says otherwise: then everybody who reaches
it, without a password. Images are not kept. One at a time goes through the network; the
first of a size waits for the compiler. Needs the extra: pip install "fcn-jax[serve]".

A file of weights is made a run first: fcn_jax convert FILE DIR --model=NAME.
"""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from fcn_jax import crf, messages
from fcn_jax.commands import command_line
from fcn_jax.commands.command import Command
from fcn_jax.runs import trained

_USAGE = "usage: fcn_jax serve RUN [--port=8000]"
_NEEDED = {
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "python_multipart": "python-multipart",
}


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("host", "127.0.0.1", "Address; 0.0.0.0: all that reach it.")
    flags.DEFINE_integer("port", 8000, "0: any that is free.", 0, 65535)
    flags.DEFINE_list("names", [], "Further names of the server, as behind a proxy.")
    flags.DEFINE_integer("max_bytes", 20_000_000, "Of a request.", 1)
    flags.DEFINE_integer("max_pixels", 16_000_000, "Of an image.", 1)
    flags.DEFINE_integer("waiting", 8, "Images that may wait; more are told so.", 0)
    flags.DEFINE_string(
        "crf",
        "",
        f"Dense CRF: {', '.join(crf.PARAMETERS)}, or JSON; on unless switched off.",
    )
    flags.DEFINE_integer("step", None, "Checkpoint; the best by default.")
    flags.DEFINE_string("scales", None, "Input scales to average; the run's own.")
    flags.DEFINE_bool("flip", False, "Average with the mirrored image.")
    flags.DEFINE_integer("size", 0, "Longer side that the net sees; 0: the image's.", 0)


def check_flags(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """There must be a run, and nothing more.

    Args:
        values: Of the flags.
        operands: The run.

    Raises:
        flags.Error: If there is another number, or what stands for the run is none.
    """
    del values
    if len(operands) != 1:
        wrong = f"there are {len(operands)} runs; name one" if operands else ""
        raise flags.Error(f"{wrong or 'a run is missing'}; {_USAGE}")
    (run,) = operands
    if Path(run).is_file():
        raise flags.Error(
            f"{run} is a file where a run's directory is needed; of weights "
            f"fcn_jax convert {run} DIR --model=NAME makes one"
        )


def check_installed() -> None:
    """Refuse to begin what could not be done.

    Raises:
        ImportError: If a library is not there.
    """
    lacking = [_NEEDED[module] for module in messages.lacking(_NEEDED)]
    if lacking:
        raise ImportError(
            f"fcn_jax serve needs {', '.join(lacking)}: pip install "
            f"{' '.join(lacking)} (the extra [serve])"
        )


def run_flags(values: flags.FlagValues, run: str) -> None:
    """Serve as the command line says, until the process is asked to stop.

    Args:
        values: Of the flags.
        run: Directory of the run.
    """
    check_installed()
    # An extra.
    from fcn_jax.serving import answers, application, guards, served, server

    if values.crf:
        crf.get_parameters(values.crf)
    scales = None
    if values.scales:
        scales = command_line.parse_numbers("scales", values.scales)
    with contextlib.closing(server.listen(values.host, values.port)) as listening:
        net = trained.load(run, values.step, None, scales, values.flip)
        asked = answers.Answers(
            served.Served(net, values.crf, values.max_pixels, values.size)
        )
        limits = application.Limits(values.max_bytes, values.waiting)
        names = guards.known_names(values.host, values.names)
        loop = server.Loop(application.make(asked, limits, names))
        model, count = net.config.model.name, sum(h.num_classes for h in net.heads)
        where = server.address(listening)
        print(
            f"{model} of {run}, {count} classes: {where} (Ctrl-C ends it)", flush=True
        )
        if server.is_open(listening):
            print(
                "note: everybody who reaches this machine may ask, without a password",
                file=sys.stderr,
            )
        loop.run(listening)


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
    memory="set --size=512, or leave the CRF out",
)
