"""How a network is asked about images, and what a batch must hold for it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from fcn_jax.data.loader import Windows
from fcn_jax.inference import ensembles


@dataclasses.dataclass(frozen=True)
class Predictor:
    """How to ask, and what a batch must hold for it.

    Attributes:
        scores: (variables, batch) -> class scores, [N, H, W, C] float32, whose softmax
            are probabilities; by head where there are several.
        scales: At which batches hold the images.
        windows: Boxes of every image that batches hold; None: none.
    """

    scores: Callable[[Any, Mapping[str, Any]], Any]
    scales: tuple[float, ...] = (1.0,)
    windows: Windows | None = None

    def log_probs(self, variables: Any, batch: Mapping[str, Any]) -> Any:
        """Class log-probabilities, [N, H, W, C] float32, by head likewise."""
        return jax.tree.map(jax.nn.log_softmax, self.scores(variables, batch))

    def probs(self, variables: Any, batch: Mapping[str, Any]) -> Any:
        """Class probabilities, [N, H, W, C] float32, by head likewise."""
        return jax.tree.map(jax.nn.softmax, self.scores(variables, batch))


def combine(members: Sequence[Predictor], how: str) -> Predictor:
    """An ensemble as one predictor; its variables are a tuple, of each member.

    Args:
        members: At most one may look at windows.
        how: "mean_prob" or "product_score"; see `ensembles.log_probs`.

    Returns:
        The predictor.

    Raises:
        ValueError: If two members look at windows.
    """
    of_windows = [m.windows for m in members if m.windows is not None]
    if len(of_windows) > 1:
        raise ValueError(
            f"{len(of_windows)} members of the ensemble look at windows; one may (set "
            f"config.inference.method=whole for the others)."
        )
    scores = functools.partial(
        ensembles.log_probs, members=[m.scores for m in members], combine=how
    )
    scales = sorted({scale for member in members for scale in member.scales})
    return Predictor(scores, tuple(scales), of_windows[0] if of_windows else None)
