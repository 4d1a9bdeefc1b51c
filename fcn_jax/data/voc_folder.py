"""First, short form of this module."""

from pathlib import Path

import numpy as np
from PIL import Image


class VocFolder:
    ignore_label = 255

    def __init__(self, root, split):
        self.root, self.split, self.name = Path(root), split, "folder"
        self.ids = (self.root / "ImageSets/Segmentation" / f"{split}.txt").read_text().split()
        self.classes = tuple((self.root / "classes.txt").read_text().split())
        self.palette = np.array(
            Image.open(self.root / f"SegmentationClass/{self.ids[0]}.png").getpalette() or [0] * 768, np.uint8
        ).reshape(-1, 3)

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        n = self.ids[i]
        return {
            "image": np.asarray(Image.open(self.root / f"JPEGImages/{n}.jpg").convert("RGB")),
            "labels": np.asarray(Image.open(self.root / f"SegmentationClass/{n}.png")),
            "id": n,
        }

    def image_sizes(self):
        return np.array(
            [Image.open(self.root / f"JPEGImages/{n}.jpg").size[::-1] for n in self.ids], np.int32
        )
