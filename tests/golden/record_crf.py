"""Record what the published C++ code of the dense CRF computes, through pydensecrf.

pip install pydensecrf2
python tests/golden/record_crf.py
"""

from pathlib import Path

import numpy as np
from pydensecrf import densecrf

from fcn_jax.data import drawing

SHAPE, NUM_CLASSES, ITERATIONS = (40, 48), 4, 5
NORMALIZATIONS = {
    "no": densecrf.NO_NORMALIZATION,
    "before": densecrf.NORMALIZE_BEFORE,
    "after": densecrf.NORMALIZE_AFTER,
    "symmetric": densecrf.NORMALIZE_SYMMETRIC,
}


def scene():
    """An image of the built-in shapes, and a noisy unary of its labels."""
    rng = np.random.default_rng(0)
    drawn = drawing.draw(rng)
    image = np.ascontiguousarray(drawn.image[20:60, 30:78])
    labels = drawn.labels[20:60, 30:78] % NUM_CLASSES
    logits = 1.5 * (labels[..., None] == np.arange(NUM_CLASSES))
    logits = logits + rng.normal(size=(*SHAPE, NUM_CLASSES))
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return image, -np.log(probs).astype(np.float32)


def infer(image, unary, normalization, bilateral_xy, bilateral_rgb):
    height, width = SHAPE
    model = densecrf.DenseCRF2D(width, height, NUM_CLASSES)
    model.setUnaryEnergy(np.ascontiguousarray(unary.reshape(-1, NUM_CLASSES).T))
    shared = {
        "kernel": densecrf.DIAG_KERNEL,
        "normalization": NORMALIZATIONS[normalization],
    }
    model.addPairwiseGaussian(sxy=3, compat=1.5, **shared)
    model.addPairwiseBilateral(
        sxy=bilateral_xy, srgb=bilateral_rgb, rgbim=image, compat=2, **shared
    )
    found = np.array(model.inference(ITERATIONS), np.float32)
    return found.reshape(NUM_CLASSES, height, width).transpose(1, 2, 0)


if __name__ == "__main__":
    image, unary = scene()
    arrays = {"image": image, "unary": unary}
    for normalization in NORMALIZATIONS:
        arrays[f"80_13_{normalization}"] = infer(image, unary, normalization, 80, 13)
    arrays["20_3_symmetric"] = infer(image, unary, "symmetric", 20, 3)
    np.savez_compressed(Path(__file__).with_name("crf.npz"), **arrays)
