"""Record weights as Keras 2 lays them out, with h5py.

python tests/golden/record_keras.py
"""

from pathlib import Path

import h5py
import numpy as np


def main():
    with h5py.File(Path(__file__).with_name("keras.h5"), "w") as file:
        file.attrs["layer_names"] = np.array([b"conv"])
        group = file.create_group("conv/conv")
        group["kernel:0"] = np.arange(24, dtype="<f4").reshape(2, 2, 3, 2)
        group["bias:0"] = np.arange(2, dtype="<f4")
        file["step"] = np.int64(7)
    with h5py.File(Path(__file__).with_name("keras_compressed.h5"), "w") as file:
        file.create_dataset("w", data=np.zeros((4, 4), "<f4"), compression="gzip")


if __name__ == "__main__":
    main()
