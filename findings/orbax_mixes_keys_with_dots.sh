#!/usr/bin/env bash
# orbax-checkpoint stores each array of a tree under its keys joined by dots. A dictionary
# may have keys with dots (PyTorch's names of weights, flattened trees), and then two
# arrays can share a name: {"conv1": {"kernel": x}, "conv1.kernel": y}. Saved and restored,
# both are y, or both x, where their shapes agree: nothing is said at either end, by
# StandardSave, PyTreeSave or CheckpointManager. (Of other shapes the save raises an error
# of TensorStore's.) The tree's structure is stored beside the arrays and comes back with
# both keys; np.savez, safetensors or a pickle of the same two names keep both.
#
# Seen with orbax-checkpoint 0.12.8, jax 0.10.2 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet orbax-checkpoint==0.12.8 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import numpy as np
import orbax.checkpoint as ocp


def tree(first, second):
    """Two arrays whose keys, joined by dots, are the same."""
    return {"conv1": {"kernel": first}, "conv1.kernel": second}


def through(name, save, restore):
    ones, twos = np.full(2, 1, np.float32), np.full(2, 2, np.float32)
    with ocp.CheckpointManager(f"{sys.argv[1]}/{name}") as manager:
        assert manager.save(1, args=save(tree(ones, twos)))
        manager.wait_until_finished()
        back = manager.restore(1, args=restore())
    assert set(back) == {"conv1", "conv1.kernel"}, back
    return back["conv1"]["kernel"].tolist(), back["conv1.kernel"].tolist()


for name, save, restore in (
    ("standard", ocp.args.StandardSave, ocp.args.StandardRestore),
    ("pytree", ocp.args.PyTreeSave, ocp.args.PyTreeRestore),
):
    nested, flat = through(name, save, restore)
    print(f"{name}: conv1 / kernel [1, 1] -> {nested}, conv1.kernel [2, 2] -> {flat}")
    assert nested == flat, "mended"
PYTHON
