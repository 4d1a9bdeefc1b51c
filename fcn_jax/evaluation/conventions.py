"""What other libraries print for the same predictions, and why it differs.

Computed from the confusion matrix and from sums over images, as the sources of these
versions do it; none of them is installed or asked.

References:
    torchmetrics 1.9.0, functional/classification/jaccard.py, segmentation/mean_iou.py;
    segmentation_models_pytorch 0.6.0, metrics/functional.py; Hugging Face evaluate
    0.4.6, metrics/mean_iou; scikit-learn 1.9.1, metrics.jaccard_score; Keras 3.15.1,
    metrics/iou_metrics.py; ultralytics 8.4.190, utils/metrics.py (SemanticMetrics).
"""

import dataclasses

import numpy as np

from fcn_jax.data.label_sets import IGNORE_LABEL

_KERAS_EPSILON = 1e-7  # keras.config.epsilon().


@dataclasses.dataclass(frozen=True)
class Printed:
    """A number that a library prints.

    Attributes:
        library: Its name and version.
        call: That prints it.
        value: As a fraction; None where it prints none.
        why: How it is counted, beside our mean IU.
    """

    library: str
    call: str
    value: float | None
    why: str


class ImageSums:
    """What the means over images need; memory does not grow with their number."""

    def __init__(self) -> None:
        self.images = self.pairs = 0
        self.of_pairs = self.macro = self.micro = 0.0

    def add(self, confusion: np.ndarray) -> None:
        """Count an image.

        Args:
            confusion: Its counts, integer [C, C]: row = truth, column = prediction.
        """
        hits, union = _hits_and_unions(confusion)
        present = union > 0
        iu = hits[present] / union[present]
        self.images += 1
        self.pairs += int(present.sum())
        self.of_pairs += float(iu.sum())
        # An absent class, or an image without a pixel that counts, is a 1.
        self.macro += float(iu.sum() + np.sum(~present)) / len(union)
        self.micro += float(hits.sum() / union.sum()) if present.any() else 1.0


def printed(
    confusion: np.ndarray, images: ImageSums, ignore_label: int = IGNORE_LABEL
) -> list[Printed]:
    """The numbers of all libraries.

    Args:
        confusion: Counts of all images, integer [C, C]: row = truth, column =
            prediction.
        images: Sums over the images.
        ignore_label: The label of void.

    Returns:
        One or more a library, in the order of the module's head.
    """
    confusion = np.asarray(confusion)
    void_is_a_class = 0 <= ignore_label < len(confusion)
    return [
        *_torchmetrics(confusion, images, ignore_label if void_is_a_class else None),
        *_smp(confusion, images, void_is_a_class),
        *_hugging_face(confusion),
        *_scikit_learn(confusion),
        *_keras(confusion),
        *_ultralytics(confusion, void_is_a_class),
    ]


_OURS = "as ours: one matrix of all images, absent classes left out"
_MICRO = (
    "one quotient over all classes together: sum of hits / sum of unions; large "
    "classes decide"
)
_WEIGHTED = "classes weighed by their true pixels: our frequency weighted IU"


def _torchmetrics(
    confusion: np.ndarray, images: ImageSums, void_class: int | None
) -> list[Printed]:
    library, call = "torchmetrics 1.9.0", 'JaccardIndex("multiclass", average="{}")'
    hits, union = _hits_and_unions(confusion)
    macro, why = union > 0, _OURS
    counted = np.ones(len(union), bool)
    if void_class is not None:
        counted[void_class] = False
        macro, why = (
            macro & counted,
            "as ours, but void, a label here, is never a class",
        )
    return [
        Printed(library, call.format("macro"), _mean(hits[macro] / union[macro]), why),
        Printed(
            library, call.format("micro"), _share(hits, union[counted].sum()), _MICRO
        ),
        Printed(library, call.format("weighted"), _weighted(confusion), _WEIGHTED),
        Printed(
            library,
            'segmentation.MeanIoU(input_format="index")',
            images.of_pairs / images.pairs if images.pairs else None,
            "image by image: the mean over all pairs of an image and a class that is "
            "in its truth or prediction (it takes no void label: its pixels left out)",
        ),
    ]


