"""Folders in VOC layout, written by hand."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (12, 16)


def save(path, array, palette=None, **options):
    """An image file, with a palette if there is one; its folders are made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    if palette is not None:
        image.putpalette(np.asarray(palette, np.uint8).reshape(-1).tolist())
    image.save(path, **options)
    return path


def photo(seed=0, size=SIZE):
    """Noise."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8)


def labels(num_classes=3, seed=0, size=SIZE):
    """Blocks of labels, every class among them."""
    rng = np.random.default_rng(seed)
    found = rng.integers(0, num_classes, size, dtype=np.uint8)
    found.ravel()[:num_classes] = np.arange(num_classes)
    return found


def write(root, names=("a", "b"), classes="ground\ncar\ntree\n", masks=None):
    """A folder with a list "train"; `masks` writes other masks than grey labels."""
    for number, name in enumerate(names):
        save(root / f"JPEGImages/{name}.jpg", photo(number))
        path = root / f"SegmentationClass/{name}.png"
        (masks or save)(path, labels(seed=number))
    write_list(root, "".join(f"{name}\n" for name in names))
    if classes:
        (root / "classes.txt").write_text(classes)
    return root


def write_list(root, text, split="train"):
    """ImageSets/Segmentation/SPLIT.txt."""
    path = root / f"ImageSets/Segmentation/{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, newline="")
