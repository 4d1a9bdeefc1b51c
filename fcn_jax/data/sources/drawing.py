"""Pictures of textured, shaded, overlapping shapes, and what is where in them.

The background is greyish, objects are vivid. Hue says nothing about the class; form
does, and texture mostly does. `draw` scatters shapes, whose textures are equally fine
in all sizes. `draw_any_size` draws things near and far, the larger behind: the ellipse
around each fits a box of 2 % to 90 % of the image, and its texture grows with it, so
that no window of one size shows them all.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from fcn_jax.data import label_sets

CLASSES = label_sets.SHAPES
VOID = 255

_HEIGHTS = (80, 112)  # Pixels, both ends included.
_WIDTHS = (96, 144)
_OBJECTS = (3, 5)
_RADII = (11.0, 40.0)  # Log-uniform: as many small objects as large ones.
_ANY_SIZE_OBJECTS = (2, 4)
_SHARES = (0.02, 0.9)  # Of the image, of the box of an object's ellipse; log-uniform.
_STRETCH = 1.25  # Most by which a box is wider, or higher, than the image's form.
_TYPICAL_RADIUS = 21.0  # At which textures that grow are as fine as those of `draw`.
_FINEST = 0.4  # Of textures that grow, against `draw`: two pixels a period.
_TURN = np.pi / 8  # Largest rotation either way.
_SUBPIXELS = 2  # Along each axis, for smooth outlines.
_TEXTURES = ("checks", "stripes", "plain", "clouds", "speckles", "dots")  # By class.
_TYPICAL = 0.95  # Share of the objects with the texture of their class.
_CONTRAST = (25.0, 60.0)  # Of textures, RGB distance of the extremes from the mean.
_NOISE = 4.0  # Standard deviation of the sensor, of 255.


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One generated example.

    Attributes:
        image: uint8 RGB [H, W, 3].
        labels: uint8 [H, W]: class, or 255 on the outlines.
        objects: uint8 [H, W]: 0 background, 1, 2, ... instances, 255 on the outlines.
    """

    image: np.ndarray
    labels: np.ndarray
    objects: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where an object is drawn, in pixels.

    Attributes:
        row: Of its centre.
        column: Of its centre.
        radii: Of its circumscribed ellipse, down and across.
        turn: Radians, before it is stretched to the ellipse.
        scale: Of its texture; 1: as in `draw`.
    """

    row: float
    column: float
    radii: tuple[float, float]
    turn: float
    scale: float = 1.0


def draw(rng: np.random.Generator) -> Drawing:
    """Draw a scene; equal for equal generators."""
    canvas = _background(rng)

    def scattered():
        for _ in range(int(rng.integers(_OBJECTS[0], _OBJECTS[1] + 1))):
            label = int(rng.integers(1, len(CLASSES)))
            yield label, _scattered(rng, canvas.shape)

    return _painted(rng, canvas, scattered())


def draw_any_size(rng: np.random.Generator) -> Drawing:
    """Draw a scene of things near and far; equal for equal generators."""
    canvas = _background(rng)
    count = int(rng.integers(_ANY_SIZE_OBJECTS[0], _ANY_SIZE_OBJECTS[1] + 1))
    least, most = np.log(_SHARES)
    shares = np.exp(rng.uniform(least, most, count))
    placed = [
        (int(rng.integers(1, len(CLASSES))), _framed(rng, canvas.shape, share))
        for share in -np.sort(-shares)
    ]
    return _painted(rng, canvas, placed)


def _background(rng: np.random.Generator):
    """The canvas before anything is painted on it, [H, W, 3]."""
    height = int(rng.integers(_HEIGHTS[0], _HEIGHTS[1] + 1))
    width = int(rng.integers(_WIDTHS[0], _WIDTHS[1] + 1))
    grey = rng.uniform(50, 200) + rng.uniform(-12, 12, 3)
    return _surface(rng, (height, width), grey, "gradient")


def _scattered(rng: np.random.Generator, shape: tuple[int, ...]):
    """A place whose centre is inside, so that at least a good part can be seen."""
    radius = float(np.exp(rng.uniform(*np.log(_RADII))))
    row, column = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
    return _Place(row, column, (radius, radius), rng.uniform(-_TURN, _TURN))


def _framed(rng: np.random.Generator, shape: tuple[int, ...], share: float):
    """A place wholly inside, the box of whose ellipse has a share of the image."""
    side = np.sqrt(share)
    most = min(_STRETCH, 1 / side)
    stretch = np.exp(rng.uniform(-np.log(most), np.log(most)))
    radii = (shape[0] * side / stretch / 2, shape[1] * side * stretch / 2)
    row, column = (
        float(rng.uniform(radius, length - radius))
        for radius, length in zip(radii, shape, strict=False)
    )
    scale = max(_FINEST, float(np.sqrt(radii[0] * radii[1])) / _TYPICAL_RADIUS)
    return _Place(row, column, radii, rng.uniform(-_TURN, _TURN), scale)


def _painted(
    rng: np.random.Generator, canvas: np.ndarray, placed: Iterable[tuple[int, _Place]]
):
    """The drawing of (label, place) on a canvas, the later over the earlier."""
    objects = np.zeros(canvas.shape[:2], np.uint8)
    class_of = [0]
    for number, (label, place) in enumerate(placed, start=1):
        class_of.append(label)
        _paint(rng, canvas, objects, number, label, place)
    labels = np.array(class_of, np.uint8)[objects]
    outline = _outlines(objects)
    labels[outline] = VOID
    objects[outline] = VOID
    canvas += rng.normal(0, _NOISE, canvas.shape)
    return Drawing(np.clip(canvas, 0, 255).astype(np.uint8), labels, objects)


def covers(label: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points lie in a shape of circumradius 1 around the origin, bool.

    Args:
        label: Of a class, 1 to 6.
        u: To the right, floating, any shape.
        v: Down, of a shape that broadcasts with `u`.

    Raises:
        ValueError: If the label is of no shape.
    """
    radius = np.hypot(u, v)
    match CLASSES[label]:
        case "disc":
            return radius < 0.95
        case "square":
            return np.maximum(abs(u), abs(v)) < 0.78
        case "triangle":
            angles = np.pi * (0.5 + 2 / 3 * np.arange(3))
            sides = [u * np.cos(a) + v * np.sin(a) for a in angles]
            return np.max(sides, axis=0) < 0.5
        case "star":
            return radius < _star_radius(np.arctan2(v, u))
        case "ring":
            return (radius > 0.55) & (radius < 1)
        case "cross":
            thin, long = np.minimum(abs(u), abs(v)), np.maximum(abs(u), abs(v))
            return (thin < 0.28) & (long < 0.95)
        case other:
            raise AssertionError(f"no shape is drawn for {other}")


