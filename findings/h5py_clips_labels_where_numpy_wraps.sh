#!/usr/bin/env bash
# h5py leaves the conversion of an array to a dataset's type to HDF5, and HDF5 clips
# where NumPy wraps: a map of int32 labels whose ignored pixels are -1, stored as
# dtype="uint8", has 0 there, the background, where astype("uint8") has 255, the usual
# number of ignored pixels. Nothing is said. It is so in create_dataset(data=...,
# dtype=...), in assignments and in reading: dataset.astype("uint8")[...] and
# dataset[...].astype("uint8") differ. The same numbers in a list, which NumPy converts,
# raise OverflowError. Safe is to convert by NumPy before and after:
# labels.astype(np.uint8).
#
# Seen with h5py 3.16.0 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet h5py==3.16.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import h5py
import numpy as np

labels = np.array([-1, 0, 1, 18], np.int32)
wraps, clips = [255, 0, 1, 18], [0, 0, 1, 18]
found = {"NumPy's astype": labels.astype("uint8")}
with h5py.File(f"{sys.argv[1]}/labels.h5", "w") as file:
    made = file.create_dataset("made", data=labels, dtype="uint8")
    found["create_dataset"] = made[...]
    filled = file.create_dataset("filled", shape=4, dtype="uint8")
    filled[...] = labels
    found["assigned"] = filled[...]
    kept = file.create_dataset("kept", data=labels)
    found["read by astype"] = kept.astype("uint8")[...]
    found["read, then astype"] = kept[...].astype("uint8")
    try:
        filled[...] = labels.tolist()
        raise AssertionError("a list is taken now")
    except OverflowError as error:
        print(f"of a list: {error}")
found = {name: array.tolist() for name, array in found.items()}
for name, array in found.items():
    print(f"{name}: {labels.tolist()} -> {array}")
assert found == {
    "NumPy's astype": wraps,
    "create_dataset": clips,
    "assigned": clips,
    "read by astype": clips,
    "read, then astype": wraps,
}, found
PYTHON
