"""Record losses for rare classes, and their gradients, as others compute them.

python tests/golden/record_region_losses.py

segmentation_models_pytorch 0.6.0 with PyTorch 2.14.1, in float64 (its Lovasz loss knows
float32 alone), where a class is true nowhere, one in the second image alone, and a
quarter of the pixels is void. Its Dice and Tversky divide by all classes, ours by those
that are true: see fcn_jax/training/overlaps.py.
"""

from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch

IGNORE_LABEL, CLASSES = 255, 6
ALPHA, BETA = 0.3, 0.7


def example(rng):
    logits = (3 * rng.normal(size=(2, 5, 4, CLASSES))).astype(np.float32)
    labels = rng.integers(0, CLASSES - 1, (2, 5, 4)).astype(np.uint8)
    labels[0][labels[0] == 4] = 3
    labels[rng.random(labels.shape) < 0.25] = IGNORE_LABEL
    return logits, labels


def losses():
    """By name: logits -> [N, C, H, W] and labels [N, H, W] to a loss."""
    common = {"mode": "multiclass", "ignore_index": IGNORE_LABEL}
    yield "dice", smp.losses.DiceLoss(**common)
    yield "tversky", smp.losses.TverskyLoss(**common, alpha=ALPHA, beta=BETA)
    yield "lovasz", smp.losses.LovaszLoss(**common)
    yield "lovasz_per_image", smp.losses.LovaszLoss(**common, per_image=True)


def records(rng):
    logits, labels = example(rng)
    yield "logits", logits
    yield "labels", labels
    y = torch.tensor(labels.astype(np.int64))
    for name, loss in losses():
        dtype = torch.float32 if "lovasz" in name else torch.float64
        x = torch.tensor(logits, dtype=dtype, requires_grad=True)
        value = loss(x.permute(0, 3, 1, 2), y)
        value.backward()
        yield name, value.detach().numpy()
        yield f"{name}_grad", x.grad.numpy()
    # Of two classes, by the difference of their scores.
    two = torch.tensor(logits[..., :2], dtype=torch.float64, requires_grad=True)
    labels_of_two = np.where(labels == IGNORE_LABEL, labels, labels % 2)
    yield "labels_of_two", labels_of_two
    binary = smp.losses.FocalLoss(
        "binary", alpha=0.25, gamma=2.0, ignore_index=IGNORE_LABEL, reduction="sum"
    )
    value = binary(two[..., 1] - two[..., 0], torch.tensor(labels_of_two).long())
    value.backward()
    yield "focal", value.detach().numpy()
    yield "focal_grad", two.grad.numpy()


if __name__ == "__main__":
    found = dict(records(np.random.default_rng(0)))
    np.savez_compressed(Path(__file__).parent / "region_losses.npz", **found)
    for name, value in found.items():
        print(name, value.shape, value if value.ndim == 0 else "")
