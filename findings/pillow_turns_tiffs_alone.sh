#!/usr/bin/env bash
# Pillow 13.0.0: Image.open gives the pixels of a PNG or WebP as they are stored,
# whatever orientation their EXIF data name; ImageOps.exif_transpose turns them for those
# who ask. A TIFF it turns by itself while it loads, and its size is that of the turned
# image from Image.open on; the orientation is gone from getexif() afterwards. So one
# reader that "ignores EXIF" returns a photograph as stored from one format and turned
# from another: an image and its label mask then part, and where the orientation is 180
# degrees their sizes do not tell.
#
# Seen here, an image of 4x6 saved with orientation 3 (180 degrees) and 6 (90 degrees):
#   png   3  as stored  4x6      png   6  as stored  4x6
#   webp  3  as stored  4x6      webp  6  as stored  4x6
#   tiff  3  turned     4x6      tiff  6  turned     6x4
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy as np
from PIL import Image

ORIENTATION = 0x0112
pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
turned = {3: pixels[::-1, ::-1], 6: np.rot90(pixels, -1)}
seen = {}
for name, options in (("png", {}), ("webp", {"lossless": True}), ("tiff", {})):
    for orientation, expected in turned.items():
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, name, exif=exif, **options)
        with Image.open(file) as image:
            assert image.getexif()[ORIENTATION] == orientation
            size = image.height, image.width
            found = np.asarray(image)
            left = image.getexif().get(ORIENTATION)
        as_stored = np.array_equal(found, pixels)
        how = "as stored" if as_stored else "turned"
        assert as_stored or np.array_equal(found, expected)
        assert size == found.shape[:2]
        assert (left is None) == (not as_stored)
        seen[name, orientation] = how, size
        print(f"{name:5} {orientation}  {how:10} {size[0]}x{size[1]}")
assert seen == {
    ("png", 3): ("as stored", (4, 6)),
    ("png", 6): ("as stored", (4, 6)),
    ("webp", 3): ("as stored", (4, 6)),
    ("webp", 6): ("as stored", (4, 6)),
    ("tiff", 3): ("turned", (4, 6)),
    ("tiff", 6): ("turned", (6, 4)),
}, "it is otherwise now"
PYTHON
