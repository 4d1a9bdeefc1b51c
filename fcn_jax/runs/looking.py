"""How a trained network looks at an image: whole, at a size, or by tiles."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable

import numpy as np

from fcn_jax.data import channels, transforms
from fcn_jax.data.photo_depth import DepthFolder
from fcn_jax.inference import tiled
from fcn_jax.inference.windows import Tiles
from fcn_jax.runs.predicted import Kinds, Result
from fcn_jax.runs.trained import TrainedNet

_MOST_PIXELS = 4_000_000  # Of an image that is seen whole, unless that is asked for.
_LEAST_SIDE = 256  # A narrower image costs as if it had it, by what nets pad.
_TILE = 1024


@dataclasses.dataclass(frozen=True)
class Options(Kinds):
    """What is made of an image, and how it is looked at.

    Attributes:
        size: Longer side at which the network sees an image, pixels; 0: its own.
        tile: Side of the tiles by which images beyond it are seen, pixels; 0: all are
            seen whole; None: 1024 for images above 4 million pixels.
        overlap: The least share of a tile that lies in the next.
        depth: That lies beside photographs; None: the network sees colours.

    Raises:
        ValueError: If one has no sense.
    """

    size: int = 0
    tile: int | None = None
    overlap: float = 0.25
    depth: DepthFolder | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.size < 0 or (self.tile or 0) < 0:
            raise ValueError(
                f"size={self.size}, tile={self.tile}: sides are pixels, or 0 for none."
            )
        Tiles(self.tile or _TILE, self.overlap)  # It knows what an overlap is.

    def tiles(self, height: int, width: int) -> Tiles | None:
        """The tiles by which an image is seen; None: it is seen whole.

        Args:
            height: Of the image, pixels.
            width: Likewise.
        """
        if self.tile is None:
            sides = (max(height, _LEAST_SIDE), max(width, _LEAST_SIDE))
            large = sides[0] * sides[1] > _MOST_PIXELS
        else:
            large = 0 < self.tile < max(height, width)
        return Tiles(self.tile or _TILE, self.overlap) if large else None


def looked_at(
    net: TrainedNet,
    image: np.ndarray,
    options: Options,
    progress: Callable[[float], object],
) -> Result:
    """What the network says of an image: at a size, by tiles, or as it is.

    Args:
        net: The network.
        image: uint8 RGB [H, W, 3], or what the network sees with depth.
        options: How it is looked at.
        progress: Is told the share that is done, of an image by tiles.

    Raises:
        ValueError: If it has several heads, and probabilities are needed.
    """
    size = (image.shape[0], image.shape[1])
    whole = options.tiles(*size) is None and not options.size
    if whole and not options.probs:
        labels = net.predict(image)
        assert not isinstance(labels, list)  # It was one image.
        return Result(labels if isinstance(labels, dict) else {"": labels})
    return _of_strips(net, size, options, strips(net, image, options, progress))


def strips(
    net: TrainedNet,
    image: np.ndarray,
    options: Options,
    progress: Callable[[float], object] = lambda _: None,
) -> Iterable[tiled.Strip]:
    """Class probabilities of an image, seen at a size, by tiles, or as it is.

    Args:
        net: The network; it has one head.
        image: uint8 RGB [H, W, 3], or what the network sees with depth.
        options: How it is looked at.
        progress: Is told the share of the tiles that is done.

    Returns:
        Strips of it from the top; see `tiled.probs`.
    """
    size = (image.shape[0], image.shape[1])
    if options.size:
        small = transforms.scaled_size(size, options.size / max(size))
        known = channels.of(options.depth.inputs) if options.depth else None
        image = transforms.resize_image(image, small, channels=known)
    seen = (image.shape[0], image.shape[1])
    tiles = options.tiles(*seen)
    if tiles is None:
        found: Iterable[tiled.Strip] = [(0, _probs(net, image))]
    else:
        found = tiled.probs(image, _asked(net, seen, tiles, progress), tiles)
    return tiled.resized(found, seen, size) if options.size else found


def _asked(
    net: TrainedNet,
    size: tuple[int, int],
    tiles: Tiles,
    progress: Callable[[float], object],
) -> Callable[[np.ndarray], np.ndarray]:
    """What says the class probabilities of a tile, and how far it is."""
    count = tiles.max_windows(size)
    number = itertools.count(1)

    def ask(tile: np.ndarray) -> np.ndarray:
        found = _probs(net, tile)
        progress(next(number) / count)
        return found

    return ask


def _probs(net: TrainedNet, image: np.ndarray) -> np.ndarray:
    """Class probabilities of an image, float32 [H, W, C].

    Raises:
        ValueError: If the network has several heads.
    """
    if len(net.heads) > 1:
        raise ValueError(
            f"tiles, sizes and probabilities are for networks with one head; this one "
            f"has {', '.join(head.name for head in net.heads)}: choose one with "
            f"--head={net.heads[0].name}, or leave them out (--tile=0 for large ones)."
        )
    found = net.predict_probs(image)
    assert isinstance(found, np.ndarray)  # It was one image.
    return found


def _of_strips(
    net: TrainedNet,
    size: tuple[int, int],
    options: Options,
    strips: Iterable[tiled.Strip],
) -> Result:
    """Labels of strips of probabilities, and these too if they are asked for."""
    labels, head = np.empty(size, np.uint8), net.heads[0]
    kept = np.empty((*size, head.num_classes), np.float16) if options.probs else None
    for row, strip in strips:
        labels[row : row + len(strip)] = strip.argmax(-1)
        if kept is not None:
            kept[row : row + len(strip)] = strip
    return Result({head.name: labels}, kept)
