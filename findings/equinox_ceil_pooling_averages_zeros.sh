#!/usr/bin/env bash
# Pooling of Equinox with use_ceil=True, as Caffe's nets (VGG, SegNet, FCN) need it, pads
# the end by a whole stride and then treats these cells as cells of the map:
# - AvgPool2d(2, 2) of a 5x5 map of ones has 0.5 along the end and 0.25 in the corner.
#   PyTorch's, with whose arguments it shares the form, and Caffe's divide by the cells
#   that there are, and have 1;
# - MaxPool2d(2, 3) of 6x6, without any padding of the caller's, raises RuntimeError:
#   "Paddings should be less than the size of the kernel. Padding (0, 3) received";
#   PyTorch leaves out the window that would begin behind the map, and gives 2x2. So does
#   MaxPool2d(2, 2, padding=1) of 5x5, which PyTorch pools to 3x3.
# MaxPool2d(2, 2) and (3, 2), the usual ones, are right.
#
# Seen with equinox 0.13.8, jax 0.10.2 and numpy 2.4.6. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet equinox==0.13.8 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import equinox as eqx
import jax.numpy as jnp
import numpy as np


def pooled(kind, side, *numbers, **options):
    x = jnp.arange(side * side, dtype=jnp.float32).reshape(1, side, side)
    x = x if kind is eqx.nn.MaxPool2d else jnp.ones_like(x)
    try:
        return np.asarray(kind(*numbers, use_ceil=True, **options)(x))[0].tolist()
    except RuntimeError as error:
        return str(error)


average = pooled(eqx.nn.AvgPool2d, 5, 2, 2)
print(f"averages of ones: {average}")
assert average == [[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 0.25]], average

usual = pooled(eqx.nn.MaxPool2d, 5, 2, 2)
assert usual == [[6, 8, 9], [16, 18, 19], [21, 23, 24]], usual
for numbers, options, side, given in (
    ((2, 3), {}, 6, (0, 3)),
    ((2, 2), {"padding": 1}, 5, (1, 3)),
):
    said = pooled(eqx.nn.MaxPool2d, side, *numbers, **options)
    print(f"MaxPool2d{numbers}, {options}, of {side}x{side}: {said}")
    assert f"Padding {given} received for kernel size 2" in str(said), said
PYTHON
