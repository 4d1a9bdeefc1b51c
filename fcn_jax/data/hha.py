"""HHA: depth as three channels that an RGB network can start from.

Horizontal disparity, height above ground, and the angle of the surface with gravity,
all in [0, 255]. Gravity is found in the image: of the directions near the camera's own
"down" that to which floors are most nearly parallel and walls most nearly at a right
angle.

Axes are the camera's: x right, y down, z forward; lengths are centimetres inside, as in
the code that made the data of the papers.

References:
    Gupta et al. 2014, arXiv:1407.5736, sec. 2 (HHA); Gupta et al. 2013, "Perceptual
    organization and recognition of indoor scenes from RGB-D images", sec. 3 (gravity).
    s-gupta/rcnn-depth, rcnn/saveHHA.m and mcg/depth_features/processDepthImage.m;
    s-gupta/rgbdutils, computeNormalsSquareSupport.m, getYDir.m, getRMatrix.m.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from fcn_jax.data import depth as depths

_CM = 100  # A metre.

# saveHHA.m: disparity is DISPARITY over centimetres, of which no fewer than NEAREST.
DISPARITY = 31_000.0
NEAREST = 100.0
# The angle in degrees is moved so that a wall, 90, has the middle of a byte.
ANGLE_SHIFT = 128.0 - 90.0
UNKNOWN_ANGLE = 180.0  # Where no normal is known; what MATLAB's max(-1, NaN) makes.
# processDepthImage.m: half the side of the windows that normals are fitted in, pixels
# of an image of NYUDv2: those of the output, and those that gravity is found by.
NORMAL_WINDOW, GRAVITY_WINDOW = 3, 10
# What is within so many degrees of horizontal is floor or ceiling, of vertical wall; as
# often the direction is found anew.
GRAVITY_STAGES = ((45.0, 5), (15.0, 5))
# Degrees up to which the camera counts as level (getRMatrix.m).
LEVEL = 0.1
# Where nothing lies FLOOR_SEEN below the camera no floor is seen, and it is taken to be
# FLOOR_ASSUMED below, centimetres.
FLOOR_SEEN, FLOOR_ASSUMED = 90.0, 130.0
# Share of the normals by which the two smallest eigenvalues must differ for gravity to
# be moved. Ours: of a wall alone the published code takes any direction in the image.
SEPARATED = 1e-3
_FEWEST = 3  # Points that a plane goes through.


@dataclasses.dataclass(frozen=True)
class Camera:
    """A pinhole: where a point of space is seen.

    Attributes:
        fx: Focal length, pixels.
        fy: Likewise, of rows.
        cx: Column of the axis, counted from 1 as in MATLAB.
        cy: Row of the axis, likewise.
    """

    fx: float
    fy: float
    cx: float
    cy: float

    def cut(self, top: int, left: int) -> "Camera":
        """The camera of an image that starts at a row and column of this one's.

        Args:
            top: Row, counted from 0.
            left: Column, likewise.
        """
        return dataclasses.replace(self, cx=self.cx - left, cy=self.cy - top)


# The RGB camera of the Kinect of NYUDv2, of which depth there is a projection
# (nyu-hooks, getCameraParam.m), and of the 425x560 that FCN sees of it (cropCamera.m).
KINECT = Camera(
    518.85790117450188, 519.46961112127485, 325.58244941119034, 253.73616633400465
)
CROP = (slice(45, 470), slice(40, 600))
KINECT_CROPPED = KINECT.cut(CROP[0].start, CROP[1].start)


class Gravity(NamedTuple):
    """Where "down" is.

    Attributes:
        direction: Unit vector, float64 [3].
        is_seen: Whether all steps found floors and walls that tell; else some left the
            direction as it was, at first the camera's own.
    """

    direction: np.ndarray
    is_seen: bool


def encode(
    depth: np.ndarray,
    camera: Camera = KINECT_CROPPED,
    missing: np.ndarray | None = None,
    windows: tuple[int, int] = (NORMAL_WINDOW, GRAVITY_WINDOW),
) -> np.ndarray:
    """HHA of a depth image.

    Args:
        depth: Metres, float [H, W], positive everywhere.
        camera: That saw it.
        missing: Pixels that the sensor had no depth of and that were filled in, bool
            [H, W]: they have a place, but no surface goes through them. None: none.
        windows: Half the side of the windows for normals, and for gravity, pixels.

    Returns:
        uint8 [H, W, 3]: disparity, height (centimetres), angle (degrees + 38).

    Raises:
        ValueError: If a pixel has no depth, or `missing` another size.
    """
    depths.check(depth, "HHA")
    if missing is None:
        missing = np.zeros(depth.shape, bool)
    if missing.shape != depth.shape:
        raise ValueError(
            f"HHA: missing is {list(missing.shape)} and depth {list(depth.shape)}; "
            f"they must be equal."
        )
    points = point_cloud(depth, camera)
    of_surface, of_gravity = (normals(points, missing, window) for window in windows)
    down = gravity(of_gravity).direction
    channels = (
        DISPARITY / np.maximum(points[..., 2], NEAREST),
        heights(points, down),
        angles(of_surface, down) + ANGLE_SHIFT,
    )
    return _bytes(np.stack(channels, axis=-1))


def point_cloud(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """The place of every pixel, centimetres, float64 [H, W, 3].

    Args:
        depth: Metres, float [H, W].
        camera: That saw it.
    """
    z = np.asarray(depth, np.float64) * _CM
    rows, columns = np.ogrid[1 : z.shape[0] + 1, 1 : z.shape[1] + 1]
    x = (columns - camera.cx) * z / camera.fx
    y = (rows - camera.cy) * z / camera.fy
    return np.stack([x, y, z], axis=-1)


def normals(points: np.ndarray, missing: np.ndarray, window: int) -> np.ndarray:
    """Normals of planes through square windows, pointing away from the camera.

    A plane n . P = 1 is fitted in inverse depth, n . (X/Z, Y/Z, 1) = 1/Z, by least
    squares.

    Args:
        points: float64 [H, W, 3].
        missing: Pixels that no plane goes through, bool [H, W].
        window: Half the side of the windows, pixels; they end with the image.

    Returns:
        Unit vectors, float64 [H, W, 3]; NaN where no plane is known.
    """
    seen = ~missing
    inverse = seen / points[..., 2]
    a, b = (
        seen * points[..., 0] / points[..., 2],
        seen * points[..., 1] / points[..., 2],
    )
    names = ("aa", "ab", "a", "bb", "b", "n", "az", "bz", "z")
    terms = (a * a, a * b, a, b * b, b, seen, a * inverse, b * inverse, inverse)
    s = {n: box_sum(x, window) for n, x in zip(names, terms, strict=True)}
    # The adjugate of A^T A, times A^T b: the length does not matter.
    adjugate = (
        (s["bb"] * s["n"] - s["b"] ** 2, s["a"] * s["b"] - s["ab"] * s["n"]),
        (s["ab"] * s["b"] - s["a"] * s["bb"], s["aa"] * s["n"] - s["a"] ** 2),
        (s["a"] * s["ab"] - s["aa"] * s["b"], s["aa"] * s["bb"] - s["ab"] ** 2),
    )
    (m00, m01), (m02, m11), (m12, m22) = adjugate
    found = np.stack(
        [
            m00 * s["az"] + m01 * s["bz"] + m02 * s["z"],
            m01 * s["az"] + m11 * s["bz"] + m12 * s["z"],
            m02 * s["az"] + m12 * s["bz"] + m22 * s["z"],
        ],
        axis=-1,
    )
    length = np.linalg.norm(found, axis=-1, keepdims=True)
    known = (s["n"] >= _FEWEST)[..., None] & (length > 0)
    found = np.where(known, found / np.where(known, length, 1), np.nan)
    towards = np.sum(found * points, axis=-1, keepdims=True) < 0
    return np.where(towards, -found, found)


def box_sum(x: np.ndarray, window: int) -> np.ndarray:
    """Sums over square windows, beyond the image zero.

    Args:
        x: [H, W].
        window: Half the side, pixels: 3 for 7x7.

    Returns:
        float64 [H, W].
    """
    found = np.asarray(x, np.float64)
    for axis in (0, 1):
        length = found.shape[axis]
        before = [(0, 0), (0, 0)]
        before[axis] = (1, 0)
        total = np.pad(np.cumsum(found, axis), before)
        places = np.arange(length)
        end = np.minimum(places + window + 1, length)
        start = np.maximum(places - window, 0)
        found = np.take(total, end, axis) - np.take(total, start, axis)
    return found


def gravity(found: np.ndarray) -> Gravity:
    """The direction that floors and walls agree upon.

    Args:
        found: Normals, float64 [..., 3]; NaN where none is known.

    Returns:
        The direction, and whether it is seen in all steps.
    """
    flat = found.reshape(-1, 3)
    flat = flat[~np.isnan(flat).any(axis=1)]
    down, is_seen = np.array([0.0, 1.0, 0.0]), bool(len(flat))
    for degrees, times in GRAVITY_STAGES:
        for _ in range(times):
            along = abs(flat @ down)
            floor = flat[along > np.cos(np.radians(degrees))]
            wall = flat[along < np.sin(np.radians(degrees))]
            values, vectors = np.linalg.eigh(wall.T @ wall - floor.T @ floor)
            if values[1] - values[0] <= SEPARATED * len(flat):
                is_seen = False
                continue
            turned = vectors[:, 0]
            down = turned if turned @ down > 0 else -turned
    return Gravity(down, is_seen)


def heights(points: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Height of points above the lowest, or above a floor that is not seen.

    Args:
        points: Centimetres, float64 [H, W, 3].
        down: Unit vector, [3].

    Returns:
        Centimetres, float64 [H, W].
    """
    tilt = np.degrees(np.arccos(np.clip(down[1], -1, 1)))
    # getRMatrix.m turns the points upright by the shortest way: what is along y then
    # was along gravity before.
    above = -points @ (down if tilt > LEVEL else np.array([0.0, 1.0, 0.0]))
    lowest = above.min()
    return above - (lowest if lowest <= -FLOOR_SEEN else -FLOOR_ASSUMED)


def angles(found: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Angles of normals with gravity: floor 0, wall 90, ceiling 180 degrees.

    Args:
        found: Normals, float64 [H, W, 3].
        down: Unit vector, [3].

    Returns:
        Degrees, float64 [H, W]; `UNKNOWN_ANGLE` where there is no normal.
    """
    along = np.clip(found @ down, -1, 1)
    return np.where(np.isnan(along), UNKNOWN_ANGLE, np.degrees(np.arccos(along)))


def _bytes(values: np.ndarray) -> np.ndarray:
    """As MATLAB's uint8(): halves away from 0, and nothing beyond 0 to 255."""
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
