"""Bbox-Seg: labels out of boxes, by the dense CRF, before anything is learned.

Outside of all boxes pixels are background, the centre of a box is of its class, and the
CRF decides between the boxes over a pixel and the background for what is left.

References:
    Papandreou, Chen, Murphy and Yuille 2015, arXiv:1502.02734, sec. 3.2. The text
    fixes centres; a later script of deeplab-public gives them a probability of 0.75
    (TransformSegToProb.m). This is the text's.
"""

import re
import zlib
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from fcn_jax import crf
from fcn_jax.crf.parameters import Numbers
from fcn_jax.data.weak import boxes as weak_boxes
from fcn_jax.data.weak import centres
from fcn_jax.storage import array_cache

_REVISION = 1  # Counted up when the labels of the same boxes change.
_LEAST = 1e-12  # Probability of what is ruled out; TransformSegToProb.m.
_STEP = 16  # Sides are padded to its multiples: each size is compiled, and so is
_LEAST_CLASSES = 4  # each number of classes: they are padded to a power of two.
_MOST_PADDING = 3.0  # Canvas over image, pixels; beyond it an image has its own.
# Vertices of the lattice, a pixel: what most images need, and what always suffices.
_ROOM = (2, 6)
_KEEP = 1  # Of zlib: the quickest; maps of labels become small anyway.


class BoxSegments:
    """Makes labels of boxes, each image once.

    Args:
        parameters: Of the CRF; see `crf.get_parameters`.
        centre: Share of a box that is of its class for certain.
        canvas: (H, W) that images are padded to, so that one size is compiled, unless
            they are much smaller or larger; None: each has its own.
        cache_dir: Where labels are kept, a file an image; None: in memory.

    Raises:
        ValueError: If the parameters are not known, or the share is none.
    """

    def __init__(
        self,
        parameters: str = "wssl",
        *,
        centre: float = 0.2,
        canvas: tuple[int, int] | None = None,
        cache_dir: str | Path | None = None,
    ):
        self._numbers, self._centre = crf.get_parameters(parameters), centre
        self._canvas = canvas
        centres.centre(np.array([1, 0, 0, 1, 1]), centre)  # Raises on a wrong share.
        self._key = array_cache.digest(_REVISION, self._numbers, centre)
        self._folder = Path(cache_dir).expanduser() if cache_dir else None
        self._kept: dict[str, bytes] = {}

    def __call__(self, image: np.ndarray, boxes: np.ndarray, name: str) -> np.ndarray:
        """The labels of an image, made where they are not kept.

        Args:
            image: uint8 RGB [H, W, 3].
            boxes: int32 [K, 5]: class, row0, col0, row1, col1.
            name: Its id.

        Returns:
            uint8 [H, W].
        """

        def make() -> dict[str, np.ndarray]:
            found = segment(
                image,
                boxes,
                parameters=self._numbers,
                centre=self._centre,
                canvas=self._canvas,
            )
            return {"labels": found}

        digest = array_cache.digest(self._key, name, image, boxes)
        if self._folder is not None:
            readable = re.sub(r"[^\w.-]", "_", name)
            path = self._folder / f"{readable}-{digest}.npz"
            return array_cache.cached(path, make, ("labels",))["labels"]
        if digest not in self._kept:
            self._kept[digest] = zlib.compress(make()["labels"].tobytes(), _KEEP)
        flat = np.frombuffer(zlib.decompress(self._kept[digest]), np.uint8)
        return flat.reshape(image.shape[:2])


def segment(
    image: np.ndarray,
    boxes: np.ndarray,
    *,
    parameters: Numbers | None = None,
    centre: float = 0.2,
    canvas: tuple[int, int] | None = None,
) -> np.ndarray:
    """Labels that agree with boxes, by the colours in them.

    Args:
        image: uint8 RGB [H, W, 3].
        boxes: int32 [K, 5]: class, row0, col0, row1, col1.
        parameters: Of the CRF; None: those published for it, `PARAMETERS["wssl"]`.
        centre: Share of a box that is of its class for certain.
        canvas: As of `BoxSegments`; it makes no difference to the labels.

    Returns:
        uint8 [H, W]: classes of boxes and background.
    """
    size = (image.shape[0], image.shape[1])
    known = centres.known_by(boxes, size, centre)
    if not (known == centres.UNKNOWN).any():
        return known
    classes = np.unique(np.append(boxes[:, 0], 0))  # Background first, then ascending.
    every = weak_boxes.covering(boxes, size, int(classes[-1]) + 1)
    allowed = every[..., classes]  # [H, W, K]
    numbers = crf.PARAMETERS["wssl"] if parameters is None else parameters
    unary = _unary(known, allowed, classes)
    probs = _mean_field(image, unary, numbers, _padded(size, canvas))
    best = np.where(allowed, probs[..., : len(classes)], -1.0).argmax(axis=-1)
    found = classes[best].astype(np.uint8)
    return np.where(known == centres.UNKNOWN, found, known)


def _unary(known: np.ndarray, allowed: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """What each class costs each pixel, [H, W, K or more] float32, nats."""
    certain = known[..., None] == classes
    open_ = (known == centres.UNKNOWN)[..., None]
    shares = allowed / allowed.sum(axis=-1, keepdims=True)
    probs = np.where(open_, shares, certain)
    room = max(_LEAST_CLASSES, 1 << (len(classes) - 1).bit_length())
    probs = np.pad(probs, ((0, 0), (0, 0), (0, room - len(classes))))
    return -np.log(np.maximum(probs, _LEAST)).astype(np.float32)


def _padded(size: tuple[int, int], canvas: tuple[int, int] | None) -> tuple[int, int]:
    """What an image of a size is padded to: the canvas, where that is no waste."""
    height, width = size
    if canvas is not None:
        fits = height <= canvas[0] and width <= canvas[1]
        if fits and canvas[0] * canvas[1] <= _MOST_PADDING * height * width:
            height, width = canvas
    return height + -height % _STEP, width + -width % _STEP


def _mean_field(
    image: np.ndarray, unary: np.ndarray, numbers: Numbers, canvas: tuple[int, int]
) -> np.ndarray:
    """Probabilities of the classes of an image, [H, W, K], padded on the way."""
    height, width = image.shape[:2]
    beyond = ((0, canvas[0] - height), (0, canvas[1] - width), (0, 0))

    def run(room: int) -> np.ndarray:
        probs = crf.mean_field(
            jnp.asarray(np.pad(unary, beyond))[None],
            jnp.asarray(np.pad(image, beyond))[None],
            sizes=jnp.asarray([[height, width]], jnp.int32),
            capacity=room * canvas[0] * canvas[1],
            **numbers,
        )
        return np.asarray(probs[0])[:height, :width]

    try:
        return run(_ROOM[0])
    except ValueError:  # It needs more vertices.
        return run(_ROOM[1])