def _star_radius(angle: np.ndarray, inner: float = 0.42) -> np.ndarray:
    """Distance of a five-pointed star's edge from its centre, by direction."""
    sector = np.pi / 5
    within = abs((angle + sector) % (2 * sector) - sector)  # From the nearest tip.
    # The straight edge from the tip (radius 1) to the notch (radius inner).
    return inner * np.sin(sector) / (inner * np.sin(sector - within) + np.sin(within))


def _paint(
    rng: np.random.Generator,
    canvas: np.ndarray,
    objects: np.ndarray,
    number: int,
    label: int,
    place: _Place,
):
    """Draw one object over what is there."""
    height, width = objects.shape
    down, across = place.radii
    top, left = (
        max(0, int(place.row - down) - 1),
        max(0, int(place.column - across) - 1),
    )
    bottom = min(height, int(place.row + down) + 2)
    right = min(width, int(place.column + across) + 2)
    shape = (bottom - top, right - left)
    offsets = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS
    y = (np.arange(top, bottom)[:, None] + offsets).reshape(-1, 1) - place.row
    x = (np.arange(left, right)[:, None] + offsets).reshape(1, -1) - place.column
    radius = down if down == across else np.sqrt(down * across)
    y, x = y * (radius / down), x * (radius / across)  # As of a circle.
    cosine, sine = np.cos(place.turn), np.sin(place.turn)
    u = (cosine * x + sine * y) / radius
    v = (cosine * y - sine * x) / radius
    inside = covers(label, u, v).reshape(shape[0], _SUBPIXELS, shape[1], _SUBPIXELS)
    coverage = inside.mean(axis=(1, 3))[:, :, None]
    light = rng.uniform(0, 2 * np.pi)
    lit = np.cos(light) * x[:, ::_SUBPIXELS] + np.sin(light) * y[::_SUBPIXELS]
    shade = 1 + 0.3 * (lit / radius)[:, :, None]
    colour, texture = _vivid(rng), _texture(rng, label)
    surface = _surface(rng, shape, colour, texture, place.scale) * shade
    window = canvas[top:bottom, left:right]
    window += coverage * (surface - window)
    seen = objects[top:bottom, left:right]
    seen[coverage[:, :, 0] > 0.5] = number


