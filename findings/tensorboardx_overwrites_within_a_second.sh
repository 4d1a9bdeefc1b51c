#!/usr/bin/env bash
# tensorboardX names an event file by the second and the host, and opens it for writing
# whatever is there: a second SummaryWriter on the same directory within the same second
# (a run that is resumed at once, a writer that is closed and opened again to get its
# points to disk) empties the file of the first, without a word. TensorFlow's and
# PyTorch's writers add the process and a counter to the name. With filename_suffix= of
# one's own nothing is lost.
#
# Seen with tensorboardX 2.6.5 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorboardX==2.6.5 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import pathlib
import sys
import time

from tensorboardX import SummaryWriter


def two_writers(place, **options):
    """Points on disk of two writers, one after the other, in one second."""
    time.sleep(1.01 - time.time() % 1)  # To the beginning of a second.
    for number in range(2):
        suffix = {name: f"{value}{number}" for name, value in options.items()}
        writer = SummaryWriter(str(place), **suffix)
        for step in range(10):
            writer.add_scalar(f"writer{number}", step, step)
        writer.close()
    content = b"".join(path.read_bytes() for path in place.iterdir())
    return [content.count(f"writer{number}".encode()) for number in range(2)]


folder = pathlib.Path(sys.argv[1])
plain = two_writers(folder / "plain")
named = two_writers(folder / "named", filename_suffix=".")
print(f"points of the first and of the second writer: {plain}")
print(f"with a filename_suffix each: {named}")
assert plain == [0, 10], plain
assert named == [10, 10], named
PYTHON
