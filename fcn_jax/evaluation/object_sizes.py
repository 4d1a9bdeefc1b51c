"""Mean IU by the size of the objects: where a method helps, and where it does not.

The claim of Noh et al. (2015, sec. 4.4 and fig. 1) is that instance-wise inference
helps objects much smaller and much larger than the receptive field of a network. A
confusion matrix cannot show it: a wrong pixel belongs to no object. Here each true
object is scored within its own box, extended as DeconvNet extends boxes; pixels of
other objects of its class are ignored. Intersections and unions are summed over the
objects of a class and a size, and the quotients averaged over classes.
"""

from collections.abc import Sequence

import numpy as np

from fcn_jax.data import objects
from fcn_jax.data.batch import Batch
from fcn_jax.data.contracts import Labels, Source, first_labels, heads_of

SIZES = ("small", "medium", "large")
# Share of the image that an object fills, where small ends and where large begins.
BOUNDS = (0.02, 0.1)
EXTENSION = 1.2
_NO_CLASS = -1


class ObjectSizeIU:
    """Counts, object by object; memory does not grow with their number.

    Args:
        num_classes: Classes, background (0) included if there is one.
        bounds: Shares of the image at which medium and large begin.

    Raises:
        ValueError: If the bounds are not increasing shares.
    """

    def __init__(self, num_classes: int, bounds: Sequence[float] = BOUNDS):
        if not 0 < bounds[0] < bounds[1] < 1:
            raise ValueError(
                f"object size bounds {tuple(bounds)} are no increasing shares of an "
                f"image; give two numbers between 0 and 1, such as {BOUNDS}."
            )
        self.bounds = tuple(bounds)
        shape = (len(SIZES), num_classes)
        self.intersection = np.zeros(shape, np.int64)
        self.union = np.zeros(shape, np.int64)
        self.count = np.zeros(shape, np.int64)

    def add(self, labels: np.ndarray, objects: np.ndarray, pred: np.ndarray) -> None:
        """Count the objects of an image.

        Args:
            labels: True classes, [H, W] integer; what is no class is ignored.
            objects: Number of the object at every pixel, [H, W] integer; 0: none.
            pred: Predicted classes, [H, W] integer.
        """
        num_classes = self.count.shape[1]
        height, width = labels.shape
        known = (labels >= 0) & (labels < num_classes)
        for number in np.unique(objects[objects > 0]):
            own = objects == number
            classes = labels[own & known]
            if not classes.size:
                continue
            cls = int(np.bincount(classes).argmax())
            own &= labels == cls
            rows, columns = (_extended(own.any(axis=a)) for a in (1, 0))
            window = (
                slice(max(0, rows[0]), min(height, rows[1])),
                slice(max(0, columns[0]), min(width, columns[1])),
            )
            mine, truth = own[window], labels[window]
            others = (truth == cls) & ~mine
            counts = known[window] & ~others
            guess = (pred[window] == cls) & counts
            size = int(np.searchsorted(self.bounds, own.mean(), side="right"))
            self.intersection[size, cls] += np.count_nonzero(guess & mine)
            self.union[size, cls] += np.count_nonzero(guess | mine)
            self.count[size, cls] += 1

    def scores(self) -> dict[str, dict[str, float | int | None]]:
        """By size: `mean_iu` over classes that have objects (None: none), `objects`."""
        found = {}
        for row, size in enumerate(SIZES):
            present = self.count[row] > 0
            iu = self.intersection[row, present] / self.union[row, present]
            found[size] = {
                "mean_iu": float(iu.mean()) if present.any() else None,
                "objects": int(self.count[row].sum()),
            }
        return found


def _extended(occupied: np.ndarray) -> tuple[int, int]:
    """First and one past the last place that is occupied, moved outwards."""
    places = np.flatnonzero(occupied)
    first, end = int(places[0]), int(places[-1]) + 1
    growth = round((end - first) * (EXTENSION - 1) / 2)
    return first - growth, end + growth


class ObjectSizes:
    """Counts predictions by the size of the true objects, batch by batch."""

    def __init__(self, source: Source):
        self.source = source
        head = heads_of(source)[0]
        self._void = head.ignore_label
        self.counter = ObjectSizeIU(head.num_classes)

    def __call__(self, batch: Batch, pred: Labels):
        """Count one batch.

        Args:
            batch: Of evaluation.
            pred: Predicted classes, uint8 [B, H, W].
        """
        for row in np.flatnonzero(batch["example_valid"]):
            item = self.source[int(batch["index"][row])]
            found = objects.object_map(item, self._void)
            h, w = found.shape
            labels = item["labels"]
            labels = np.where(labels == self._void, _NO_CLASS, labels.astype(np.int32))
            self.counter.add(labels, found, first_labels(pred)[row, :h, :w])
