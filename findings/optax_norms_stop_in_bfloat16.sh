#!/usr/bin/env bash
# optax.tree.norm, and clip_by_global_norm that rests on it, square and sum gradients in
# the gradients' own type. Leaf by leaf the sums are added in it, too, and one more is lost
# once the sum is 256 (bfloat16) times as large:
# - 1,000 leaves of bfloat16 with a square sum of 1 each have a norm of 16, not 31.6, as
#   have 256 of them. Clipped to a norm of 1, they have one of 1.98;
# - of float16, gradients of 300 have an infinite norm and are clipped to 0, each of them:
#   a step that learns nothing and shows no NaN or infinity. Gradients of 1e-4 have a norm
#   of 0 and are never clipped.
# jnp.linalg.norm of the same 4,000 numbers in one array of bfloat16 is 31.6, so that it
# would be expected of the tree. The documentation of neither function names the type. Safe
# is to clip behind a cast: jax.tree.map(lambda g: g.astype(jnp.float32), grads).
#
# Seen with optax 0.2.8, jax 0.10.2 and numpy 2.4.6:
#   bfloat16, 1000 leaves: norm 16.00 of 31.62, after clipping to 1: 1.98
#   float16, 300 x 4:      norm inf of 600.00, clipped [0, 0, 0, 0]
#   float16, 1e-4 x 4:     norm 0 of 0.0002
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optax==0.2.8 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np
import optax


def true_norm(tree):
    leaves = [np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(tree)]
    return np.linalg.norm(np.concatenate(leaves)).item()


def clipped(tree, norm=1.0):
    clip = optax.clip_by_global_norm(norm)
    return clip.update(tree, clip.init(tree))[0]


for leaves in (256, 1000):
    grads = {str(leaf): jnp.full(4, 0.5, jnp.bfloat16) for leaf in range(leaves)}
    norm, true = optax.tree.norm(grads).item(), true_norm(grads)
    print(f"bfloat16, {leaves} leaves: norm {norm:.2f} of {true:.2f}")
    assert norm == 16 and abs(true - leaves**0.5) < 1e-9, "mended"
    if leaves == 1000:
        after = true_norm(clipped(grads))
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), grads)
        safe = true_norm(clipped(wide))
        whole = jnp.linalg.norm(jnp.full(4 * leaves, 0.5, jnp.bfloat16)).item()
        print(f"  clipped to 1: {after:.2f}, as float32 {safe:.2f}; in one array {whole:.2f}")
        assert after > 1.9 and abs(safe - 1) < 1e-3 and abs(whole - true) < 0.2

big = {"kernel": jnp.full(4, 300, jnp.float16)}
norm, after = optax.tree.norm(big).item(), clipped(big)["kernel"]
print(f"float16, 300 x 4: norm {norm} of {true_norm(big):.2f}, clipped {after}")
assert norm == np.inf and not after.any(), "mended"
small = {"kernel": jnp.full(4, 1e-4, jnp.float16)}
norm = optax.tree.norm(small).item()
print(f"float16, 1e-4 x 4: norm {norm} of {true_norm(small):.4f}")
assert norm == 0, "mended"
PYTHON
