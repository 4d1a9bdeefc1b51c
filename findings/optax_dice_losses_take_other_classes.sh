#!/usr/bin/env bash
# Two of optax's losses for segmentation look at other classes than those of the maps:
# - dice_loss documents predictions and targets of "[..., 1] or [...] for binary
#   segmentation". Where both are [...], the last axis, the columns of a map, is taken
#   for the classes: a softmax across each row. A mask predicted without a fault has a
#   loss of 0.39 as [batch, rows, columns] and of 0.0001 with [..., None] on both, or on
#   one;
# - multiclass_generalized_dice_loss weighs a class by 1 / (its pixels squared + 1e-7)
#   and then scales the weights to a sum of the number of classes. A class that the
#   batch does not hold gets 1e7 before the scaling, the others at most 1: maps that
#   are wrong everywhere and maps that are right everywhere have the same loss to six
#   digits, and the classes that are there are not learned. MONAI's loss of this name
#   gives an absent class the largest weight of the others.
# Safe are [..., None], and dice_loss(class_weights=...) with weights of one's own.
#
# Seen with optax 0.2.8, jax 0.10.2 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optax==0.2.8 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import jax
import numpy as np
from optax.losses import dice_loss, multiclass_generalized_dice_loss

mask = np.zeros((1, 8, 8), np.float32)
mask[:, 2:5, 1:6] = 1
logits = 20 * mask - 10
bare = dice_loss(logits, mask).item()
whole = dice_loss(logits[..., None], mask[..., None]).item()
one_sided = dice_loss(logits, mask[..., None]).item()
print(f"binary, no fault: {bare:.4f}; of [..., 1] {whole:.4f}, mixed {one_sided:.4f}")
assert whole == one_sided < 0.001 and bare > 0.3, "mended"

THERE = 3  # Classes in the maps; the net knows one more in the second round.
labels = np.random.default_rng(0).integers(0, THERE, (2, 32, 32))
shares = {}
for classes in (THERE, THERE + 1):
    eye = np.eye(classes, dtype=np.float32)
    true = eye[labels]
    right = multiclass_generalized_dice_loss(20 * true, true).item()
    wrong = eye[(labels + 1) % THERE]
    wrong = multiclass_generalized_dice_loss(20 * wrong, true).item()
    found = np.zeros_like(true)
    grad = jax.jit(jax.grad(multiclass_generalized_dice_loss))
    for _ in range(200):
        found -= 2000 * np.asarray(grad(found, true))
    share = (found.argmax(-1) == labels).mean().item()
    print(
        f"{THERE} classes of {classes} in the batch: loss of right maps {right:.7e}, "
        f"of wrong ones {wrong:.7e}; right after 200 steps: {share:.0%}"
    )
    shares[classes] = share
    if classes == THERE:
        assert right < 1e-6 and wrong > 0.9, (right, wrong)
    else:
        assert abs(right - wrong) < 1e-5 * right, "mended"
assert shares[THERE] == 1 and shares[THERE + 1] < 0.5, shares
PYTHON
