#!/usr/bin/env bash
# SummaryWriter.flush() of tensorboardX is documented to make sure that all pending events
# are on disk. It flushes the file, and not the queue before it: a thread takes points off
# that queue, and those that it has not come to are not on disk when flush() returns. Who
# flushes at a checkpoint and is then killed finds a log that ends before the checkpoint.
# close() does wait for the queue.
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

from tensorboardX import SummaryWriter

POINTS, ROUNDS = 200, 10


def on_disk(place):
    return sum(path.read_bytes().count(b"the_tag") for path in place.iterdir())


flushed, closed = [], []
for number in range(ROUNDS):
    place = pathlib.Path(sys.argv[1]) / f"events{number}"
    writer = SummaryWriter(str(place), max_queue=POINTS, flush_secs=3600)
    for step in range(POINTS):
        writer.add_scalar("the_tag", step, step)
    writer.flush()
    flushed.append(on_disk(place))
    writer.close()
    closed.append(on_disk(place))
print(f"of {POINTS} points on disk when flush() returns: {flushed}")
print(f"when close() returns: {closed}")
assert min(flushed) < POINTS, "mended"
assert closed == [POINTS] * ROUNDS, closed
PYTHON
