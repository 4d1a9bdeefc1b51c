"""Which classes a pixel may have, in a few bytes that move with the image.

A weak label is a set of classes: those of the image, or those of the boxes over a
pixel. Sets of pixels are maps like the labels, and go through the same crops, scales,
flips and turns. Bit c of a pixel says that it may be of class c; bit C, that its label
is to be estimated. Pixels without that bit keep the label that they have, void
included: those of images with masks, and those that lie outside of an image.
"""

from collections.abc import Mapping

import numpy as np

from fcn_jax.data.contracts import Item, Labels

PLANES = "allowed"  # Of items and batches: uint8 [..., H, W, P].
NOTHING = 0  # What planes hold outside of an image.
_LABELS = "labels"


def count(num_classes: int) -> int:
    """How many planes hold the sets of so many classes, P.

    Args:
        num_classes: C.
    """
    return num_classes // 8 + 1


def pack(allowed: np.ndarray, estimated: bool | np.ndarray = True) -> np.ndarray:
    """Sets of classes as planes.

    Args:
        allowed: Which classes a pixel may have, bool [H, W, C].
        estimated: Which pixels are to be estimated, bool [H, W], or all or none.

    Returns:
        uint8 [H, W, P].
    """
    asked = np.broadcast_to(estimated, allowed.shape[:2])[..., None]
    bits = np.concatenate([allowed & asked, asked], axis=-1)
    return np.packbits(bits, axis=-1, bitorder="little")


def unpack(planes: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """What `pack` was given.

    Args:
        planes: uint8 [..., P].
        num_classes: C.

    Returns:
        Which classes each pixel may have, bool [..., C], and whether it is to be
        estimated, bool [...].
    """
    bits = np.unpackbits(planes, axis=-1, count=num_classes + 1, bitorder="little")
    return bits[..., :-1].astype(bool), bits[..., -1].astype(bool)


def maps_of(
    item: Item, ignore_label: int | Mapping[str, int]
) -> tuple[Labels, int | Mapping[str, int]]:
    """Everything of an item that moves with its image, and what lies outside of it.

    Args:
        item: Of a source.
        ignore_label: Void; by head where there are several.

    Returns:
        The labels and void, or, of an item with planes, both and these by name.
    """
    if PLANES not in item:
        return item[_LABELS], ignore_label
    planes = item[PLANES]
    maps = {f"{PLANES}{i}": planes[..., i] for i in range(planes.shape[-1])}
    assert not isinstance(ignore_label, Mapping)  # Weak labels are of one head.
    void = {_LABELS: ignore_label} | dict.fromkeys(maps, NOTHING)
    return {_LABELS: item[_LABELS], **maps}, void


def entries(maps: Labels) -> dict[str, Labels]:
    """What of `maps_of` a batch has: the labels, and planes where there are any.

    Args:
        maps: As of `maps_of`, changed.
    """
    if not isinstance(maps, Mapping) or f"{PLANES}0" not in maps:
        return {_LABELS: maps}
    planes = [x for name, x in maps.items() if name != _LABELS]
    return {_LABELS: maps[_LABELS], PLANES: np.stack(planes, axis=-1)}
