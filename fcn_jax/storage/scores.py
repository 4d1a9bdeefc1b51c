"""The scores of a run's checkpoints, beside them: a step is saved, then scored."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeGuard

from fcn_jax.storage import files, reading


class Scores:
    """Mean IU by step.

    Args:
        checkpoints: Directory of the checkpoints; the file stands beside it.
    """

    def __init__(self, checkpoints: Path):
        self._checkpoints = checkpoints
        self.path = checkpoints.with_name(f"{checkpoints.name}_scores.json")

    def read(self) -> dict[int, float | None]:
        """All that were scored; None where a score is undefined.

        Raises:
            ValueError: If the file is damaged.
        """
        if not self.path.exists():
            return {}
        try:
            found = json.loads(self.path.read_text("utf-8"))
            scores = {int(n): _score(x) for n, x in found["mean_iu"].items()}
            _check(found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{self.path} is damaged ({type(error).__name__}: "
                f"{reading.first_line(error)}), so that it is not known which "
                f"checkpoint is best; restore it, or delete it to take the one that "
                f"the newest checkpoint names, or that one itself."
            ) from error
        return scores

    def record(self, step: int, mean_iu: float | None) -> None:
        """Write down the score of a step, by which the best checkpoint is kept.

        Args:
            step: Of a checkpoint, saved or about to be.
            mean_iu: In [0, 1], or None if it is undefined.
        """
        found = self.read() | {step: mean_iu}
        content = {"mean_iu": {str(n): found[n] for n in sorted(found)}}
        files.write_json(self.path, {**content, reading.HASH: reading.hash_of(content)})

    def of(self, step: int) -> float | None:
        """The score of a step; of older runs it is in the checkpoint."""
        scores = self.read()
        if step in scores:
            return scores[step]
        try:
            return reading.read_metadata(self._checkpoints, step).get(reading.SCORE)
        except (OSError, ValueError):
            return None  # It is not whole; who reads it is told so.

    def has(self, step: int) -> bool:
        """Whether a step was evaluated, its score defined or not."""
        return step in self.read() or self.of(step) is not None

    def best(self, steps: Sequence[int]) -> list[int]:
        """The step with the highest score, the last of equals; empty if none has one.

        Args:
            steps: To choose from.
        """
        scored = {n: x for n in steps if (x := self.of(n)) is not None}
        return [max(scored, key=lambda n: (scored[n], n))] if scored else []


def _check(found: Mapping[str, object]) -> None:
    """Compare the scores with their hash; older files have none."""
    content = {name: value for name, value in found.items() if name != reading.HASH}
    hashed = reading.HASH in found
    if hashed and found[reading.HASH] != reading.hash_of(content):
        raise ValueError("its numbers are not those that were written")
    if not hashed and content.keys() - {"mean_iu"}:
        raise ValueError(f"what is {', '.join(sorted(content.keys() - {'mean_iu'}))}?")


def is_score(value: object) -> TypeGuard[float | None]:
    """Whether a value is a mean IU, or None, as one that is undefined."""
    return value is None or (isinstance(value, int | float) and 0 <= value <= 1)


def _score(value: object) -> float | None:
    if not is_score(value):
        raise ValueError(f"{value!r} is no mean IU")
    return None if value is None else float(value)
