#!/usr/bin/env bash
# Without TensorFlow (as_data_source), the Image feature of tensorflow-datasets decodes
# by OpenCV where that can be imported, and else by Pillow; its warning names speed as
# the difference. They do not give the same array for valid masks: a PNG with a palette
# (the label maps of Pascal VOC) is the class ids, [rows, columns, 1], by Pillow, and
# the palette's colours, [rows, columns, 3], by OpenCV, though the feature's shape says
# one channel; a PNG of one bit is 0 and 1 by Pillow, and 0 and 255 by OpenCV. So labels
# of the same data change when something installs OpenCV beside them. Greyscale PNGs of
# 8 bits are the same: masks stored so are safe.
#
# Seen with tensorflow-datasets 4.9.10, pillow 13.0.0, numpy 2.4.6 and
# opencv-python-headless 4.13.0.92. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
  tensorflow-datasets==4.9.10 pillow==13.0.0 numpy==2.4.6
cat >"$folder/decode.py" <<'PYTHON'
import importlib.util
import io
import json

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

IDS = np.array([[0, 1, 2], [15, 20, 255]], np.uint8)
colours = Image.fromarray(IDS)
colours.putpalette([37 * number % 256 for number in range(768)])
images = {
    "palette": colours,
    "bit": Image.fromarray(IDS > 1),
    "grey": Image.fromarray(IDS),
}
feature = tfds.features.Image(shape=(None, None, 1), encoding_format="png")
found = {}
for name, image in images.items():
    stream = io.BytesIO()
    image.save(stream, "PNG")
    stream.seek(0)
    array = feature.decode_example_np(feature.encode_example(stream))
    found[name] = [list(array.shape), array[..., 0].tolist()]
print(json.dumps(found))
PYTHON
without=$("$folder/venv/bin/python" "$folder/decode.py" 2>/dev/null)
"$folder/venv/bin/pip" install --quiet opencv-python-headless==4.13.0.92
with=$("$folder/venv/bin/python" "$folder/decode.py" 2>/dev/null)
"$folder/venv/bin/python" - "$without" "$with" <<'PYTHON'
import json
import sys

pillow, opencv = (json.loads(text) for text in sys.argv[1:])
for name in pillow:
    print(f"{name}: Pillow {pillow[name]}, OpenCV {opencv[name]}")
ids = [[0, 1, 2], [15, 20, 255]]
assert pillow["palette"] == pillow["grey"] == opencv["grey"] == [[2, 3, 1], ids], pillow
assert opencv["palette"][0] == [2, 3, 3] and opencv["palette"][1] != ids, "mended"
assert pillow["bit"] == [[2, 3, 1], [[0, 0, 1], [1, 1, 1]]], pillow
assert opencv["bit"] == [[2, 3, 1], [[0, 0, 255], [255, 255, 255]]], "mended"
PYTHON
