"""Record small files of weights as the frameworks write them.

pip install torch h5py safetensors
python tests/golden/record_weight_files.py

All hold the same two layers; the arrays themselves are in arrays.npz. The
`.caffemodel`s are written by tests/weights/foreign.py, as Caffe cannot be installed.
"""

from pathlib import Path

import h5py
import numpy as np
import safetensors.numpy
import torch

from tests.support import foreign_weights as foreign

FOLDER = Path(__file__).with_name("weights")


def layers():
    rng = np.random.default_rng(0)
    shapes = {"conv1_1": (4, 3, 3, 3), "fc8": (5, 4)}
    return {
        name: (
            rng.normal(size=shape).astype(np.float32),
            rng.normal(size=shape[0]).astype(np.float32),
        )
        for name, shape in shapes.items()
    }


def main():
    FOLDER.mkdir(exist_ok=True)
    state = {}
    for name, (weight, bias) in layers().items():
        state |= {f"{name}.weight": weight, f"{name}.bias": bias}
    np.savez(FOLDER / "arrays.npz", **state)
    for name, v1 in (("net", False), ("net_v1", True)):
        content = foreign.caffemodel(layers(), v1=v1)
        (FOLDER / f"{name}.caffemodel").write_bytes(content)
    tensors = {name: torch.tensor(x) for name, x in state.items()}
    torch.save(tensors, FOLDER / "net.pth")
    torch.save(tensors, FOLDER / "stream.pth", _use_new_zipfile_serialization=False)
    safetensors.numpy.save_file(state, FOLDER / "net.safetensors")
    with h5py.File(FOLDER / "keras2.h5", "w") as file:  # As save_weights of Keras 2.
        file.attrs["layer_names"] = [b"conv1_1", b"fc8"]
        for name, (weight, bias) in layers().items():
            names = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group = file.create_group(name)
            group.attrs["weight_names"] = names
            group.create_dataset(names[0], data=weight.T)
            group.create_dataset(names[1], data=bias)


if __name__ == "__main__":
    main()
