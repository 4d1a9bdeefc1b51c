#!/usr/bin/env bash
# oxipng, which makes PNG files smaller without loss (here by its binding pyoxipng), keeps
# every pixel's colour and chooses itself how colours are numbered. A label map is its
# numbers:
# - a mask with Pascal VOC's palette that holds the classes 0, 7 and 15 comes back with
#   the ids 0, 1 and 2, since unused entries of the palette are dropped;
# - so does a greyscale mask, mode "L", in which there is no palette to reorder: of a few
#   grey values a palette of few bits is made, and the numbers that Pillow then reads are
#   positions in it;
# - a mask of 0 and 255 becomes one of a bit, which Pillow reads as False and True: no
#   pixel equals 255 any longer.
# Viewers, and everything that converts to RGB or grey, show what was there before, so a
# look at the data set finds nothing; and some masks, as one of the ids 0, 1 and 2, stay
# as they are. Safe is bit_depth_reduction, color_type_reduction and palette_reduction
# together set to False.
#
# Seen with pyoxipng 9.1.1, pillow 13.0.0 and numpy 2.4.6:
#   VOC's palette  P uint8 [0 7 15] -> P uint8 [0 1 2], same colours
#   greyscale      L uint8 [0 7 15] -> P uint8 [0 1 2], same colours
#   two values     L uint8 [0 255]  -> 1 bool [False True], same colours
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyoxipng==9.1.1 pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy as np
import oxipng
from PIL import Image


def voc_colour(index):
    """Returns VOC's colour of a class: its bits, in turn, from the highest of each channel."""
    colour = [0, 0, 0]
    for place in range(8):
        for channel in range(3):
            colour[channel] |= (index >> 3 * place + channel & 1) << 7 - place
    return colour


def optimised(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG")
    return Image.open(io.BytesIO(oxipng.optimize_from_memory(file.getvalue(), **options)))


def mask(ids, palette=False):
    labels = np.zeros((120, 160), np.uint8)
    for place, id_ in enumerate(ids):
        labels[10 + 30 * place : 50 + 30 * place, 20 + 25 * place : 90 + 25 * place] = id_
    image = Image.fromarray(labels)
    if palette:
        image.putpalette([value for index in range(256) for value in voc_colour(index)])
    return image


REDUCTIONS = "bit_depth_reduction", "color_type_reduction", "palette_reduction"
CASES = {
    "VOC's palette": (mask((7, 15), palette=True), "P", [0, 1, 2]),
    "greyscale": (mask((7, 15)), "P", [0, 1, 2]),
    "two values": (mask((255,)), "1", [False, True]),
    "ids from 0 on": (mask((1, 2), palette=True), "P", [0, 1, 2]),
}
for name, (before, mode, expected) in CASES.items():
    after = optimised(before)
    same = np.array_equal(before.convert("RGB"), after.convert("RGB"))
    texts = []
    for image in (before, after):
        array = np.asarray(image)
        texts.append(f"{image.mode} {array.dtype} {np.unique(array)}")
    print(f"{name:14} {' -> '.join(texts)}, {'same' if same else 'other'} colours")
    assert same and after.mode == mode, (name, after.mode)
    assert np.unique(np.asarray(after)).tolist() == expected, "mended"
    safe = optimised(before, **dict.fromkeys(REDUCTIONS, False))
    assert safe.mode == before.mode and np.array_equal(safe, before), name
PYTHON
