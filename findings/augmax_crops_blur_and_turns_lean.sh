#!/usr/bin/env bash
# Four of augmax's transforms for images and masks, in JAX, do other than they say:
# - Rotate((-30, 30), p=0.5) turns to one side only. One key decides whether to turn and
#   draws the angle, and both draws begin with the same number: those that turn are the
#   ones whose angle is in half the range. With p=0.2 all angles are from 18 to 30;
# - RandomCrop draws its corner as a fraction of a pixel, and samples the image there by
#   linear interpolation and the mask by the nearest pixel: crops are blurred, each
#   otherwise (stripes of 0 and 1 keep about half of their contrast), and lie up to half
#   a pixel beside their masks;
# - CenterCrop of an odd side from an even one (or even from odd) lies between pixels
#   always: stripes of 0 and 1 become 0.5 everywhere, while their mask keeps 0 and 1;
# - RandomSizedCrop's prevent_underzoom, which is on, is documented to keep zooms within
#   the image. It compares the zoom with the logarithm of the smallest one, which is
#   always less: about half the crops of 64x64 of an image of 64x64 reach outside, and
#   there the mask has class 0, not an ignored one.
# It would be expected that a crop copies pixels and that turns lie on both sides. Safe are
# p=1, a slice at whole pixels before the chain, sides of one parity, and a zoom_range that
# begins at crop / image.
#
# Seen with augmax 0.4.1, jax 0.10.2 and numpy 2.4.6:
#   Rotate p=1.0: applied 100%, angles from -30.0 to 29.7
#   Rotate p=0.5: applied 52%, angles from 0.1 to 29.7
#   Rotate p=0.2: applied 17%, angles from 18.0 to 29.7
#   contrast of stripes: RandomCrop 0.50, CenterCrop of 32 1.00, of 31 0.00; their masks 1
#   RandomSizedCrop: outside the image in 49% of crops with prevention and without
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet augmax==0.4.1 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import augmax
import jax
import jax.numpy as jnp
import numpy as np
from augmax import InputType

SIDE, TRIES = 64, 500
KEYS = jax.random.split(jax.random.key(0), TRIES)
CENTRE = SIDE / 2 - 0.5


def run(transform, inputs, types):
    chain = augmax.Chain(transform, input_types=types)
    return jax.jit(jax.vmap(lambda key: chain(key, inputs)))(KEYS)


points = jnp.array([[CENTRE, CENTRE + 20]])
blank = jnp.zeros((SIDE, SIDE, 1))
least = {}
for p in (1.0, 0.5, 0.2):
    types = [InputType.IMAGE, InputType.KEYPOINTS]
    turned = np.asarray(run(augmax.Rotate((-30, 30), p=p), [blank, points], types)[1])[:, 0]
    angles = np.degrees(np.arctan2(turned[:, 0] - CENTRE, turned[:, 1] - CENTRE))
    applied = angles[abs(angles) > 0.05]
    least[p] = applied.min()
    print(
        f"Rotate p={p}: applied {len(applied) / TRIES:.0%}, "
        f"angles from {least[p]:.1f} to {applied.max():.1f}"
    )
assert least[1.0] < -25, least
assert least[0.5] > -0.5 and least[0.2] > 17, "mended"

stripes = jnp.tile(jnp.array([0.0, 1.0]), (SIDE, SIDE // 2))
contrasts = []
for crop in (augmax.RandomCrop(32), augmax.CenterCrop(32), augmax.CenterCrop(31)):
    images, masks = run(crop, [stripes, stripes], [InputType.IMAGE, InputType.MASK])
    assert set(np.unique(masks)) == {0, 1} and np.ptp(masks, (1, 2)).min() == 1
    contrasts.append(np.ptp(images, (1, 2)).mean())
print(
    "contrast of stripes: RandomCrop {:.2f}, CenterCrop of 32 {:.2f}, of 31 {:.2f}; "
    "their masks 1".format(*contrasts)
)
assert contrasts[1] > 0.999, contrasts
assert contrasts[0] < 0.6 and contrasts[2] < 0.001, "mended"

ones = jnp.ones((SIDE, SIDE), jnp.int32)
shares = []
for prevent in (True, False):
    crop = augmax.RandomSizedCrop(SIDE, SIDE, prevent_underzoom=prevent)
    masks = np.asarray(run(crop, [ones], [InputType.MASK])[0])
    shares.append((masks == 0).any((1, 2)).mean())
print(
    "RandomSizedCrop: outside the image in {:.0%} of crops with prevention, "
    "{:.0%} without".format(*shares)
)
assert shares[0] == shares[1] > 0.4, "mended"
crop = augmax.RandomSizedCrop(SIDE, SIDE, zoom_range=(1.0, 2.0))
assert (np.asarray(run(crop, [ones], [InputType.MASK])[0]) == 1).all()
PYTHON
