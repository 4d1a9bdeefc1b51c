"""Data sets that nobody published: what a newcomer writes to add one.

Beside a file like this it takes a line of `fcn_jax.data.DATASETS` and, for images of
other channels than RGB, one of `fcn_jax.preprocessing.PREPROCESSING`.
"""

import numpy as np

from fcn_jax.data import DataSet, label_sets
from fcn_jax.data.contracts import Head, OneHead
from fcn_jax.preprocessing import CAFFE, Preprocessing

PALETTE = label_sets.VOC.palette
SEMANTIC = Head("semantic", ("wall", "floor", "thing"), PALETTE)
# Its void label is a label like the others, as in ADE20K.
GEOMETRIC = Head("geometric", ("void", "flat", "upright"), PALETTE, ignore_label=0)
RGBD = Preprocessing("made_up_rgbd", "bgrd", (*CAFFE.mean, 60.0), (1.0, 1.0, 1.0, 20.0))


class Rooms:
    """Colour and depth, and two labellings: what it is, and how it lies."""

    name, channels, heads = "rooms", "rgbd", (SEMANTIC, GEOMETRIC)

    def __init__(self, split, count):
        self.split, self.count = split, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        semantic = np.zeros((24, 32), np.uint8)
        semantic[12:] = 1
        semantic[8:16, 4 + index : 14 + index] = 2
        semantic[0] = label_sets.IGNORE_LABEL
        geometric = np.where(semantic == 1, 1, 2).astype(np.uint8)
        geometric[:, -2:] = 0
        colours = np.stack([semantic * 80 + 20] * 3, axis=-1).clip(0, 255)
        depth = np.where(semantic == 2, 30, 90)[..., None]
        image = np.concatenate([colours, depth], axis=-1) + rng.integers(
            0, 15, (24, 32, 4)
        )
        return {
            "image": image.clip(0, 255).astype(np.uint8),
            "labels": {"semantic": semantic, "geometric": geometric},
            "id": f"room{index}",
        }

    def image_sizes(self):
        return np.full((self.count, 2), (24, 32), np.int32)


class Outdoors(OneHead):
    """RGB, one labelling whose void label is 0."""

    name, classes, palette = "outdoors", ("void", "ground", "sky"), PALETTE
    ignore_label = 0

    def __init__(self, split, count):
        self.split, self.count = split, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        labels = np.full((24, 32), 2, np.uint8)
        labels[10 + index :] = 1
        labels[:, :8] = 0  # A quarter is void.
        image = np.stack([labels * 100] * 3, axis=-1).astype(np.uint8)
        return {"image": image, "labels": labels, "id": f"view{index}"}

    def image_sizes(self):
        return np.full((self.count, 2), (24, 32), np.int32)


def _opener(source):
    return lambda split, options: source(split, 4 if split == "train" else 2)


ROOMS = DataSet("made-up rooms", _opener(Rooms), Rooms.heads)
OUTDOORS = DataSet("made-up views", _opener(Outdoors))