def _surface(
    rng: np.random.Generator,
    shape: tuple[int, int],
    colour: np.ndarray,
    kind: str,
    scale: float = 1.0,
):
    """A surface around a colour, its texture so many times as coarse, [h, w, 3]."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / np.float32(scale)
    angle, period = rng.uniform(0, np.pi), rng.uniform(5, 8)
    along = 2 * np.pi / period * (np.cos(angle) * x + np.sin(angle) * y)
    across = 2 * np.pi / period * (np.cos(angle) * y - np.sin(angle) * x)
    match kind:
        case "gradient":
            pattern = along / (np.ptp(along) + 1) * 2
            pattern -= pattern.mean()
        case "stripes":
            pattern = np.sin(along)
        case "checks":
            pattern = np.sign(np.sin(along) * np.sin(across))
        case "dots":
            pattern = 2.0 * (np.cos(along) * np.cos(across) > 0.35) - 0.5
        case "clouds":
            waves = rng.uniform((-0.35, -0.35, 0), (0.35, 0.35, 2 * np.pi), (4, 3))
            pattern = np.sum([np.sin(a * x + b * y + c) for a, b, c in waves], 0) / 2
        case "speckles":
            rows, columns = ((np.arange(n) / max(1, scale)).astype(int) for n in shape)
            pattern = rng.choice((-1.0, 1.0), shape)[rows[:, None], columns]
        case _:
            pattern = np.zeros(shape)  # "plain".
    tint = rng.uniform(-1, 1, 3)
    tint *= rng.uniform(*_CONTRAST) / np.linalg.norm(tint)
    return colour + pattern[:, :, None] * tint


def _texture(rng: np.random.Generator, label: int):
    """The kind of surface of an object: mostly that of its class."""
    if rng.random() < _TYPICAL:
        return _TEXTURES[label - 1]
    return _TEXTURES[rng.integers(len(_TEXTURES))]


def _vivid(rng: np.random.Generator):
    """A saturated colour of any hue."""
    value, saturation = rng.uniform(120, 235), rng.uniform(0.5, 1)
    weights = np.zeros(3)
    high, middle = rng.permutation(3)[:2]
    weights[high], weights[middle] = 1, rng.random()
    return value * (1 - saturation * (1 - weights))


def _outlines(objects: np.ndarray):
    """A line of one pixel wherever two things meet, bool."""
    edge = np.zeros(objects.shape, bool)
    edge[:-1] |= objects[:-1] != objects[1:]
    edge[:, :-1] |= objects[:, :-1] != objects[:, 1:]
    return edge
