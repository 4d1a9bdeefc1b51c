"""Whether a run ends before its last step: evaluations that no longer get better.

What is counted are the scores that stand beside the checkpoints, so that a run which
was interrupted ends where one that nobody interrupted does.
"""

from collections.abc import Mapping

from fcn_jax.config.types import Config


def patience(config: Config) -> int:
    """Evaluations that a run waits for a better one; 0: it never ends early.

    Args:
        config: See `fcn_jax.config.base`; older runs do not have the key.
    """
    return config.early_stopping if "early_stopping" in config else 0


def reason(scores: Mapping[int, float | None], step: int, most: int) -> str:
    """Why a run ends after a step.

    Args:
        scores: Mean IU by step; None where it is undefined.
        step: That was evaluated; what later ones once scored does not count.
        most: Evaluations in a row without a better mean IU; 0: a run never ends.

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
    if not most or waited < most or best is None:
        return ""
    return (
        f"no better mean IU than {best[0]:.4f} of step {best[1]} in {waited} "
        f"evaluations (config.early_stopping={most})"
    )
