#!/usr/bin/env bash
# nnx.metrics.Average of Flax, and Accuracy that rests on it, miscount pixels in two
# ways, without a word:
# - the mask is documented as "broadcastable to the shape of values", but the cells
#   counted are those of the mask as it was given. Two of four images of 3x5 pixels that
#   are all right, masked by [4, 1, 1], have an accuracy of 15; a mask [3, 5] of them
#   all gives 4;
# - the count is int32. At 1024x2048 pixels (Cityscapes) it is full after 1,023 images:
#   an accuracy of 1 is then -1, of the 2,975 images of an epoch 3.2.
# It would be expected that the average of ones is 1, as jnp.mean(x, where=mask) has it
# for the same masks. Safe is a mask of the full shape (jnp.broadcast_to), and one value
# for each image, or a reset before 2,147,483,648 values.
#
# Seen with flax 0.12.8, jax 0.10.2 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flax==0.12.8 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import jax
import jax.numpy as jnp
from flax import nnx

SHAPE = 4, 3, 5
labels = jnp.zeros(SHAPE, jnp.int32)
logits = jax.nn.one_hot(labels, 2)
two_images = jnp.array([True, False, True, False]).reshape(4, 1, 1)
masks = {
    "none": None,
    "two images, [4, 1, 1]": two_images,
    "two images, [4, 3, 5]": jnp.broadcast_to(two_images, SHAPE),
    "all pixels, [3, 5]": jnp.ones(SHAPE[1:], bool),
}
found = {}
for name, mask in masks.items():
    accuracy = nnx.metrics.Accuracy()
    accuracy.update(logits=logits, labels=labels, mask=mask)
    found[name] = float(accuracy.compute())
    mean = float(jnp.mean(logits.argmax(-1) == labels, where=mask))
    print(f"accuracy, mask: {name}: nnx {found[name]}, jnp.mean {mean}")
    assert mean == 1, (name, mean)
assert list(found.values()) == [1, 15, 1, 4], found

average = nnx.metrics.Average()
image = jnp.ones((1024, 2048), bool)
update = nnx.jit(lambda average: average.update(values=image))
seen = {}
for number in range(1, 2976):
    update(average)
    if number in (1, 1023, 1024, 2975):
        seen[number] = round(float(average.compute()), 3)
print(f"average of ones after so many images of 1024x2048: {seen}")
assert seen == {1: 1, 1023: 1, 1024: -1, 2975: 3.209}, seen
PYTHON
