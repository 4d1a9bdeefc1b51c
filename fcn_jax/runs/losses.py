"""The losses of the steps since the last log line."""

from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

from fcn_jax.runs import symptoms
from fcn_jax.storage.checkpoints import CheckpointStore


def lowest(losses: Mapping[int, float]) -> int:
    """The step of the lowest loss.

    A batch that is void throughout has a loss of exactly 0, which says nothing.

    Args:
        losses: By step, one at least.
    """
    told = {step: loss for step, loss in losses.items() if loss != 0} or losses
    return min(told, key=lambda step: told[step])


class RecentLosses:
    """Collects what steps return, late, so that no step waits for it to be read.

    Args:
        losses: Those that were collected before a resumed run ended.
        rate: The learning rate by the updates done, for the message where a loss is not
            finite; None: it says nothing of that.
    """

    def __init__(
        self,
        losses: Sequence[float] = (),
        rate: Callable[[int], float] | None = None,
    ):
        self.losses = list(losses)
        self._rate = rate
        self.grad_norm = float("nan")
        self._pending: list[tuple[int, Mapping[str, jax.Array]]] = []

    @property
    def since_a_line(self) -> int:
        """Steps whose losses are in no line of the log yet."""
        return len(self.losses) + len(self._pending)

    def add(self, step: int, values: Mapping[str, jax.Array]) -> None:
        """Take the metrics of a step; they are read at the next `collect`.

        Args:
            step: Updates done.
            values: `loss` and `grad_norm`, scalars, one a device.
        """
        self._pending.append((step, values))

    def collect(self, store: CheckpointStore) -> None:
        """Read the pending metrics; stop if one is not finite.

        Args:
            store: Of the run, whose good checkpoints the error names.

        Raises:
            FloatingPointError: Naming the step and the last good checkpoint.
        """
        for step, values in self._pending:
            loss, norm = (
                float(values[name].addressable_shards[0].data[0])
                for name in ("loss", "grad_norm")
            )
            if not np.isfinite([loss, norm]).all():
                store.close()
                raise FloatingPointError(
                    f"step {step}: loss {loss}, gradient norm {norm}; training has "
                    f"diverged and was stopped{self._reason(step)}. Good checkpoints: "
                    f"{store.steps() or 'none'} in {store.directory}. Lower "
                    f"config.optim.learning_rate or set config.optim.clip_norm."
                )
            self.losses.append(loss)
            self.grad_norm = norm
        self._pending = []

    def _reason(self, step: int) -> str:
        if self._rate is None:
            return ""
        # The loss of a step is that of the parameters which the one before left.
        rates = [self._rate(max(done, 0)) for done in (step - 3, step - 2)]
        return f": {symptoms.of_divergence(step, rates)}"

    def summary(self) -> dict[str, float]:
        """The last loss, the mean of all, and the gradient's norm; then start anew."""
        values = {
            "loss": self.losses[-1],
            "mean_loss": float(np.mean(self.losses)),
            "grad_norm": self.grad_norm,
        }
        self.losses = []
        return values
