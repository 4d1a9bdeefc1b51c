"""The built-in set of rooms with depth, the same for the same seed; none is stored.

400 training and 80 validation images of 96x128 pixels, six classes; see
`fcn_jax.data.sources.indoor_scenes`. A scene is drawn whenever it is asked for, in some
milliseconds; `config.data.cache` keeps them.
"""

import re

import numpy as np

from fcn_jax.data import hha, label_sets, rgbd
from fcn_jax.data.contracts import Item, OneHead
from fcn_jax.data.sources import indoor_scenes

SIZES = {"train": 400, "val": 80}
_SEED = 2012


class Indoor(OneHead):
    """A split of the rooms.

    Args:
        split: "train", "val", or the first of one: "val[:8]".
        channels: Of `rgbd.INPUTS`.

    Raises:
        ValueError: If there is no such split.
    """

    name = "indoor"

    def __init__(self, split: str, channels: str = "rgb"):
        found = re.fullmatch(r"(\w+)(?:\[:(\d+)\])?", split)
        whole, count = found.groups() if found else ("", None)
        if whole not in SIZES or count == "0":
            raise ValueError(
                f"indoor has no split {split!r}; there are {', '.join(SIZES)}, and the "
                f"first of these, such as val[:8]."
            )
        self.split, self.channels = split, channels
        self._number, size = list(SIZES).index(whole), SIZES[whole]
        size = min(size, int(count or size))
        self.classes, self.palette = indoor_scenes.CLASSES, label_sets.VOC.palette
        self.ids = tuple(f"{whole}_{number:04}" for number in range(size))

    def __len__(self) -> int:
        return len(self.ids)

    def scene(self, index: int) -> indoor_scenes.Scene:
        """The scene of a number.

        Raises:
            IndexError: If there is none.
        """
        if not 0 <= index < len(self):
            raise IndexError(
                f"indoor {self.split}: no image {index}; there are {len(self)}, from "
                f"0 on."
            )
        rng = np.random.default_rng([_SEED, self._number, index])
        return indoor_scenes.draw(rng)

    def __getitem__(self, index: int) -> Item:
        scene = self.scene(index)
        image = rgbd.stacked(
            self.channels,
            scene.image,
            lambda: scene.depth,
            lambda: hha.encode(
                scene.depth, indoor_scenes.CAMERA, windows=indoor_scenes.WINDOWS
            ),
            f"indoor {self.split}: {self.ids[index]}",
        )
        return {"image": image, "labels": scene.labels, "id": self.ids[index]}

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]: all are alike."""
        return np.tile(np.array(indoor_scenes.SIZE, np.int32), (len(self), 1))
