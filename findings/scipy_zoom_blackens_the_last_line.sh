#!/usr/bin/env bash
# scipy.ndimage.zoom leaves the last row or column of some arrays at zero: where it looks
# up its input is computed in floating point, and for some pairs of sizes and factors the
# last place lies by one rounding beyond the last pixel, which the default mode
# "constant" fills with 0. A label map of 480x640, all of class 1, is given a row of class
# 0 by a factor of 1.5, at any order; 1024x2048 by 0.75 too, 720x960 by 0.9 a column. It
# is silent, and one length in thirty does it. mode="nearest" is right.
# It was told more than once since 2007 (scipy's issues 1042, 4922, 6713). They are closed;
# the first one's example is right now, the others' are as they were.
#
# Seen with scipy 1.17.1 and numpy 2.4.0. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scipy==1.17.1 numpy==2.4.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from scipy import ndimage

for shape, factor, axis in (
    ((480, 640), 1.5, 0),
    ((720, 960), 0.9, 1),
    ((1024, 2048), 0.75, 0),
):
    labels = np.ones(shape, np.uint8)
    for order in (0, 1):
        zoomed = ndimage.zoom(labels, factor, order=order)
        zeros = zoomed == 0
        print(f"{shape} by {factor}, order {order}: {zeros.sum()} zeros of {zoomed.shape}")
        last = np.take(zeros, -1, axis)
        assert last.all() and zeros.sum() == last.size, "mended"
        assert ndimage.zoom(labels, factor, order=order, mode="nearest").all()

sizes, factors = range(20, 600), (0.4, 0.75, 0.9, 1.25, 1.5)
lines = [(np.ones(size, np.uint8), factor) for size in sizes for factor in factors]
wrong = sum((ndimage.zoom(x, factor, order=0) == 0).any() for x, factor in lines)
print(f"{wrong} of {len(lines)} pairs of a length and a factor: the last is 0")
assert len(lines) / 50 < wrong < len(lines) / 10, "changed"
PYTHON
