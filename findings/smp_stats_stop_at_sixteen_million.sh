#!/usr/bin/env bash
# get_stats of segmentation_models_pytorch, from which all its metrics are computed,
# counts the pixels of a class, mode "multiclass", with torch.histc of float32: a bin
# that holds 16,777,216 (2 to the 24th) stays there, since one more is not a float32. An
# image of 5000x5000 pixels, all of class 0, of which 17 million are predicted right and
# 8 million wrong, has no false negatives and no false positives of class 0: its IoU is
# 1, not 0.68. The four numbers still add up to the number of pixels. With two threads,
# whose bins are added, it is right, and goes wrong at 33 million; so the number depends
# on the machine. Counted per class by mode "binary", or in tiles, it is right.
#
# Seen with segmentation_models_pytorch 0.6.0 and torch 2.14.1. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet segmentation-models-pytorch==0.6.0 torch==2.14.1
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from segmentation_models_pytorch.metrics import get_stats, iou_score

SIDE, RIGHT = 5000, 17_000_000
true = torch.zeros(1, SIDE, SIDE, dtype=torch.int64)
found = torch.ones(SIDE * SIDE, dtype=torch.int64)
found[:RIGHT] = 0
found = found.reshape(true.shape)
expected = [RIGHT, 0, SIDE * SIDE - RIGHT, 0]


def class_0(threads, *maps, **options):
    torch.set_num_threads(threads)
    stats = [numbers[..., :1] for numbers in get_stats(*maps, **options)]
    share = iou_score(*stats).item()
    stats = [numbers.item() for numbers in stats]
    print(f"{threads} thread(s), {options}: TP, FP, FN, TN {stats}, IoU {share:.2f}")
    return stats, share


one, share = class_0(1, found, true, mode="multiclass", num_classes=2)
assert one == [2**24, 0, 0, SIDE * SIDE - 2**24] and share == 1, "mended"
two, _ = class_0(2, found, true, mode="multiclass", num_classes=2)
assert two == expected, two
maps = [(map_ == 0).long()[:, None] for map_ in (found, true)]
binary, share = class_0(1, *maps, mode="binary")
assert binary == expected and round(share, 2) == 0.68, (binary, share)
PYTHON
