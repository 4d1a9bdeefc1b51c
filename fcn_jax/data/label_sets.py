"""Names and colours of the classes of a data set.

References:
    PASCAL VOC development kit, VOClabelcolormap.m (the palette, by bits of the label).
"""

import dataclasses

import numpy as np

IGNORE_LABEL = 255
MAX_CLASSES = 255  # Labels are uint8, and 255 is void.


@dataclasses.dataclass(frozen=True, eq=False)
class LabelSet:
    """What the labels of a data set stand for.

    Attributes:
        name: Of the set.
        classes: Names, in the order of the labels.
        palette: Colour of every label, uint8 RGB [256, 3], not to be written to: data
            sets share it, and some read their masks by it.
        ignore_label: The label of void pixels, which are ignored.
    """

    name: str
    classes: tuple[str, ...]
    palette: np.ndarray
    ignore_label: int = IGNORE_LABEL

    def __post_init__(self):
        object.__setattr__(self, "palette", fixed(self.palette))


def fixed(array: np.ndarray) -> np.ndarray:
    """An array for many, a view into which nothing can be written."""
    found = np.asarray(array).view()
    found.flags.writeable = False
    return found


def voc_palette() -> np.ndarray:
    """The colour map of PASCAL VOC, uint8 RGB [256, 3]; 255 is (224, 224, 192).

    Bits 0, 3 and 6 of a label are the upper bits of red, bits 1, 4 and 7 of green,
    bits 2 and 5 of blue.
    """
    labels = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for channel in range(3):
        for bit in range(8):
            if 3 * bit + channel < 8:
                value = (labels >> (3 * bit + channel)) & 1
                palette[:, channel] |= (value << (7 - bit)).astype(np.uint8)
    return palette


VOC = LabelSet(
    "voc",
    (
        "background",
        "aeroplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ),
    voc_palette(),
)


# Of the built-in shapes.
SHAPES = ("background", "disc", "square", "triangle", "star", "ring", "cross")

# Of the built-in rooms.
INDOOR = ("wall", "floor", "ceiling", "bed", "table", "cabinet")

# The 40 classes of Gupta et al. 2013, in the order of classMapping40.mat and as they
# are spelled there.
NYUD = LabelSet(
    "nyud",
    (
        *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door"),
        *("window", "bookshelf", "picture", "counter", "blinds", "desk", "shelves"),
        *("curtain", "dresser", "pillow", "mirror", "floor mat", "clothes", "ceiling"),
        *("books", "refridgerator", "television", "paper", "towel", "shower curtain"),
        *("box", "whiteboard", "person", "night stand", "toilet", "sink", "lamp"),
        *("bathtub", "bag", "otherstructure", "otherfurniture", "otherprop"),
    ),
    voc_palette(),
)
