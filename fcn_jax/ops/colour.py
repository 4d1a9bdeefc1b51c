"""The colour space CIE L*a*b*, in which distances are those that people see."""

import jax
import jax.numpy as jnp

Array = jax.Array

# IEC 61966-2-1: linear RGB to XYZ of the white D65, two-degree observer.
_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = (0.95047, 1.0, 1.08883)
# Least and greatest L*, a*, b* that sRGB reaches, rounded outwards.
RANGES = ((0.0, 100.0), (-87.0, 99.0), (-108.0, 95.0))


def to_lab(image: Array) -> Array:
    """Colours of sRGB as L*a*b*.

    Args:
        image: RGB in [0, 255], `[..., 3]`, uint8 or float.

    Returns:
        float32, the same shape: L* in [0, 100]; a* and b* in `RANGES`.
    """
    srgb = image.astype(jnp.float32) / 255
    linear = jnp.where(
        srgb > 0.04045, jnp.power((srgb + 0.055) / 1.055, 2.4), srgb / 12.92
    )
    matrix = jnp.asarray(_TO_XYZ, jnp.float32)
    white = jnp.asarray(_WHITE, jnp.float32)
    xyz = jnp.einsum(
        "...c,xc->...x", linear, matrix / white[:, None], precision="highest"
    )
    f = jnp.where(xyz > 0.008856, jnp.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return jnp.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
