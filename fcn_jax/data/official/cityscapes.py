"""Cityscapes: leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and gtFine's *_labelIds.png.

34 ids, of which 19 are classes and the others void. Where a folder has no labelIds but
the labelTrainIds that cityscapesScripts makes of them, those are read.

References:
    Cordts et al. 2016; cityscapesScripts, helpers/labels.py (ids, trainIds, colours).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fcn_jax.data.contracts import Head
from fcn_jax.data.official import layouts
from fcn_jax.data.official.layouts import VOID, Member, Table
from fcn_jax.data.official.trees import Part, Tree

# Name, id and colour; trainIds are in this order.
LABELS = (
    ("road", 7, (128, 64, 128)),
    ("sidewalk", 8, (244, 35, 232)),
    ("building", 11, (70, 70, 70)),
    ("wall", 12, (102, 102, 156)),
    ("fence", 13, (190, 153, 153)),
    ("pole", 17, (153, 153, 153)),
    ("traffic light", 19, (250, 170, 30)),
    ("traffic sign", 20, (220, 220, 0)),
    ("vegetation", 21, (107, 142, 35)),
    ("terrain", 22, (152, 251, 152)),
    ("sky", 23, (70, 130, 180)),
    ("person", 24, (220, 20, 60)),
    ("rider", 25, (255, 0, 0)),
    ("car", 26, (0, 0, 142)),
    ("truck", 27, (0, 0, 70)),
    ("bus", 28, (0, 60, 100)),
    ("train", 31, (0, 80, 100)),
    ("motorcycle", 32, (0, 0, 230)),
    ("bicycle", 33, (119, 11, 32)),
)
CLASSES = tuple(name for name, _, _ in LABELS)
PALETTE = layouts.palette_of(colour for _, _, colour in LABELS)
_ALL = 34  # Ids, 0 to 33.
_BY_ID = Table(
    {**dict.fromkeys(range(_ALL), VOID), **{i: name for name, i, _ in LABELS}},
    CLASSES,
    "ids 0 to 33 of Cityscapes",
)
_BY_TRAIN_ID = Table(
    {255: VOID, **dict(enumerate(CLASSES))},
    CLASSES,
    "trainIds 0 to 18, or 255 for void",
)
_IMAGE, _IDS, _TRAIN_IDS = (
    "_leftImg8bit.png",
    "_gtFine_labelIds.png",
    "_gtFine_labelTrainIds.png",
)


@dataclasses.dataclass(frozen=True)
class Cityscapes:
    """See the module, and `layouts.Layout`."""

    name: str = "cityscapes"
    variant: str = "19"
    heads: tuple[Head, ...] = (Head("", CLASSES, PALETTE),)
    splits: tuple[str, ...] = ("train", "val")
    inside: str = "leftImg8bit"
    parts: tuple[Part, ...] = (Part("cityscapes_images"), Part("cityscapes_labels"))

    def members(self, tree: Tree, split: str) -> Sequence[Member]:
        """See `Layout`: all images of the split.

        Args:
            tree: All files.
            split: "train" or "val".
        """
        start = f"leftImg8bit/{split}/"
        found: list[Member] = []
        for image in sorted(tree.names):
            if not image.startswith(start) or not image.endswith(_IMAGE):
                continue
            stem = image.removeprefix(start).removesuffix(_IMAGE)
            labels = f"gtFine/{split}/{stem}"
            ending = _IDS
            if labels + _IDS not in tree.names and labels + _TRAIN_IDS in tree.names:
                ending = _TRAIN_IDS
            found.append(Member(stem.rpartition("/")[2], image, {"": labels + ending}))
        return found

    def decode(self, data: bytes, head: str, where: str) -> np.ndarray:
        """See `Layout`.

        Args:
            data: A PNG of ids; of trainIds where its name says so.
            head: "".
            where: The file, for messages.
        """
        del head
        table = _BY_TRAIN_ID if where.endswith(_TRAIN_IDS) else _BY_ID
        return table.labels(layouts.read_png(data, where), where)


def layout(classes: str) -> Cityscapes:
    """The layout; there is one label set.

    Args:
        classes: "19" or "".

    Raises:
        ValueError: If it is another.
    """
    layouts.chosen("cityscapes", classes, ("19",))
    return Cityscapes()
