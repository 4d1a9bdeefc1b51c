"""Which channels a network is given of an image with depth.

| name | channels | dtype |
| --- | --- | --- |
| rgb | colours | uint8 |
| rgbd | colours, the logarithm of millimetres | float32 |
| hha | disparity, height, angle (`fcn_jax.data.hha`) | uint8 |
| rgbhha | colours, then those | uint8 |

References:
    Long et al. 2015, arXiv:1411.4038, sec. 5, NYUDv2.
"""

from collections.abc import Callable

import numpy as np

from fcn_jax.data import depth as depths

INPUTS = ("rgb", "rgbd", "hha", "rgbhha")


def stacked(
    inputs: str,
    colours: np.ndarray,
    depth: Callable[[], np.ndarray],
    hha: Callable[[], np.ndarray],
    where: str,
) -> np.ndarray:
    """The channels that are asked for; what is not is not made.

    Args:
        inputs: Of `INPUTS`.
        colours: uint8 RGB [H, W, 3].
        depth: Gives metres, float [H, W].
        hha: Gives HHA, uint8 [H, W, 3].
        where: The image, for messages.

    Returns:
        [H, W, channels], uint8 or float32.

    Raises:
        ValueError: If depth is of another size, or a pixel has none.
    """
    if inputs == "rgb":
        return colours
    if inputs == "rgbd":
        found = depth()
        depths.check_pair(colours, found, where)
        depths.check(found, where)
        logarithm = depths.to_log(found)[..., None]
        return np.concatenate([colours.astype(np.float32), logarithm], axis=-1)
    found = hha()
    depths.check_pair(colours, found, f"{where}, HHA")
    return found if inputs == "hha" else np.concatenate([colours, found], axis=-1)
