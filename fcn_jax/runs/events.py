"""TensorBoard's curves of a run, where its library can be imported."""

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fcn_jax.storage import files

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

_numbers = itertools.count(1)  # Of the files of events of this process.


class Events:
    """Points and pictures for TensorBoard.

    tensorboardX imports PyTorch where there is one; a broken one costs the curves, and
    not the training.

    Args:
        directory: Where its files are.
        step: Points of later steps, which were written before, are no longer shown.

    Raises:
        OSError: If a file cannot be written; naming the directory.
    """

    def __init__(self, directory: Path, step: int = 0):
        self._directory = directory
        self._class = _summary_writer()
        self._writer = self._open(step + 1)

    def _open(self, purge_step: int | None = None) -> "SummaryWriter | None":
        """A writer with a file of its own.

        tensorboardX 2.6.5 names files by the second, and writes over one that is there.
        """
        if self._class is None:
            return None
        with files.writing(self._directory, "--workdir"):
            return self._class(
                str(self._directory),
                purge_step=purge_step,
                flush_secs=30,
                filename_suffix=f".{os.getpid()}.{next(_numbers)}",
            )

    def _opened(self) -> "SummaryWriter | None":
        if self._writer is None:
            self._writer = self._open()
        return self._writer

    def scalar(self, name: str, value: float, step: int) -> None:
        """Add a point to a curve.

        Args:
            name: Of the curve.
            value: Of the point.
            step: Updates done.
        """
        writer = self._opened()
        if writer is not None:
            writer.add_scalar(name, value, step)

    def picture(self, name: str, step: int, image: np.ndarray) -> None:
        """Add a picture, uint8 [H, W, 3].

        Args:
            name: Of the picture.
            step: Updates done.
            image: The picture.
        """
        writer = self._opened()
        if writer is not None:
            writer.add_image(name, image, step, dataformats="HWC")

    def flush(self) -> None:
        """Return when all points are on disk; further ones go to another file.

        tensorboardX 2.6.5 has a flush that leaves its queue as it is: of 10 points 0
        or 1 were on disk. Its close writes them all.
        """
        writer, self._writer = self._writer, None
        if writer is not None:
            with files.writing(self._directory, "--workdir"):
                writer.close()


def _summary_writer() -> "type[SummaryWriter] | None":
    try:
        from tensorboardX import SummaryWriter
    except Exception as error:
        what = (str(error).strip().splitlines() or [""])[0]
        print(
            f"note: TensorBoard's curves are not written: tensorboardX cannot be "
            f"imported ({type(error).__name__}: {what}); log.jsonl has them",
            flush=True,
        )
        return None
    return SummaryWriter
