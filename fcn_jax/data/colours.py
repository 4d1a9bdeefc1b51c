"""Colours of masks as labels, by the colours of a palette."""

from pathlib import Path

import numpy as np

from fcn_jax.data.label_sets import IGNORE_LABEL

# What is said of masks whose colours are right in another order of the channels.
EXCHANGED = (
    "red and blue are exchanged, as OpenCV writes an array in RGB: exchange them "
    "(mask[..., ::-1]) and save again"
)


def colours_to_labels(
    colours: np.ndarray,
    palette: np.ndarray,
    path: str | Path,
    colours_from: str = "",
) -> np.ndarray:
    """Labels whose palette colours are given, uint8 [H, W].

    Args:
        colours: uint8 RGB [H, W, 3].
        palette: Colour of every label, uint8 [256, 3].
        path: The file, for the message.
        colours_from: The file of the palette, likewise; "": it is of none.

    Raises:
        ValueError: Naming the first colour that is not in the palette.
    """
    labels, unknown = _looked_up(colours, palette)
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        colour = tuple(int(c) for c in colours[row, column])
        exchanged = not _looked_up(colours[..., ::-1], palette)[1].any()
        known = "the palette of the data set"
        if exchanged:
            reason = f"all colours are in it once {EXCHANGED}"
        elif _are_numbers(colours):
            reason = (
                "colours are the numbers 0, 1, 2, ... as R + 256 G + 65536 B, as in "
                "COCO's panoptic PNGs, where they number segments: write masks of the "
                "segments' categories, which segments_info of their JSON gives"
            )
        elif colours_from:
            known = colours_from
            reason = (
                "give it a line there (void is 'void R G B'), or save masks without "
                "smoothing or loss"
            )
        else:
            reason = (
                "name a text file of the colours, 'name R G B' a line, as "
                "--config.data.palette, or save masks without smoothing or loss, or "
                "with class indices instead of colours"
            )
        raise ValueError(
            f"{path}: colour {colour} at row {row}, column {column} is not in {known}; "
            f"{reason}."
        )
    return labels


def _are_numbers(colours: np.ndarray) -> bool:
    """Whether colours count from 0 or 1, red being the lowest byte; to 2 at least."""
    held = np.unique(packed(colours[..., ::-1]))
    held = held[held > 0]
    return len(held) > 1 and bool((held == np.arange(1, len(held) + 1)).all())


def exchanged_labels(labels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """The labels of a mask in colours, had red and blue been exchanged.

    Args:
        labels: uint8 [H, W], as its colours are.
        palette: Colour of every label, uint8 [256, 3].

    Returns:
        int16 [H, W]; -1 where there is none.
    """
    found, unknown = _looked_up(palette[labels][..., ::-1], palette)
    return np.where(unknown, np.int16(-1), found.astype(np.int16))


def indices_to_labels(
    indices: np.ndarray,
    own: np.ndarray,
    palette: np.ndarray,
    path: str | Path,
    colours_from: str,
) -> np.ndarray:
    """The labels of a mask whose own palette has the colours of the data set's.

    Void may have any colour where its index is 255.

    Args:
        indices: uint8 [H, W].
        own: The mask's own palette, uint8 [at most 256, 3].
        palette: Colour of every label, uint8 [256, 3].
        path: The file, for the message.
        colours_from: The file of the palette, likewise; "": it is of none.

    Raises:
        ValueError: Naming the first index whose colour is not in the palette.
    """
    used = np.unique(indices)
    table = np.full(256, IGNORE_LABEL, np.uint8)
    held = used[used < len(own)]
    labels, unknown = _looked_up(own[held], palette)
    table[held[~unknown]] = labels[~unknown]
    wrong = held[unknown & (held != IGNORE_LABEL)]
    if len(wrong):
        index = int(wrong[0])
        row, column = np.argwhere(indices == index)[0]
        colour = tuple(int(c) for c in own[index])
        raise ValueError(
            f"{path}: index {index} at row {row}, column {column} has the colour "
            f"{colour}, which is not in {colours_from or 'the palette given'}; give it "
            f"a line there, or take the colours away from where they are if the "
            f"indices are the labels."
        )
    return table[indices]


def _looked_up(
    colours: np.ndarray, palette: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The label of every colour, and where there is none."""
    codes = packed(colours)
    # The lowest label wins where a palette repeats a colour.
    known, first = np.unique(packed(palette), return_index=True)
    at = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return first.astype(np.uint8)[at], known[at] != codes


def packed(colours: np.ndarray) -> np.ndarray:
    """Colours as numbers, 0xRRGGBB."""
    red, green, blue = (colours[..., i].astype(np.int32) for i in range(3))
    return red << 16 | green << 8 | blue
