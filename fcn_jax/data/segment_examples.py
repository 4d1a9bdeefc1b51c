"""Examples of segments: whole images with proposed masks, and what class each has.

An example is an image with objects; what is drawn of its segments whenever it is asked
for says `fcn_jax.data.segments`. Overlap is that of the segments' own areas, not of
their boxes.

References:
    Dai, He and Sun 2015, arXiv:1412.1283, sec. 3.3 and 4.2.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fcn_jax.data import objects, segments
from fcn_jax.data.contracts import Item, Source
from fcn_jax.data.crops import Examples
from fcn_jax.data.regions import NOTHING
from fcn_jax.proposals import candidates as masks
from fcn_jax.proposals import pursuit
from fcn_jax.proposals.candidates import Candidates
from fcn_jax.proposals.projection import Cells


class SegmentExamples(Examples):
    """Every image of a source that has objects, with the segments that may be drawn.

    Items have `segments` (`segments.Segments`) beside `image`, `labels` and `id`. The
    objects' own masks are segments too.

    Args:
        base: A source; objects are those of its object masks or, where there are none,
            connected parts of a class. Class 0 is background. An image without objects
            gives no example.
        candidates_of: Item -> its proposed segments.
        cells: Of the network's last map.
        sampling: How segments are drawn.
        min_area: See `objects.find_objects`.
        tolerance: See `objects.find_objects`.
        cache_dir: Where the index is kept; None: nowhere.

    Attributes:
        index: int32 [N, 7]; of each example its image stands first.

    Raises:
        ValueError: As `objects.find_objects`, or if no image has an object.
    """

    kind = "images with objects"
    hint = "lower min_area, or check the masks: images without objects give none"

    def __init__(
        self,
        base: Source,
        candidates_of: Callable[[Item], Candidates],
        cells: Cells,
        sampling: segments.Sampling | None = None,
        *,
        min_area: int = 100,
        tolerance: float = 0.1,
        cache_dir: str | Path | None = None,
    ):
        self._candidates_of, self._cells = candidates_of, cells
        self._sampling = sampling or segments.Sampling()
        super().__init__(
            base,
            min_area=min_area,
            tolerance=tolerance,
            balance=1,
            cache_dir=cache_dir,
            key=("whole images",),
        )

    def _entries(self, item: Item, where: str) -> np.ndarray:
        found = len(self._find(item, self.classes, where)) > 0
        size = item["labels"].shape
        return np.array([(0, 0, 0, 0, *size)] * found, np.int32).reshape(-1, 6)

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]: those of the whole images."""
        return self._base.image_sizes()[self.index[:, 0]]

    def __getitem__(self, place: int) -> Item:
        """An example.

        Raises:
            IndexError: If there is none.
            ValueError: If the segments are of an image of another size, or none
                overlaps an object; naming the image.
        """
        item = self._base[self._row(place)[0]]
        where = f"{self._base.name} {self._base.split}: {item['id']}"
        proposed = self._candidates_of(item)
        segments.check_size(proposed, item["labels"].shape, where)
        found = self._find(item, self.classes, where)
        own = objects.object_map(item, self.ignore_label)
        own = np.where(np.isin(own, found[:, 0]), own, 0)
        truth = masks.from_masks(own[None] == found[:, 0, None, None])
        overlap = segments.overlaps(proposed, own, item["labels"] != self.ignore_label)
        if not overlap[:, found[:, 0]].any():
            raise ValueError(
                f"{where}: none of {len(proposed)} proposed segments overlaps one of "
                f"its {len(found)} objects; check that they are of this image, or take "
                f"another method (config.data.objects.proposal_method)."
            )
        both = masks.join([proposed, truth])
        overlap = segments.overlaps(both, own, item["labels"] != self.ignore_label)
        labels = self._labels(
            both, overlap[:, found[:, 0]], found[:, 1], item["labels"]
        )
        left = labels != NOTHING
        return {
            **item,
            "segments": segments.Segments(
                Candidates(both.regions, both.member[left]),
                labels[left],
                self._cells,
                self._sampling,
            ),
        }

    def _labels(
        self,
        candidates: Candidates,
        overlap: np.ndarray,
        classes: np.ndarray,
        labels: np.ndarray,
    ) -> np.ndarray:
        """The class of each segment, int32 [N]; `NOTHING` of those in between.

        Args:
            candidates: N of them.
            overlap: With each object, [N, K].
            classes: Of the objects, [K].
            labels: Of the pixels, [H, W].
        """
        sampling = self._sampling
        things = ~np.isin(classes, sampling.stuff)
        most = np.max(overlap[:, things], axis=1, initial=0.0)
        found = np.full(len(candidates), NOTHING, np.int32)
        found[_in(most, sampling.negative_iou)] = objects.BACKGROUND
        if things.any():
            nearest = classes[things][np.argmax(overlap[:, things], axis=1)]
            hit = _in(most, sampling.positive_iou)
            found[hit] = nearest[hit]
        pure = {
            label: pursuit.purity(candidates, labels == label)
            for label in sampling.stuff
            if (labels == label).any()
        }
        if pure:
            purest = np.max([*pure.values()], axis=0)
            clash = purest >= pursuit.IMPURE
            found[(found == objects.BACKGROUND) & clash] = NOTHING
            if not things.any():
                found[(found == NOTHING) & ~clash & (purest > 0)] = objects.BACKGROUND
        for label, purity in pure.items():
            found[(purity > pursuit.PURE) & (found <= objects.BACKGROUND)] = label
        return found


def _in(values: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    return (values >= span[0]) & (values <= span[1])
