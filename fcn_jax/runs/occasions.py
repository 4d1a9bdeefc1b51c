"""After which steps a run is logged, saved and scored, and after which it ends.

It ends before its last step where evaluations no longer get better. What is counted
are the scores that stand beside the checkpoints, so that a run which was interrupted
ends where one that nobody interrupted does.
"""

from collections.abc import Mapping

from fcn_jax.config.types import Config


class Occasions:
    """What a config says is to be done after each step.

    Args:
        config: See `fcn_jax.config.base`.
    """

    def __init__(self, config: Config):
        self._config = config
        # Older runs do not have it.
        self._patience: int = config.early_stopping if "early_stopping" in config else 0

    def logs(self, step: int) -> bool:
        """Whether the loss of a step is logged; the last is, and each may be that.

        Args:
            step: Updates done.
        """
        may_end = self._patience > 0 and self.evaluates(step)
        last = step == self._config.num_steps
        return last or may_end or step % self._config.log_every == 0

    def evaluates(self, step: int) -> bool:
        """Whether a step is one after which the run is scored.

        Args:
            step: Updates done.
        """
        return step == self._config.num_steps or step % self._config.eval_every == 0

    def saves(self, step: int) -> bool:
        """Whether a step is saved.

        Args:
            step: Updates done.
        """
        return self.evaluates(step) or step % self._config.checkpoint_every == 0

    def ends_early(self, scores: Mapping[int, float | None], step: int) -> str:
        """Why the run ends after a step that is not its last; "" where it goes on.

        Args:
            scores: Mean IU by step; None where it is undefined.
            step: Updates done.
        """
        done = step == self._config.num_steps
        if done or not self._patience or not self.evaluates(step):
            return ""
        return reason(scores, step, self._patience)


def reason(scores: Mapping[int, float | None], step: int, patience: int) -> str:
    """Why a run ends after a step.

    Args:
        scores: Mean IU by step; None where it is undefined.
        step: That was evaluated; what later ones once scored does not count.
        patience: Evaluations in a row without a better mean IU; 0: a run never ends.

    Returns:
        A clause; "" where it goes on.
    """
    best, waited = None, 0
    for each in sorted(n for n in scores if n <= step):
        score = scores[each]
        if score is not None and (best is None or score > best[0]):
            best, waited = (score, each), 0
        else:
            waited += 1
    if not patience or waited < patience or best is None:
        return ""
    return (
        f"no better mean IU than {best[0]:.4f} of step {best[1]} in {waited} "
        f"evaluations (config.early_stopping={patience})"
    )
