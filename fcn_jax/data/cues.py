"""Images of which a network sees a part: the objects, what is around them, their shape.

References:
    Shelhamer et al. 2017, TPAMI 39(4), arXiv:1605.06211, table 8 ("The role of
    foreground, background, and shape cues").
"""

import numpy as np

from fcn_jax.data import transforms
from fcn_jax.data.contracts import Item, Source, heads_of

FOREGROUND, BACKGROUND, SHAPE = "foreground", "background", "shape"
CUES = ("", FOREGROUND, BACKGROUND, SHAPE)
_BACKGROUND = 0  # Its label, as in VOC.
_WHITE = 255  # The objects, where only their shape is seen.


def show(image: np.ndarray, labels: np.ndarray, cue: str, void: int) -> np.ndarray:
    """What a cue leaves of an image; the rest has the mean colour.

    Void pixels are never shown: nobody knows which side of an outline they are on.

    Args:
        image: uint8 or float32 [H, W, channels].
        labels: uint8 [H, W]; 0 is the background.
        cue: "foreground": pixels of objects; "background": pixels of none; "shape":
            objects are white, whatever they look like.
        void: The label of void pixels.

    Returns:
        An image of its own, of the same dtype.
    """
    known = labels != void
    objects = known & (labels != _BACKGROUND)
    shown = known & ~objects if cue == BACKGROUND else objects
    found = transforms.mean_coloured(image.shape[:2], image)
    if cue == SHAPE:
        found[..., :3][shown] = _WHITE
    else:
        found[shown] = image[shown]
    return found


class CueSource:
    """A source whose images show one cue; everything else is that of the source.

    Args:
        source: What is read from; with one head, whose first class is the background.
        cue: Of `CUES`, not "".

    Raises:
        ValueError: If the cue is unknown, or the source has no background.
    """

    def __init__(self, source: Source, cue: str):
        self._source, self._cue = source, cue
        self.name, self.split = source.name, source.split
        self.channels, self.heads = source.channels, source.heads
        if cue not in CUES[1:]:
            raise ValueError(
                f"cue {cue!r} is not known; use one of {', '.join(CUES[1:])}."
            )
        heads = heads_of(source)
        first = heads[0].classes[0] if heads[0].classes else ""
        if len(heads) > 1 or first != BACKGROUND:
            what = f"{len(heads)} heads" if len(heads) > 1 else f"{first!r} as class 0"
            raise ValueError(
                f"cue {cue!r} tells objects from the background, and {source.name} has "
                f"{what}; it needs one labelling whose class 0 is 'background', as "
                f"VOC's."
            )

    def __getattr__(self, name: str) -> object:
        if name == "_source":  # Of one that is being copied.
            raise AttributeError(name)
        return getattr(self._source, name)

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]."""
        return self._source.image_sizes()

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Item:
        item, void = self._source[index], self.heads[0].ignore_label
        return {**item, "image": show(item["image"], item["labels"], self._cue, void)}
