"""Small sources with objects, made by hand."""

import numpy as np

from fcn_jax.data import label_sets


def item(labels, things=None, name="im0"):
    labels = np.array(labels, np.uint8)
    image = np.arange(1, labels.size + 1, dtype=np.uint8).reshape(labels.shape)
    made = {"image": image[..., None].repeat(3, 2), "labels": labels, "id": name}
    return made if things is None else {**made, "objects": np.array(things, np.uint8)}


LABELS = [
    [0, 0, 0, 0, 0, 0],
    [0, 1, 1, 1, 1, 0],
    [0, 1, 1, 1, 1, 0],
    [0, 255, 255, 0, 0, 0],
    [0, 2, 2, 2, 0, 0],
]

OBJECTS = [
    [0, 0, 0, 0, 0, 0],
    [0, 1, 1, 2, 2, 0],
    [0, 1, 1, 2, 2, 0],
    [0, 255, 255, 0, 0, 0],
    [0, 7, 7, 7, 0, 0],
]


class Source:
    """Given images, in memory."""

    name, split, ignore_label = "tiny", "train", 255
    classes = ("background", "cat", "dog")
    palette = label_sets.VOC.palette

    def __init__(self, *items):
        self.items = items
        self.reads = 0

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        self.reads += 1
        return self.items[index]

    def image_sizes(self):
        return np.array([item["labels"].shape for item in self.items], np.int32)


def pets(name="im0"):
    return item(LABELS, OBJECTS, name)


def same(boxes):
    """The same proposals for every image."""
    return lambda item: np.array(boxes, np.int32).reshape(-1, 4)


PLAIN = {"extension": 1.0, "min_area": 1, "balance": 1}
