"""The 894 names of NYUDv2 as the 40 classes that are scored.

Classes 1 to 37 are one name each; 68 names are "otherstructure", 82 "otherfurniture",
and all others "otherprop". Name 0 is no label.

References:
    Gupta et al. 2013, "Perceptual organization and recognition of indoor scenes from
    RGB-D images"; classMapping40.mat of its data, `mapClass`.
"""

import numpy as np

from fcn_jax.data.label_sets import IGNORE_LABEL, NYUD

NUM_NAMES = 894
# The name of each of the first 37 classes, in their order.
_SINGLE = (
    *(21, 11, 3, 157, 5, 83, 19, 28, 59, 88, 64, 7, 80, 36, 42, 89, 169, 119, 122, 143),
    *(141, 4, 85, 17, 172, 15, 135, 123, 26, 45, 331, 158, 124, 24, 144, 136, 55),
)
_STRUCTURES = (
    *(8, 25, 33, 38, 51, 53, 57, 58, 62, 65, 79, 94, 104, 112, 134, 153, 215, 216, 223),
    *(225, 238, 241, 242, 256, 295, 301, 339, 342, 354, 363, 372, 380, 392, 408, 412),
    *(453, 456, 463, 477, 497, 541, 550, 553, 567, 573, 582, 591, 609, 612, 615, 642),
    *(645, 657, 658, 659, 663, 667, 668, 686, 700, 702, 777, 778, 782, 850, 861, 868),
    874,
)
_FURNITURE = (
    *(12, 43, 48, 50, 87, 106, 111, 161, 163, 174, 183, 204, 214, 219, 221, 224, 236),
    *(262, 278, 291, 298, 313, 343, 344, 356, 359, 373, 393, 401, 414, 418, 419, 430),
    *(443, 444, 447, 448, 457, 458, 460, 462, 475, 479, 485, 486, 493, 494, 498, 499),
    *(509, 510, 515, 521, 524, 540, 549, 551, 554, 556, 558, 576, 580, 608, 625, 703),
    *(734, 770, 772, 797, 800, 803, 804, 813, 814, 815, 820, 829, 835, 858, 863, 882),
    892,
)
# Names by which the table of the data set is known: those of the first classes.
KNOWN = {
    number: NYUD.classes[label]
    for label, number in enumerate(_SINGLE)
    if NYUD.classes[label] in ("wall", "floor", "cabinet", "bed", "chair")
}


def table() -> np.ndarray:
    """The class of every name, uint8 [895]: 1 to 40, and 0 of name 0, as in MATLAB."""
    found = np.full(NUM_NAMES + 1, 40, np.uint8)
    found[list(_STRUCTURES)], found[list(_FURNITURE)] = 38, 39
    found[list(_SINGLE)] = np.arange(1, len(_SINGLE) + 1)
    found[0] = 0
    return found


def to_labels(classes: np.ndarray, where: str) -> np.ndarray:
    """Classes as they are stored, 1 to 40 and 0 for void, as labels.

    Args:
        classes: Integer [H, W].
        where: The file, for the message.

    Returns:
        uint8 [H, W]: 0 to 39, and 255.

    Raises:
        ValueError: If there are others; naming the first.
    """
    count = len(NYUD.classes)
    wrong = (classes < 0) | (classes > count)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{where} holds class {int(classes[row, column])} at row {row}, column "
            f"{column} ({np.count_nonzero(wrong)} such pixels); expected 1 to {count}, "
            f"or 0 for void: the {NUM_NAMES} names of the .mat are classes by another "
            f"table, which data set 'nyud' applies if it is given that file."
        )
    return np.where(classes == 0, IGNORE_LABEL, classes - 1).astype(np.uint8)
