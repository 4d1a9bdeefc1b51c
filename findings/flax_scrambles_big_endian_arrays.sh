#!/usr/bin/env bash
# flax.serialization.to_bytes writes an array's bytes as they lie in memory beside the name
# of its type, and that name ("float32", "int16") has no byte order. So a big-endian NumPy
# array, as h5py, scipy.io, FITS and IDX readers return them, comes back with other
# numbers, of the right shape and type, without a word: float32 1 as 4.6e-41, int16 1 as
# 256. np.save keeps the order, safetensors.numpy turns the bytes, JAX itself refuses such
# arrays; it would be expected to do one of these. The same array as
# x.astype(x.dtype.newbyteorder("=")) is safe.
#
# Seen with flax 0.12.8, jax 0.10.2 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flax==0.12.8 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from flax import serialization

assert sys.byteorder == "little", "for machines of little-endian order"
wrong = []
for name in ("float32", "float64", "int16", "int64", "uint8"):
    for order in "<>":
        given = np.arange(4).astype(np.dtype(name).newbyteorder(order))
        data = serialization.to_bytes({"x": given})
        back = serialization.from_bytes({"x": given}, data)["x"]
        bare = serialization.msgpack_restore(data)["x"]
        assert back.shape == given.shape and back.dtype == np.dtype(name)
        assert np.array_equal(back, bare)
        print(f"{given.dtype.str}: {given.tolist()} -> {back.tolist()}")
        if not np.array_equal(back, given):
            wrong.append(given.dtype.str)
assert wrong == [">f4", ">f8", ">i2", ">i8"], wrong
PYTHON
