"""PASCAL-Context: VOC 2010 with every pixel labelled, in 59 classes and background.

    VOCdevkit/VOC2010/JPEGImages/ID.jpg, ImageSets/Main/train.txt and val.txt
    trainval/ID.mat

The matrix LabelMap has 459 ids, of which 59 are classes. With "60", as FCN has it, all
others are background, which is trained and scored and is class 0; with "59", as others
have it, they are void and aeroplane is class 0. In both the classes are in the order of
FCN's release (VOC's 20 first), which is not the alphabet's, that others use.

References:
    Mottaghi et al. 2014; fcn.berkeleyvision.org, pascalcontext_layers.py and
    data/pascal-context (both lists of names).
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.data.official import layouts
from fcn_jax.data.official.layouts import VOID, Member, Table
from fcn_jax.data.official.trees import Part, Tree

VARIANTS = ("60", "59")
_ALL = 459
# Name, and its id among the 459.
IDS: Mapping[str, int] = {
    "aeroplane": 2, "bicycle": 23, "bird": 25, "boat": 31, "bottle": 34, "bus": 45,
    "car": 59, "cat": 65, "chair": 72, "cow": 98, "diningtable": 397, "dog": 113,
    "horse": 207, "motorbike": 258, "person": 284, "pottedplant": 308, "sheep": 347,
    "sofa": 368, "train": 416, "tvmonitor": 427, "bag": 9, "bed": 18, "bench": 22,
    "book": 33, "building": 44, "cabinet": 46, "ceiling": 68, "clothes": 80,
    "computer": 85, "cup": 104, "door": 115, "fence": 144, "floor": 158, "flower": 159,
    "food": 162, "grass": 187, "ground": 189, "keyboard": 220, "light": 232,
    "mountain": 259, "mouse": 260, "curtain": 105, "platform": 296, "sign": 355,
    "plate": 295, "road": 324, "rock": 326, "shelves": 349, "sidewalk": 354, "sky": 360,
    "snow": 366, "bedcloth": 19, "track": 415, "tree": 420, "truck": 424, "wall": 440,
    "water": 445, "window": 454, "wood": 458,
}  # fmt: skip
# What three of them are called among the 459.
_CALLED = {"diningtable": "table", "clothes": "cloth", "bedcloth": "bedclothes"}
_VOC = "VOCdevkit/VOC2010"
_NAMES = "labels.txt"
_LOOKED_AT = 20  # Files, of which one has an id above all labels of 60 classes.


@dataclasses.dataclass(frozen=True)
class PascalContext:
    """See the module, and `layouts.Layout`."""

    variant: str
    name: str = "pascal_context"
    splits: tuple[str, ...] = ("train", "val")
    inside: str = "trainval"
    parts: tuple[Part, ...] = (Part("voc2010"), Part("pascal_context"))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the labels."""
        return (("background",) if self.variant == "60" else ()) + tuple(IDS)

    @property
    def heads(self) -> tuple[Head, ...]:
        """The one head."""
        return (Head("", self.classes, VOC.palette),)

    @functools.cached_property
    def table(self) -> Table:
        """Which class each of the 459 ids is; 0 is none of them."""
        other = "background" if self.variant == "60" else VOID
        names = dict.fromkeys(range(_ALL + 1), other)
        names.update({number: name for name, number in IDS.items()})
        return Table(names, self.classes, "ids 0 to 459 of PASCAL-Context's labels.txt")

    def members(self, tree: Tree, split: str) -> Sequence[Member]:
        """See `Layout`: those of VOC 2010's lists of all images.

        Args:
            tree: All files.
            split: "train" or "val".

        Raises:
            FileNotFoundError: If there is no such list.
            ValueError: If labels.txt has other ids, or the files hold labels of the 59.
        """
        path = f"{_VOC}/ImageSets/Main/{split}.txt"
        if path not in tree.names:
            raise FileNotFoundError(
                f"{tree.where} holds no {path}; PASCAL-Context's images and lists are "
                f"those of VOC 2010: unpack both archives into one folder."
            )
        _check_names(tree)
        ids = tree.read(path).decode().split()
        found = [
            Member(name, f"{_VOC}/JPEGImages/{name}.jpg", {"": f"trainval/{name}.mat"})
            for name in ids
        ]
        self._check_table(tree, found)
        return found

    def decode(self, data: bytes, head: str, where: str) -> np.ndarray:
        """See `Layout`.

        Args:
            data: A MATLAB file with the matrix LabelMap.
            head: "".
            where: The file, for messages.
        """
        del head
        values = layouts.read_mat(data, "LabelMap", where, "PASCAL-Context")
        return self.table.labels(values, where)

    def _check_table(self, tree: Tree, members: Sequence[Member]) -> None:
        """Refuse labels that are the 59 or 60 classes already: all would be wrong."""
        names = [each.labels[""] for each in members]
        held = [name for name in names if name in tree.names][:_LOOKED_AT]
        highest = 0
        for name in held:
            where = tree.place(name)
            values = layouts.read_mat(tree.read(name), "LabelMap", where, self.name)
            highest = max(highest, int(values.max(initial=0)))
        if len(held) == _LOOKED_AT and highest < len(IDS) + 1:
            raise ValueError(
                f"{tree.place(held[0])} and {len(held) - 1} files after it hold labels "
                f"up to {highest} in LabelMap; expected ids up to 459. They are of the "
                f"table of 59 classes: get trainval.tar.gz, whose ids have it applied "
                f"here."
            )


def _check_names(tree: Tree) -> None:
    """Refuse a labels.txt that numbers the classes in another way."""
    if _NAMES not in tree.names:
        return
    lines = tree.read(_NAMES).decode("utf-8", "replace").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    numbers = {name.replace(" ", ""): left.strip() for left, _, name in pairs}
    for name, number in IDS.items():
        found = numbers.get(_CALLED.get(name, name))
        if found != str(number):
            raise ValueError(
                f"{tree.place(_NAMES)} gives {_CALLED.get(name, name)!r} the id "
                f"{found or 'of nothing'}; expected {number}, of the 459 that "
                f"PASCAL-Context has. It is another table of labels: get the official "
                f"labels.txt, or remove it."
            )


def layout(classes: str) -> PascalContext:
    """The layout of a label set.

    Args:
        classes: "60" or "59"; "": "60".

    Raises:
        ValueError: If it is another.
    """
    return PascalContext(layouts.chosen("pascal_context", classes, VARIANTS))
