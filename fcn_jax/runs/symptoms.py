"""What the numbers of a run say is wrong with it, in words; each is said once."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from fcn_jax import parallel
from fcn_jax.config import datasets
from fcn_jax.config.types import Config
from fcn_jax.evaluation.metrics import Scores
from fcn_jax.training import TrainState

# Means and variances of BatchNorm, by layer: "mean" and "var", [F] each.
Statistics: TypeAlias = Mapping[str, Mapping[str, np.ndarray]]

_LEAST = 20  # Steps before which a loss that has not moved says nothing.
_NEAR = 0.01  # Of a loss, as a share, that is the same.
_COLD = 0.05  # Share of the start in running averages from which they say nothing.
# How far the batch's statistics may be from the averages, in the median channel:
# standard deviations, and a factor on the variance.
_SHIFT, _FACTOR = 1.0, 4.0


def statistics(state: TrainState) -> Statistics:
    """The running averages of a state on all devices, copied: a step takes its memory.

    Args:
        state: One copy a device.
    """
    return parallel.unreplicate(dict(state.batch_stats))


class Symptoms:
    """Watches the losses, scores and averages of a run.

    Args:
        config: Of the run.
    """

    def __init__(self, config: Config):
        numbers = datasets.num_classes_of(config)
        counts = numbers.values() if isinstance(numbers, dict) else (numbers,)
        self._log_classes = sum(math.log(count) for count in counts)
        loss = config.loss
        plain = loss.reduction == "mean" and loss.get("name") == "cross_entropy"
        # Of losses of other kinds it is not known what they are of equal scores.
        self._floor = self._log_classes if plain else math.nan
        # Of one head, whose pixels count alike, it can be held against its classes.
        weighted = bool(loss.class_weights or loss.get("balance"))
        self._compares = plain and not weighted and len(counts) == 1
        self._keeps = float(config.model.bn_momentum) ** config.accumulate
        self._rate = float(config.optim.learning_rate)
        self._mean_loss = math.nan
        self._at_start = 0
        self._apart = ""
        self._said: set[str] = set()

    def of_losses(self, step: int, values: Mapping[str, float]) -> list[str]:
        """What the losses say.

        Args:
            step: Updates done.
            values: `loss` and `grad_norm` of that step, and `mean_loss` since the last.

        Returns:
            Sentences that were not said before.
        """
        self._mean_loss = mean = values["mean_loss"]
        near = abs(mean - self._floor) < _NEAR * self._floor
        self._at_start = self._at_start + 1 if near else 0
        found = {}
        if self._at_start > 1 and step >= _LEAST:
            found["log C"] = (
                f"after {step} steps the loss is still {mean:.3f}, that of equal "
                f"scores for all classes (log C = {self._floor:.3f}): nothing is "
                f"learned. config.optim.learning_rate={self._rate:g} may be too low, "
                f"or too much is frozen (config.optim.frozen)"
            )
        if values["grad_norm"] == 0 and values["loss"] > 0:
            found["gradient"] = (
                f"the gradient of step {step} is 0: nothing learns. All that leads to "
                f"the scores is frozen (config.optim.frozen), or has died"
            )
        return self._new(found)

    def of_scores(self, step: int, scores: Scores) -> list[str]:
        """What the scores of an evaluation say.

        Args:
            step: Updates done.
            scores: See `metrics.scores`.

        Returns:
            Sentences that were not said before.
        """
        found = {"BatchNorm": self._apart} if self._apart else {}
        for head, each in scores.get("heads", {"": scores}).items():
            if step >= _LEAST and (text := self._of_one_class(each)):
                found[f"class {head}"] = text
        return self._new(found)

    def _of_one_class(self, scores: Scores) -> str:
        counts = np.asarray(scores["confusion"], np.float64)
        truth, called = counts.sum(1), np.flatnonzero(counts.sum(0))
        if len(called) != 1 or np.count_nonzero(truth) < 2:
            return ""
        only = f"every pixel is called {list(scores['iu'])[called[0]]!r}"
        shares = truth[truth > 0] / truth.sum()
        entropy = float(-np.sum(shares * np.log(shares)))
        # Who does not look at the image cannot do better than how common classes are.
        if not self._compares or math.isnan(self._mean_loss):  # None was logged yet.
            return f"{only}; the net may be dead, or has learned little yet"
        if self._mean_loss < (1 - _NEAR) * entropy:
            return (
                f"{only}; the net has learned more than that (loss "
                f"{self._mean_loss:.3f}, and {entropy:.3f} for who knows how common "
                f"the classes are): train on"
            )
        return (
            f"{only}, and the loss of training, {self._mean_loss:.3f}, is no less than "
            f"for who knows how common the classes are ({entropy:.3f}): the scores do "
            f"not depend on the image. The net is dead, or has not begun to learn; a "
            f"lower config.optim.learning_rate, or a warm-up, keeps ReLUs alive"
        )

    def of_statistics(self, step: int, before: Statistics, after: Statistics) -> None:
        """Compare the statistics of a batch with the averages; `of_scores` says it.

        Args:
            step: Updates done.
            before: The averages before the batch.
            after: Those after it.
        """
        self._apart = ""
        if self._keeps**step > _COLD:
            return
        worst, most = "", 1.0
        for layer, now in after.items():
            shift, factor = _distance(before[layer], now, self._keeps)
            if max(shift / _SHIFT, factor / _FACTOR) > most:
                most = max(shift / _SHIFT, factor / _FACTOR)
                worst = (
                    f"in {layer} the mean of the last batch is {shift:.1f} standard "
                    f"deviations from the average, its variance {factor:.1f} times "
                    f"larger or smaller (median channel)"
                )
        if worst:
            self._apart = (
                f"BatchNorm's running averages, with which a net is scored, disagree "
                f"with the batches that it learns by: {worst}. Scores are lower than "
                f"the loss of training says. Lower config.optim.learning_rate, raise "
                f"config.batch_size, or take the statistics anew when scoring "
                f"(config.batch_stats_batches)"
            )

    def _new(self, found: Mapping[str, str]) -> list[str]:
        new = [text for kind, text in found.items() if kind not in self._said]
        self._said |= found.keys()
        return new


def _distance(
    before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray], keeps: float
) -> tuple[float, float]:
    """How far a batch is from the averages, of the median channel that is alive.

    An average keeps a share of what it was, so that it says what it was given.
    """
    given = {
        name: before[name] + (after[name] - before[name]) / max(1 - keeps, 1e-6)
        for name in ("mean", "var")
    }
    alive = (after["var"] > 0) & (given["var"] > 0)
    if not alive.any():
        return 0.0, 1.0
    var, of_batch = after["var"][alive], given["var"][alive]
    shift = np.abs(given["mean"] - after["mean"])[alive] / np.sqrt(var)
    factor = np.exp(np.abs(np.log(of_batch / var)))
    return float(np.median(shift)), float(np.median(factor))


def of_divergence(step: int, rates: Sequence[float]) -> str:
    """Why a loss that is not finite may be so, a clause.

    Args:
        step: Of that loss; the updates before it are one fewer.
        rates: Learning rates of the update before the last, and of the last.
    """
    if step == 1:
        return (
            "no update was done yet: look at the weights that it starts from, and at "
            "the images (fcn_jax doctor)"
        )
    if rates[-1] > rates[0]:
        return (
            f"the learning rate, {rates[-1]:.3g}, was still rising, and is likely too "
            f"high already"
        )
    over = "the warm-up was over, and the learning rate"
    return f"{over}, {rates[-1]:.3g}, is likely too high"
