"""A loss of superpixels, in which a rare class weighs as much as a common one.

References:
    Mostajabi, Yadollahpour and Shakhnarovich 2015, arXiv:1412.0774, sec. 3.2: it is
    -(1 / N) sum over superpixels of (1 / f_y) log p(y), f_c the share of class c in the
    superpixels of the training set, y the class of most of a superpixel's pixels.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from fcn_jax.data.batch import Batch
from fcn_jax.data.superpixels import KEY
from fcn_jax.models.network import Outputs
from fcn_jax.ops import segments
from fcn_jax.training.loss_options import LossOptions
from fcn_jax.training.losses import PixelLoss, cross_entropy

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class SuperpixelCrossEntropy:
    """Softmax cross-entropy of superpixels; its mean is over their number.

    The logits of a superpixel are the mean of those of its pixels, which zoom-out nets
    score alike; one all of whose pixels are void does not count.

    Attributes:
        options: Of which `superpixels`, the most that an image may have, is positive.

    Raises:
        ValueError: If it is not.
    """

    options: LossOptions

    def __post_init__(self):
        if self.options.superpixels < 1:
            raise ValueError(
                f"superpixel_cross_entropy: superpixels={self.options.superpixels} is "
                f"how many an image may have; give the room of the network."
            )

    @property
    def reduction(self) -> str:
        """How its parts are divided."""
        return self.options.reduction

    def __call__(
        self, outputs: Outputs, batch: Batch, keys: Array
    ) -> tuple[PixelLoss, ...]:
        """See `fcn_jax.training.losses.Loss`.

        Args:
            outputs: Logits, [B, H, W, C]; by head where there are several.
            batch: With `labels`, integer [B, H, W], by head likewise, and `superpixels`
                integer [B, H, W].
            keys: Nothing is drawn.

        Raises:
            ValueError: If the batch has no superpixels.
        """
        del keys
        if KEY not in batch:
            raise ValueError(
                f"superpixel_cross_entropy: the batch has {', '.join(batch)}, and no "
                f"superpixels; train a net that looks at them (zoomout)."
            )
        heads = outputs if isinstance(outputs, Mapping) else {"": outputs}
        return tuple(
            self._of_head(heads[head], _labels(batch, head), batch[KEY], head)
            for head in sorted(heads)
        )

    def _of_head(
        self, logits: Array, labels: Array, superpixels: Array, head: str
    ) -> PixelLoss:
        options, num_classes = self.options, logits.shape[-1]
        void, weights = options.ignore_label, options.class_weights
        void = void[head] if isinstance(void, Mapping) else void
        weights = weights[head] if isinstance(weights, Mapping) else weights
        labels = labels.astype(jnp.int32)
        labels = jnp.where(labels == void, jnp.int32(num_classes), labels)

        def of_image(logits: Array, labels: Array, of_pixels: Array):
            room = options.superpixels
            return (
                segments.means(logits, of_pixels, room),
                segments.majority(labels, of_pixels, room, num_classes),
            )

        scores, classes = jax.vmap(of_image)(logits, labels, superpixels)
        part = cross_entropy(
            scores[:, :, None],
            classes[:, :, None],
            ignore_label=num_classes,
            class_weights=None if weights is None else jnp.asarray(weights, "float32"),
        )
        return part._replace(weight=part.count)


def _labels(batch: Batch, head: str) -> Array:
    return batch["labels"][head] if head else batch["labels"]
