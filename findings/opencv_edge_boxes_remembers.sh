#!/usr/bin/env bash
# An EdgeBoxes object of OpenCV's contributed modules is no function of its input: called
# a second time with the same arrays it gives other boxes and other scores, and what it
# gives for an image depends on the image before it. Objects that are made anew agree to
# the bit. Who makes the object once, outside the loop over images, gets proposals that
# depend on the order of the images and on how they are shared between processes.
#
# Seen with opencv-contrib-python-headless 4.13.0.92 and numpy 2.4.6 (5.0.0.93 too).
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
  opencv-contrib-python-headless==4.13.0.92 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np

rng = np.random.default_rng(0)
picture = np.zeros((150, 200), np.float32)
for _ in range(12):  # Rectangles of all sizes.
    row, column = rng.integers(0, 110), rng.integers(0, 150)
    height, width = rng.integers(15, 40), rng.integers(15, 50)
    picture[row : row + height, column : column + width] += rng.random()
picture = cv2.GaussianBlur(picture, (0, 0), 2)
across, down = (cv2.Sobel(picture, cv2.CV_32F, *way) for way in ((1, 0), (0, 1)))
edges = np.hypot(across, down)
edges /= edges.max()
directions = np.arctan2(down, across) % np.pi
directions = directions.astype(np.float32)


def make():
    return cv2.ximgproc.createEdgeBoxes(maxBoxes=2000, minBoxArea=200)


def boxes(search):
    found, scores = search.getBoundingBoxes(edges, directions)
    return found, np.asarray(scores).ravel()


def same(a, b):
    return all(x.shape == y.shape and (x == y).all() for x, y in zip(a, b))


kept = make()
first, second, anew = boxes(kept), boxes(kept), boxes(make())
print(f"boxes at the first call {len(first[0])}, at the second {len(second[0])}")
print(f"first == second: {same(first, second)}; first == of a new object: "
      f"{same(first, anew)}")
assert same(first, anew)
assert not same(first, second), "mended"
PYTHON
