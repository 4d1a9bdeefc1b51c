"""How a network is asked about images, and what a batch must hold for it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import jax
from flax.typing import VariableDict

from fcn_jax.data.batch import Batch
from fcn_jax.data.loader import Windows
from fcn_jax.data.superpixels import Divide
from fcn_jax.inference import ensembles
from fcn_jax.models.network import Outputs

# What `model.apply` takes; of an ensemble those of every member.
Variables: TypeAlias = VariableDict | Sequence[VariableDict]


@dataclasses.dataclass(frozen=True)
class Predictor:
    """How to ask, and what a batch must hold for it.

    Attributes:
        scores: (variables, batch) -> class scores, [N, H, W, C] float32, whose softmax
            are probabilities; by head where there are several.
        scales: At which batches hold the images.
        windows: Boxes of every image that batches hold; None: none.
        divide: What makes the superpixels that batches hold; None: they hold none.
    """

    scores: Callable[..., Outputs]
    scales: tuple[float, ...] = (1.0,)
    windows: Windows | None = None
    divide: Divide | None = None

    def log_probs(self, variables: Variables, batch: Batch) -> Outputs:
        """Class log-probabilities, [N, H, W, C] float32, by head likewise.

        Args:
            variables: What the network takes.
            batch: What `scores` needs.
        """
        return jax.tree.map(jax.nn.log_softmax, self.scores(variables, batch))

    def probs(self, variables: Variables, batch: Batch) -> Outputs:
        """Class probabilities, [N, H, W, C] float32, by head likewise.

        Args:
            variables: What the network takes.
            batch: What `scores` needs.
        """
        return jax.tree.map(jax.nn.softmax, self.scores(variables, batch))


def of_head(predictor: Predictor, head: str) -> Predictor:
    """A predictor of one head of a network with several.

    Args:
        predictor: Of the network.
        head: Name of the head; "": all, of which nothing is changed.
    """
    if not head:
        return predictor

    def scores(variables: Variables, batch: Batch) -> Outputs:
        found = predictor.scores(variables, batch)
        assert isinstance(found, Mapping)
        return found[head]

    return dataclasses.replace(predictor, scores=scores)


def combine(members: Sequence[Predictor], how: str) -> Predictor:
    """An ensemble as one predictor; its variables are a tuple, of each member.

    Args:
        members: At most one may look at windows; superpixels are the same for all.
        how: "mean_prob" or "product_score"; see `ensembles.log_probs`.

    Returns:
        The predictor.

    Raises:
        ValueError: If two members look at windows, or divide images differently.
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
    return Predictor(
        scores,
        tuple(scales),
        of_windows[0] if of_windows else None,
        _common([m.divide for m in members if m.divide is not None]),
    )


def _common(divides: Sequence[Divide]) -> Divide | None:
    """What divides the images of all members that look at superpixels.

    Raises:
        ValueError: If they are divided differently.
    """
    if any(other != divides[0] for other in divides[1:]):
        raise ValueError(
            f"members of the ensemble look at different superpixels, of "
            f"{' and of '.join(map(str, divides))}; a batch holds one map of an image: "
            f"take runs whose num_superpixels, max_superpixels and compactness are the "
            f"same."
        )
    return divides[0] if divides else None
