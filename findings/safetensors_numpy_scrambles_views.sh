#!/usr/bin/env bash
# safetensors.numpy.save writes the memory of an array under its logical shape: of any
# array that is not C-contiguous (a transposed kernel, every second column, Fortran
# order, a broadcast) other numbers come back, of the right shape and type, without a
# word. Its PyTorch twin refuses such tensors ("non contiguous"). Who turns kernels from
# [rows, columns, in, out] to PyTorch's axes by x.transpose(3, 2, 0, 1) and saves them
# has scrambled weights that load strictly.
#
# Seen with safetensors 0.8.0 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from safetensors import numpy as safe

x = np.arange(6, dtype=np.float32).reshape(2, 3)
views = {
    "whole": x,
    "transposed": x.T,
    "every second column": np.arange(12, dtype=np.float32).reshape(2, 6)[:, ::2],
    "Fortran order": np.asfortranarray(x),
}
wrong = []
for name, view in views.items():
    back = safe.load(safe.save({"x": view}))["x"]
    assert back.shape == view.shape and back.dtype == view.dtype
    same = np.array_equal(back, view)
    print(f"{name}: {view.tolist()} -> {back.tolist()}")
    if not same:
        wrong.append(name)
assert wrong == ["transposed", "every second column", "Fortran order"], wrong
PYTHON
