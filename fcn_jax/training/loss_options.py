"""What a config says of the loss, whichever it is."""

import dataclasses
from collections.abc import Mapping

from fcn_jax.data.label_sets import IGNORE_LABEL

REDUCTIONS = ("sum", "mean")


@dataclasses.dataclass(frozen=True)
class LossOptions:
    """What a config says of the loss.

    Attributes:
        reduction: "sum" (over pixels, divided by the number of images, as in the FCN
            release) or "mean" (over the pixels that are not ignored).
        class_weights: Weight of each class; None: all 1. By head where there are
            several. Losses of overlaps see every class alike.
        weigh_by: What weights do: "loss": they are factors of a pixel's loss;
            "sampling": pixels are kept as often (`sampling.class_probabilities`).
        pixel_probability: Probability with which a pixel takes part in the loss (Long
            et al. 2015, sec. 4.4, "patch sampling is loss sampling").
        stride: Side of the cells that are sampled together, pixels.
        label_shrink: Pixels from one that the loss sees to the next; 1: it sees all.
            DeepLab's nets are trained at their own stride, 8 (`ops.interp.shrink`).
        larger_batch: Whether batches have 1 / pixel_probability times their images, as
            there: "sum" divides by the images that there would be without.
        ignore_label: The label of void pixels, which are ignored; by head where there
            are several.
        focal_gamma: Exponent of the focal loss; 0: cross-entropy.
        tversky: What a false positive and what a false negative count in the Tversky
            loss.
        per_image: Whether losses of overlaps are those of each image, averaged, in
            place of one of all pixels of the batch.
        superpixels: The most that an image may have, for a loss of superpixels.
        axis_name: Of the devices that share a batch, over which losses of overlaps
            sum; None: there are no others.
    """

    reduction: str = "mean"
    class_weights: tuple[float, ...] | Mapping[str, tuple[float, ...]] | None = None
    weigh_by: str = "loss"
    pixel_probability: float = 1.0
    stride: int = 1
    label_shrink: int = 1
    larger_batch: bool = False
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL
    focal_gamma: float = 2.0
    tversky: tuple[float, float] = (0.3, 0.7)
    per_image: bool = False
    superpixels: int = 0
    axis_name: str | None = None
