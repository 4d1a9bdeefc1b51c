#!/usr/bin/env bash
# Of all small floats of ml_dtypes, float8_e5m2 alone (not e4m3fn, not e5m2fnuz, not
# bfloat16) is of NumPy's kind "f", not "V": its type string is "<f1", which NumPy writes
# and cannot read. So np.save of such an array succeeds and leaves a file that nothing
# loads, where the others come back as raw bytes that a view restores; np.savez likewise.
# And whatever rebuilds an array from its interface (as_strided, sliding_window_view)
# raises TypeError for this type alone.
#
# Seen with numpy 2.4.6 and ml_dtypes 0.6.0. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'PYTHON'
import io

import ml_dtypes
import numpy as np

saved, lost, unstrided = [], [], []
names = ("bfloat16", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz",
         "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
         "float8_e8m0fnu")
for name in names:
    dtype = np.dtype(getattr(ml_dtypes, name))
    ones = np.ones(4, dtype)
    stream = io.BytesIO()
    np.save(stream, ones)  # Never raises.
    stream.seek(0)
    try:
        back = np.load(stream).view(dtype)
        assert (back == ones).all()
        saved.append(name)
    except ValueError as error:
        lost.append(f"{name}: {error}")
    try:
        np.lib.stride_tricks.sliding_window_view(ones, 2)
    except TypeError as error:
        unstrided.append(f"{name}: {error}")
print("saved and loaded:", ", ".join(saved))
print("saved, not loaded:", "; ".join(lost))
print("no windows:", "; ".join(unstrided))
assert len(saved) == len(names) - 1, saved
assert lost == ["float8_e5m2: descr is not a valid dtype descriptor: '<f1'"], lost
assert unstrided == ["float8_e5m2: data type '<f1' not understood"], unstrided
PYTHON
