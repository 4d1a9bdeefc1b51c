#!/usr/bin/env bash
# LovaszLoss of segmentation_models_pytorch weighs each error by how much IU falls when its
# pixel turns wrong, as a difference of two neighbours of a running IU in float32. Of a
# batch of eight 360x480 images and a class with a hundredth of the pixels, more than half
# of the weights are 0 that are not: those pixels have no gradient. Of float64 scores,
# which would keep them, the loss raises, because the weights stay float32. Written out, a
# step of IU is 1 / union of a pixel of the class, and else intersection / (union * (union
# - 1)), which float32 holds.
#
# Seen with segmentation_models_pytorch 0.6.0 and torch 2.14.1. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet segmentation-models-pytorch==0.6.0 torch==2.14.1
"$folder/venv/bin/python" - <<'PYTHON'
import segmentation_models_pytorch as smp
import torch
from segmentation_models_pytorch.losses.lovasz import _lovasz_grad

torch.manual_seed(0)
true = (torch.rand(8 * 360 * 480) < 0.01).float()
theirs = _lovasz_grad(true)
seen = true.double().cumsum(0)
rank = torch.arange(1, len(true) + 1).double()
left = seen[-1] - seen
union = seen[-1] + rank - seen
ours = torch.where(true > 0, 1 / union, left / union / (union - 1).clamp_min(1)).float()
share = {name: (x == 0).float().mean().item() for name, x in (("theirs", theirs), ("written out", ours))}
print(f"share of weights that are 0: {share}")
assert theirs.sum().isclose(ours.sum()), (theirs.sum(), ours.sum())
assert share["written out"] < 0.01 and share["theirs"] > 0.5, "mended"
scores = torch.zeros(1, 2, 1, 2, dtype=torch.float64)
try:
    smp.losses.LovaszLoss("multiclass")(scores, torch.tensor([[[0, 1]]]))
except RuntimeError as error:
    print(f"of float64: {error}")
else:
    raise AssertionError("mended")
PYTHON
