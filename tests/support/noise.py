"""A source of images of noise, for tests of what reads them."""

import numpy as np

from fcn_jax.data import label_sets


class Source:
    """Images of noise; all pixels of image i are labelled i % 3."""

    name, split, classes, ignore_label = "noise", "train", ("a", "b", "c"), 255
    palette = label_sets.VOC.palette

    def __init__(self, sizes):
        self.sizes = sizes
        rng = np.random.default_rng(0)
        self.images = [rng.integers(1, 256, (*s, 3), dtype=np.uint8) for s in sizes]
        self.labels = [np.full(s, i % 3, np.uint8) for i, s in enumerate(sizes)]

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        return {
            "image": self.images[index],
            "labels": self.labels[index],
            "id": f"n{index}",
        }

    def image_sizes(self):
        return np.array(self.sizes, np.int32)
