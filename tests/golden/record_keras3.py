"""Record weights as Keras 3.15 lays them out, with h5py.

pip install h5py==3.16.0
python tests/golden/record_keras3.py
"""

import zipfile
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np

FOLDER = Path(__file__).parent


def main() -> None:
    """A compiled model under the policy bfloat16, and the same as an archive."""
    path = FOLDER / "keras3.weights.h5"
    with h5py.File(path, "w") as file:
        kernel = np.arange(24, dtype="<f4").reshape(2, 2, 3, 2)
        stored = file.create_dataset(
            "layers/conv2d/vars/0", data=kernel.astype(ml_dtypes.bfloat16).view("V2")
        )
        stored.attrs["dtype"] = "bfloat16"
        file["layers/conv2d/vars/1"] = np.array([1, 2], "<f4")
        file["optimizer/vars/0"] = np.array(7, "<i8")
        file["optimizer/vars/1"] = np.array(0.5, "<f4")
    with zipfile.ZipFile(FOLDER / "keras3.keras", "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", "{}")
        archive.write(path, "model.weights.h5")


if __name__ == "__main__":
    main()
