"""A loss of labels that the network's own scores estimate, and no gradient knows of."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import jax
import jax.numpy as jnp

from fcn_jax.data.batch import Batch
from fcn_jax.data.weak.planes import PLANES
from fcn_jax.models.network import Outputs
from fcn_jax.ops import interp
from fcn_jax.training import estimation, pixels
from fcn_jax.training.estimation import Weak
from fcn_jax.training.losses import Loss, Part

Array = jax.Array

_ORDER = 2  # Folded into an image's key; pixels are sampled by the key itself.


class EStep(Protocol):
    """What raises scores: `ByConstants` or `ByPortions`."""

    def __call__(self, scores: Array, weak: Weak, keys: Array) -> Array:
        """The scores by which pixels are labelled, [N, H, W, C].

        Args:
            scores: [N, H, W, C], at least float32.
            weak: Of its pixels.
            keys: A random key for every image, [N].
        """
        ...


@dataclasses.dataclass(frozen=True)
class ByConstants:
    """EM-Fixed or Bbox-EM-Fixed, with its numbers.

    Attributes:
        step: `estimation.em_fixed` or `estimation.em_boxes`.
        biases: Of a class of objects, and of the background.
    """

    step: Callable[[Array, Weak, float, float], Array]
    biases: tuple[float, float]

    def __call__(self, scores: Array, weak: Weak, keys: Array) -> Array:
        """See `EStep`.

        Args:
            scores: [N, H, W, C].
            weak: Of its pixels.
            keys: Not used.
        """
        del keys
        return self.step(scores, weak, *self.biases)


@dataclasses.dataclass(frozen=True)
class ByPortions:
    """EM-Adapt, with its numbers.

    Attributes:
        portions: Of a class of objects, and of the background.
        sweeps: Over the classes of an image.

    Raises:
        ValueError: As `estimation.check_portions`.
    """

    portions: tuple[float, float] = (0.2, 0.4)
    sweeps: int = 5

    def __post_init__(self):
        estimation.check_portions(self.portions, self.sweeps, "portions")

    def __call__(self, scores: Array, weak: Weak, keys: Array) -> Array:
        """See `EStep`.

        Args:
            scores: [N, H, W, C].
            weak: Of its pixels.
            keys: A random key for every image, [N].
        """
        keys = jax.vmap(lambda key: jax.random.fold_in(key, _ORDER))(keys)
        return estimation.em_adapt(
            scores, weak, keys, portions=self.portions, sweeps=self.sweeps
        )


@dataclasses.dataclass(frozen=True)
class Estimated:
    """A loss whose labels are estimated where masks are wanting.

    Attributes:
        inner: The loss of the labels, those of masks and those that were estimated. It
            sees the scores as they are.
        estimate: The E-step.
        shrink: Pixels from one that both see to the next, as
            `loss_options.LossOptions.label_shrink` says; the inner loss then has 1.
    """

    inner: Loss
    estimate: EStep
    shrink: int = 1

    @property
    def reduction(self) -> str:
        """How its parts are divided."""
        return self.inner.reduction

    def __call__(self, outputs: Outputs, batch: Batch, keys: Array) -> Sequence[Part]:
        """See `Loss`.

        Args:
            outputs: Logits, [B, H, W, C].
            batch: With `labels`, integer [B, H, W], and `allowed`, uint8 [B, H, W, P]:
                see `fcn_jax.data.weak.planes`.
            keys: A random key for every row, [B].

        Raises:
            ValueError: If there are several heads, or the batch has no weak labels.
        """
        if isinstance(outputs, Mapping):
            raise ValueError(
                f"labels are estimated for networks with one head; this one scores "
                f"{', '.join(outputs)}."
            )
        if PLANES not in batch:
            raise ValueError(
                f"labels are to be estimated, and the batch has no {PLANES!r}: wrap "
                f"its source in fcn_jax.data.weak.source.WeakLabels, or set "
                f"config.data.supervision."
            )
        shrink = functools.partial(interp.shrink, factor=self.shrink)
        scores, labels = shrink(outputs), shrink(batch["labels"]).astype(jnp.int32)
        weak = estimation.weak_of(batch[PLANES], scores.shape[-1], self.shrink)
        found = self.labels(scores, labels, weak, keys)
        return self.inner(scores, {**batch, "labels": found}, keys)

    def labels(self, scores: Array, labels: Array, weak: Weak, keys: Array) -> Array:
        """The labels that are learned; no gradient goes through them.

        Args:
            scores: [B, H, W, C].
            labels: Of masks, int32 [B, H, W].
            weak: Of the pixels.
            keys: A random key for every row, [B].

        Returns:
            int32 [B, H, W].
        """
        fixed = pixels.wide(jax.lax.stop_gradient(scores))
        raised = self.estimate(fixed, weak, keys)
        return jnp.where(weak.estimated, estimation.last_argmax(raised), labels)
