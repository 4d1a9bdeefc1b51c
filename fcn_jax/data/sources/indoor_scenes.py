"""Rooms that nobody built: planes and boxes, seen by a camera that is tilted.

Everything in a scene has about the same colour, and boxes of all classes the same
footprints: a table, a bed and a cabinet differ in how high they are, and a floor, a
wall and a ceiling in how they lie. Depth says so, colours hardly do.
"""

import dataclasses

import numpy as np

from fcn_jax.data import hha, label_sets

CLASSES = label_sets.INDOOR
SIZE = (96, 128)
CAMERA = hha.Camera(112.0, 112.0, 64.5, 48.5)
# Half the sides of the windows of HHA, for images a quarter as wide as NYUDv2's.
WINDOWS = (2, 6)

# Metres and degrees, drawn evenly between the two.
_EYE = (1.1, 1.7)  # Height of the camera.
_PITCH = (-5.0, 25.0)  # Down.
_ROLL = (-8.0, 8.0)
_CEILING = (2.3, 2.9)
_ROOM = (3.0, 6.0)  # Width, and length in front of the camera.
_FOOTPRINT = (0.7, 1.6)
_BOXES = (2, 5)  # In a room.
_TOPS = {"bed": (0.35, 0.5), "table": (0.7, 0.8), "cabinet": (1.3, 2.0)}
_FREE = 1.1  # Around the camera, so that it stands in no box.
_TINT = 14.0  # Of 255, by which surfaces of a scene differ in colour.
_SHADE = 0.12  # Share by which faces differ in brightness.
_NOISE = 6.0  # Standard deviation of the sensor, of 255.
_DEPTH_NOISE = 0.004  # Of depth, as a share.


@dataclasses.dataclass(frozen=True)
class Scene:
    """One generated example.

    Attributes:
        image: uint8 RGB [H, W, 3].
        depth: Metres along the camera's axis, float32 [H, W].
        labels: uint8 [H, W].
        down: Where gravity points, in the camera's axes, float64 [3].
    """

    image: np.ndarray
    depth: np.ndarray
    labels: np.ndarray
    down: np.ndarray


def draw(rng: np.random.Generator) -> Scene:
    """Draw a scene; equal for equal generators."""
    axes = _camera_axes(*np.radians((rng.uniform(*_PITCH), rng.uniform(*_ROLL))))
    rays = _rays() @ axes  # In axes of the room: right, down, forward.
    eye = rng.uniform(*_EYE)
    width, length = rng.uniform(*_ROOM, size=2)
    right = width * rng.uniform(0.25, 0.75)
    low = np.array([right - width, eye - rng.uniform(*_CEILING), -0.3])
    high = np.array([right, eye, length])
    depth, face = _inside(rays, low, high)
    labels = np.array([0, 0, 2, 1, 0, 0], np.uint8)[face]
    surface = face.copy()
    for number in range(int(rng.integers(*_BOXES, endpoint=True))):
        label, low, high, turn = _box(rng, (right - width, right), length, eye)
        there, side = _outside(rays @ turn, low, high)
        nearer = there < depth
        depth = np.where(nearer, there, depth)
        labels[nearer] = label
        surface = np.where(nearer, 6 * (number + 1) + side, surface)
    image = _painted(rng, surface)
    depth = depth * (1 + rng.normal(0, _DEPTH_NOISE, SIZE))
    return Scene(image, depth.astype(np.float32), labels, axes[:, 1])


def _rays() -> np.ndarray:
    """The direction of every pixel, its part along the camera's axis 1, [H, W, 3]."""
    return hha.point_cloud(np.full(SIZE, 0.01), CAMERA)


def _camera_axes(pitch: float, roll: float) -> np.ndarray:
    """The axes of the room in columns, as the camera has them."""
    p, r = (np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in
            (pitch, roll))  # fmt: skip
    tilted, leaning = np.eye(3), np.eye(3)
    tilted[1:, 1:], leaning[:2, :2] = p, r
    return leaning @ tilted


def _slabs(rays: np.ndarray, low: np.ndarray, high: np.ndarray):
    """Where rays meet the planes of a box, from the camera at 0: first and last."""
    with np.errstate(divide="ignore"):
        a, b = low / rays, high / rays
    return np.minimum(a, b), np.maximum(a, b), np.where(rays < 0, 0, 1)


def _inside(rays: np.ndarray, low: np.ndarray, high: np.ndarray):
    """Distance and face (2 axis + side) at which rays leave a box around the camera."""
    _, last, side = _slabs(rays, low, high)
    axis = last.argmin(axis=-1)
    side = np.take_along_axis(side, axis[..., None], -1)[..., 0]
    return last.min(axis=-1), 2 * axis + side


def _outside(rays: np.ndarray, low: np.ndarray, high: np.ndarray):
    """Distance and face at which rays enter a box; infinite where they miss it."""
    first, last, side = _slabs(rays, low, high)
    axis = first.argmax(axis=-1)
    side = np.take_along_axis(side, axis[..., None], -1)[..., 0]
    distance, end = first.max(axis=-1), last.min(axis=-1)
    hit = (distance < end) & (distance > 0)
    return np.where(hit, distance, np.inf), 2 * axis + 1 - side


def _box(
    rng: np.random.Generator, across: tuple[float, float], length: float, eye: float
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Label, corners in its own axes, and these axes, of a box on the floor."""
    name = list(_TOPS)[rng.integers(len(_TOPS))]
    half = rng.uniform(*_FOOTPRINT, size=2) / 2
    x, z = rng.uniform(*across), rng.uniform(_FREE + 0.3, length)
    turn = rng.uniform(-np.pi / 4, np.pi / 4)
    # Its corner is never nearer than the room that the camera needs.
    z = max(z, _FREE + float(np.hypot(*half)))
    cosine, sine = np.cos(turn), np.sin(turn)
    axes = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    middle = np.array([x, 0, z]) @ axes
    top = eye - rng.uniform(*_TOPS[name])
    low = np.array([middle[0] - half[0], top, middle[2] - half[1]])
    high = np.array([middle[0] + half[0], eye, middle[2] + half[1]])
    return CLASSES.index(name), low, high, axes


def _painted(rng: np.random.Generator, surface: np.ndarray) -> np.ndarray:
    """An image whose surfaces have nearly one colour, uint8 RGB [H, W, 3]."""
    count = int(surface.max()) + 1
    colour = rng.uniform(80, 190, 3)
    tints = rng.uniform(-_TINT, _TINT, (count, 3))
    shades = 1 + rng.uniform(-_SHADE, _SHADE, (count, 1))
    image = ((colour + tints) * shades)[surface]
    rows, columns = np.mgrid[-1 : 1 : SIZE[0] * 1j, -1 : 1 : SIZE[1] * 1j]
    light = 1 + 0.15 * (rng.uniform(-1, 1) * rows + rng.uniform(-1, 1) * columns)
    image = image * light[..., None] + rng.normal(0, _NOISE, (*SIZE, 3))
    return np.clip(image, 0, 255).astype(np.uint8)
