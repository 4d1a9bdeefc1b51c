#!/usr/bin/env bash
# An HDF5 file may begin with a user block (512 bytes or more before the HDF5 signature;
# every MATLAB v7.3 .mat has one). pyfive opens such a file, lists its groups, shapes,
# types and attributes rightly, and reads WRONG VALUES without an error: contiguous data
# are fetched at their relative address, not shifted by the size of the block. The same
# file without a user block is read rightly, by pyfive and by h5py.
#
# Seen with pyfive 1.3.0, h5py 3.16.0 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyfive==1.3.0 h5py==3.16.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import pathlib
import sys

import h5py
import numpy as np
import pyfive

folder = pathlib.Path(sys.argv[1])
values = np.arange(1, 5, dtype="<i8")
found = {}
for block in (0, 512):
    path = folder / f"{block}.h5"
    with h5py.File(path, "w", userblock_size=block) as file:
        file["x"] = values
        file["x"].attrs["unit"] = 7
    with h5py.File(path) as file:
        assert (file["x"][...] == values).all()
    with pyfive.File(str(path)) as file:
        data = file["x"]
        assert data.shape == (4,) and data.attrs["unit"] == 7
        found[block] = np.asarray(data[...]).tolist()
    print(f"user block of {block}: pyfive reads {found[block]}")
assert found[0] == values.tolist()
assert found[512] != values.tolist(), "mended"
PYTHON
