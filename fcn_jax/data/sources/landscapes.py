"""The built-in data set with two heads: landscapes, drawn as they are asked for.

Each pixel has a semantic and a geometric class, as in SIFT Flow: sky, sea, fields and
roads up to a horizon, with buildings and trees that stand on them. There are moons in
"train" and none in "test", whose means leave it out. A strip of each image is void.
"""

import numpy as np

from fcn_jax.data import label_sets
from fcn_jax.data.contracts import Head, Item

SEMANTIC = ("building", "field", "moon", "road", "sea", "sky", "tree")
GEOMETRIC = ("sky", "horizontal", "vertical")
HEADS = (
    Head("sem", SEMANTIC, label_sets.VOC.palette, may_be_absent=("moon",)),
    Head("geo", GEOMETRIC, label_sets.VOC.palette),
)
SIZES = {"train": 240, "test": 40}
SIZE = (48, 64)  # Of an image, pixels.

_SEED = 2011
_NOISE = 6.0  # Standard deviation, of 255.
# Mean colour and geometric class of each semantic one.
_COLOURS = {
    "building": (150, 110, 90), "field": (140, 160, 60), "moon": (245, 240, 210),
    "road": (95, 95, 100), "sea": (40, 90, 120), "sky": (130, 180, 230),
    "tree": (40, 100, 40),
}  # fmt: skip
_STANDING = ("building", "tree")
_ABOVE = ("sky", "moon")
_VOID = 2  # Columns at a side.


class Landscapes:
    """A split; `source[i]` is drawn anew, the same for the same number.

    Args:
        split: "train" or "test".

    Raises:
        ValueError: If it is another.
    """

    name, channels, heads = "landscapes", "rgb", HEADS

    def __init__(self, split: str):
        if split not in SIZES:
            raise ValueError(
                f"landscapes has no split {split!r}; there are {', '.join(SIZES)}."
            )
        self.split = split
        self.ids = tuple(f"{split}_{i:04}" for i in range(SIZES[split]))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Item:
        seed = (_SEED, list(SIZES).index(self.split), int(index))
        rng = np.random.default_rng(seed)
        semantic = _draw(rng, moons=self.split == "train")
        colours = np.array([_COLOURS[name] for name in SEMANTIC], np.float64)
        colours = colours + rng.normal(0, 12, colours.shape)
        image = colours[semantic] + rng.normal(0, _NOISE, (*SIZE, 3))
        geometric = _GEOMETRIC_OF[semantic]
        for labels in (semantic, geometric):
            labels[:, :_VOID] = label_sets.IGNORE_LABEL
        return {
            "image": np.clip(image, 0, 255).astype(np.uint8),
            "labels": {"sem": semantic, "geo": geometric},
            "id": self.ids[index],
        }

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]."""
        return np.tile(np.array(SIZE, np.int32), (len(self), 1))


def _geometric(name: str) -> str:
    if name in _ABOVE:
        return "sky"
    return "vertical" if name in _STANDING else "horizontal"


_GEOMETRIC_OF = np.array([GEOMETRIC.index(_geometric(n)) for n in SEMANTIC], np.uint8)


def _draw(rng: np.random.Generator, moons: bool) -> np.ndarray:
    """The semantic labels of a landscape, uint8 [H, W], without void."""
    height, width = SIZE
    rows, columns = np.mgrid[:height, :width]
    label = {name: number for number, name in enumerate(SEMANTIC)}
    horizon = int(rng.integers(16, 28))
    found = np.full(SIZE, label["sky"], np.uint8)
    found[horizon:] = label[str(rng.choice(["sea", "field"]))]
    if rng.random() < 0.5:  # A road to the horizon.
        foot, middle = rng.integers(8, 20), rng.integers(16, width - 16)
        reach = foot * (rows - horizon) / (height - horizon)
        found[(rows >= horizon) & (abs(columns - middle) < reach)] = label["road"]
    if moons and rng.random() < 0.5:
        row, column = rng.integers(5, 11), rng.integers(8, width - 8)
        inside = np.hypot(rows - row, columns - column) < rng.integers(3, 6)
        found[inside & (rows < horizon)] = label["moon"]
    for _ in range(int(rng.integers(1, 4))):
        foot = horizon + int(rng.integers(1, 12))
        column, size = int(rng.integers(6, width - 6)), int(rng.integers(8, 18))
        if rng.random() < 0.5:
            inside = (abs(columns - column) < size // 2) & (rows > foot - size)
            found[inside & (rows <= foot)] = label["building"]
        else:
            crown = np.hypot(rows - foot + size, columns - column) < size / 2
            trunk = (abs(columns - column) < 2) & (rows > foot - size) & (rows <= foot)
            found[crown | trunk] = label["tree"]
    return found
