"""What the channels of an image are: colours, HHA, depth; how each is resized, filled.

Pixels of colours and of HHA are resized bilinearly. Between two depths there is none
in most cases, only the edge of a thing: depth is taken from the nearest pixel. What is
uncovered, turned in or filled up has the mean of a channel, so that it is near zero
once the mean is taken off.
"""

import dataclasses

import numpy as np

from fcn_jax.data import depth

# The mean colour of ImageNet, rounded: what lies outside an image.
MEAN_COLOUR = (123, 117, 104)
MEAN_GREY = 117  # Its luminance, for images without colours.
# The mean of HHA over NYUDv2 (fcn.berkeleyvision.org, nyud_layers.py), rounded.
MEAN_HHA = (132, 94, 118)
COLOURS, HHA, DEPTH = "rgb", "hha", "d"


@dataclasses.dataclass(frozen=True)
class Channels:
    """The channels of an image.

    Attributes:
        letters: One each, as `contracts.Source.channels`; "grey" is one channel.
        fill: Of each, where an image is not; in the image's own unit.
    """

    letters: str
    fill: tuple[float, ...]

    @property
    def has_colours(self) -> bool:
        """Whether the first channels are colours, or grey."""
        return not self.letters.startswith(HHA)

    @property
    def to_nearest(self) -> tuple[bool, ...]:
        """Of each, whether it is resized to nearest."""
        return tuple(
            self.letters != "grey" and letter == DEPTH
            for letter in self.letters[: len(self.fill)]
        )


def of(letters: str) -> Channels:
    """The channels of a source's images.

    Args:
        letters: As `contracts.Source.channels`: "rgb", "grey", "rgbd" (whose depth is
            `depth.to_log`), "hha", "rgbhha"; others are filled with 0.
    """
    if letters == "grey":
        return Channels(letters, (MEAN_GREY,))
    fill: list[float] = []
    rest = letters
    while rest:
        for name, values in (
            (COLOURS, MEAN_COLOUR),
            (HHA, MEAN_HHA),
            (DEPTH, (depth.MEAN_LOG,)),
        ):
            if rest.startswith(name):
                fill += values
                rest = rest[len(name) :]
                break
        else:
            fill.append(0)
            rest = rest[1:]
    return Channels(letters, tuple(fill))


def counted(count: int) -> Channels:
    """The channels of an image of which only their number is known.

    Args:
        count: 1 is grey, the first three of more are colours.
    """
    if count < 3:
        return Channels("?" * count, (MEAN_GREY,) * count)
    return Channels("rgb" + "?" * (count - 3), (*MEAN_COLOUR, *(0,) * (count - 3)))


def filling(channels: Channels | None, like: np.ndarray) -> np.ndarray:
    """The pixel that is put where an image is not, [channels], of its dtype.

    Args:
        channels: Of the image; None: only their number is known.
        like: The image, [H, W, channels].
    """
    known = channels or counted(like.shape[2])
    fill = np.asarray(known.fill)
    return (np.rint(fill) if like.dtype == np.uint8 else fill).astype(like.dtype)