def _smp(
    confusion: np.ndarray, images: ImageSums, void_is_a_class: bool
) -> list[Printed]:
    library = "segmentation_models_pytorch 0.6.0"
    hits, union = _hits_and_unions(confusion)
    absent = union == 0
    iu = np.where(absent, 1.0, hits / np.where(absent, 1, union))
    number = images.images
    found: dict[str, tuple[float | None, str]] = {
        "micro": (_share(hits, union.sum()), _MICRO),
        "macro": (_mean(iu), "an absent class counts as 1, ours leaves it out"),
        "micro-imagewise": (
            images.micro / number if number else None,
            "the quotient over all classes together of each image, then their mean",
        ),
        "macro-imagewise": (
            images.macro / number if number else None,
            "the mean over classes of each image, a class that is not in it a 1; then "
            "the mean over images: high where images hold few of the classes",
        ),
    }
    refused = "it refuses a void label that is below the number of classes"
    return [
        Printed(library, f'iou_score(reduction="{name}")', None, refused)
        if void_is_a_class
        else Printed(library, f'iou_score(reduction="{name}")', value, why)
        for name, (value, why) in found.items()
    ]


def _hugging_face(confusion: np.ndarray) -> list[Printed]:
    library = "Hugging Face evaluate 0.4.6"
    hits, union = _hits_and_unions(confusion)
    truth = confusion.sum(axis=1)
    return [
        Printed(library, 'mean_iou["mean_iou"]', _defined(hits, union), _OURS),
        Printed(
            library,
            'mean_iou["mean_accuracy"]',
            _defined(hits, truth),
            "no IU: our mean accuracy",
        ),
        Printed(
            library,
            'mean_iou["overall_accuracy"]',
            _share(hits, truth.sum()),
            "no IU: our pixel accuracy",
        ),
    ]


def _scikit_learn(confusion: np.ndarray) -> list[Printed]:
    library, call = "scikit-learn 1.9.1", 'jaccard_score(average="{}")'
    hits, union = _hits_and_unions(confusion)
    iu = hits / np.where(union > 0, union, 1)
    return [
        Printed(
            library,
            call.format("macro"),
            _defined(hits, union),
            f"{_OURS} (it knows no void: its pixels left out before)",
        ),
        Printed(
            library,
            'jaccard_score(average="macro", labels=range(C))',
            _mean(iu),
            "an absent class that is among the labels counts as 0",
        ),
        Printed(library, call.format("micro"), _share(hits, union.sum()), _MICRO),
        Printed(library, call.format("weighted"), _weighted(confusion), _WEIGHTED),
    ]


def _keras(confusion: np.ndarray) -> list[Printed]:
    hits, union = _hits_and_unions(confusion)
    iu = hits / (union + _KERAS_EPSILON)
    number = int((union > 0).sum())
    return [
        Printed(
            "Keras 3.15.1",
            "MeanIoU(ignore_class=...)",
            float(iu.sum()) / (number + _KERAS_EPSILON) if number else None,
            "as ours, but for 1e-7 in the denominators; it counts in float32, which "
            "loses pixels above 16.7 million of a pair of classes",
        )
    ]


def _ultralytics(confusion: np.ndarray, void_is_a_class: bool) -> list[Printed]:
    library = "ultralytics 8.4.190"
    hits, union = _hits_and_unions(confusion)
    truth = confusion.sum(axis=1)
    true = truth > 0
    if void_is_a_class:
        why = "void is 255 there, and cannot be another label"
        return [Printed(library, "metrics/mIoU", None, why)]
    return [
        Printed(
            library,
            "metrics/mIoU",
            _mean(hits[true] / union[true]),
            "the mean over classes that are in the truth; one that is predicted only "
            "is left out, ours counts it as 0",
        ),
        Printed(
            library,
            "metrics/pixel_acc",
            _share(hits, truth.sum()),
            "no IU: our pixel accuracy",
        ),
    ]


def _hits_and_unions(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By class: pixels that are right, and those that truth or prediction calls so."""
    hits = np.diag(confusion).astype(np.float64)
    return hits, confusion.sum(axis=0) + confusion.sum(axis=1) - hits


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None


def _defined(hits: np.ndarray, of: np.ndarray) -> float | None:
    """The mean of the quotients that have a value."""
    return _mean(hits[of > 0] / of[of > 0])


def _share(hits: np.ndarray, of: float) -> float | None:
    return float(hits.sum() / of) if of else None


def _weighted(confusion: np.ndarray) -> float | None:
    hits, union = _hits_and_unions(confusion)
    truth = confusion.sum(axis=1)
    iu = hits / np.where(union > 0, union, 1)
    return float(np.sum(truth * iu) / truth.sum()) if truth.sum() else None
