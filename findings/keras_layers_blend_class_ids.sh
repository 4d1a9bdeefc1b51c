#!/usr/bin/env bash
# Keras's layers for augmentation take {"images": ..., "segmentation_masks": ...} and
# turn, shift and zoom masks by their nearest pixel: class ids stay class ids in
# RandomRotation, RandomZoom, Resizing and others. Four layers treat the mask as an
# image, without a word:
# - RandomCrop and CenterCrop, where the image is smaller than the crop, resize it, and
#   the mask too, bilinearly: of ids 0 and 7 come 0.7, 6.3 and more, which as integers
#   are other classes;
# - CutMix returns the masks, [batch, rows, columns, 1], with the three channels of the
#   image;
# - MixUp picks single pixels of the first mask where it should pick the partners: masks
#   [batch, rows, columns, batch] come out, and nothing of the partner's is in them.
# Safe are the layers that keep ids, and images that are padded before they are cropped.
#
# Seen with keras 3.15.1, jax 0.10.2 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 numpy==2.4.6
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from keras import layers

masks = np.zeros((2, 16, 16, 1), np.uint8)
masks[0, 4:12, 4:12] = 7
masks[1, :8] = 3
images = np.repeat(masks.astype(np.float32), 3, axis=-1)
kept, blended, shapes = [], [], {}
for layer in (
    layers.RandomRotation(0.2, seed=1),
    layers.RandomZoom(0.3, seed=1),
    layers.Resizing(20, 20),
    layers.RandomCrop(12, 12, seed=1),
    layers.CenterCrop(12, 12),
    layers.RandomCrop(20, 20, seed=1),
    layers.CenterCrop(20, 20),
    layers.CutMix(seed=2),
    layers.MixUp(seed=3),
):
    given = {"images": images, "segmentation_masks": masks}
    found = layer(given, training=True)
    array = np.asarray(found["segmentation_masks"])
    name = type(layer).__name__
    values = [np.unique(one.astype(float).round(2)).tolist() for one in array]
    print(f"{name}: {array.shape}, values {values}")
    shapes[name] = array.shape
    if name == "MixUp":
        assert len(np.unique(np.asarray(found["images"])[0])) == 4  # Both are in it.
        shares = array[0].max() / 7, array[1].max() / 3
        for share, mask, mixed in zip(shares, masks, array):
            assert np.allclose(mixed, share * mask), "mended"  # No partner in it.
    elif np.isin(array, (0, 3, 7)).all():
        kept.append(name)
    else:
        blended.append(name)
assert kept == [
    "RandomRotation", "RandomZoom", "Resizing", "RandomCrop", "CenterCrop", "CutMix",
], kept
assert blended == ["RandomCrop", "CenterCrop"], blended
assert shapes["CutMix"] == (2, 16, 16, 3), shapes
assert shapes["MixUp"] == (2, 16, 16, 2), shapes
PYTHON
