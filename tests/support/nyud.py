"""NYUDv2 in its official forms, small: a folder of FCN's release, the labelled .mat."""

import numpy as np
import scipy.io
from PIL import Image

from fcn_jax.data import depth as depths
from fcn_jax.data import hha
from fcn_jax.data.label_sets import NYUD
from fcn_jax.data.sources import nyud_labels

IDS = {"train": ("5003", "5004"), "val": ("5010",), "test": ("5001", "5002")}


def make_folder(root, size=(14, 18)):
    """As nyud.tar.gz unpacked: two and one and two images, HHA and depth of all."""
    for name in ("data/images", "data/depth", "data/hha", "segmentation"):
        (root / name).mkdir(parents=True)
    for split, ids in IDS.items():
        (root / f"{split}.txt").write_text("".join(f"{name}\n" for name in ids))
        for name in ids:
            rng = np.random.default_rng(int(name))
            image = rng.integers(0, 256, (*size, 3), np.uint8)
            Image.fromarray(image).save(root / f"data/images/img_{name}.png")
            depth = rng.uniform(1, 4, size)
            depths.write(depth, root / f"data/depth/img_{name}.png")
            seen = hha.encode(depth)
            Image.fromarray(seen).save(root / f"data/hha/img_{name}.png")
            found = rng.integers(0, 41, size).astype(np.uint8)
            found[0, :3] = (0, 1, 40)
            path = root / f"segmentation/img_{name}.mat"
            scipy.io.savemat(path, {"segmentation": found})
    return root


def make_mat(path, h5py, count=3, names=None, size=(480, 640), left_out=()):
    """As nyu_depth_v2_labeled.mat: HDF5 behind a MATLAB header, axes reversed."""
    rng = np.random.default_rng(0)
    height, width = size
    if names is None:
        names = [f"name{number}" for number in range(1, nyud_labels.NUM_NAMES + 1)]
        for number, name in nyud_labels.KNOWN.items():
            names[number - 1] = name
    columns = np.arange(width)[:, None]
    arrays = {
        "images": rng.integers(0, 256, (count, 3, width, height), np.uint8),
        "depths": np.full((count, width, height), 2, np.float32)
        + (columns / width).astype(np.float32),
        "labels": rng.integers(0, 895, (count, width, height)).astype(np.uint16),
    }
    arrays["rawDepths"] = arrays["depths"].copy()
    arrays["rawDepths"][:, 50:60, 60:70] = 0
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, x in arrays.items():
            if name not in left_out:
                file[name] = x
        cells = file.create_dataset("names", (1, len(names)), h5py.ref_dtype)
        for i, name in enumerate(names):
            codes = np.array([[ord(letter)] for letter in name], np.uint16)
            file[f"#refs#/n{i}"] = codes
            cells[0, i] = file[f"#refs#/n{i}"].ref
    header = b"MATLAB 7.3 MAT-file, made for a test".ljust(512)
    with open(path, "r+b") as file:
        file.write(header)
    return arrays


def make_splits(path, train=(2, 3), test=(1,)):
    """As splits.mat: numbers from 1 on, in columns."""
    numbers = {"trainNdxs": train, "testNdxs": test}
    scipy.io.savemat(
        path, {n: np.array(x, np.uint16)[:, None] for n, x in numbers.items()}
    )


CLASSES = NYUD.classes
