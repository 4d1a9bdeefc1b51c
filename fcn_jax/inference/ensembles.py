"""Several networks on one image: EDeconvNet is DeconvNet and FCN-8s.

References:
    Noh, Hong and Han 2015, arXiv:1505.04366, sec. 3.5 (mean of the probabilities);
    HyeonwooNoh/DeconvNet, inference/generate_EDeconvNet_CRF_results.m (product of the
    scores).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
from flax.typing import VariableDict

from fcn_jax.data.batch import Batch
from fcn_jax.models.network import Outputs

Array = jax.Array
Scores: TypeAlias = Callable[..., Outputs]

COMBINATIONS = ("mean_prob", "product_score")


def log_probs(
    variables: Sequence[VariableDict],
    batch: Batch,
    *,
    members: Sequence[Scores],
    combine: str = "mean_prob",
) -> Outputs:
    """Class log-probabilities of an ensemble.

    Args:
        variables: Of each member.
        batch: What every member needs.
        members: Functions (variables, batch) -> class scores [N, H, W, C], whose
            softmax are probabilities.
        combine: "mean_prob", the mean of the probabilities (the paper), or
            "product_score", the softmax of the product of the scores, each set to 0
            where it is negative (the released code). A class that one member scores
            below 0 counts as 0 there; where all do, all classes are equal.

    Returns:
        [N, H, W, C] float32; by head where the members have several.

    Raises:
        ValueError: If `combine` is unknown, there are not as many variables as
            members, or the members score different classes or heads.
    """
    if combine not in COMBINATIONS:
        raise ValueError(
            f"combine={combine!r} is not known; choose one of "
            f"{', '.join(COMBINATIONS)}."
        )
    if not members or len(variables) != len(members):
        raise ValueError(
            f"an ensemble of {len(members)} members was given {len(variables)} sets of "
            f"variables; give one set a member, and at least one member."
        )
    scores = [
        member(own, batch) for member, own in zip(members, variables, strict=True)
    ]
    heads = [sorted(x) if isinstance(x, Mapping) else [] for x in scores]
    if heads[1:] != heads[:-1]:
        raise ValueError(
            f"the members of an ensemble score the heads "
            f"{' and '.join(', '.join(x) or 'of one labelling' for x in heads)}; "
            f"combine networks that were trained on the same heads."
        )
    return jax.tree.map(lambda *of_members: _joined(of_members, combine), *scores)


def _joined(scores: Sequence[Array], combine: str) -> Array:
    """The log-probabilities of one head."""
    counts = [score.shape[-1] for score in scores]
    if len(set(counts)) > 1:
        raise ValueError(
            f"the members of an ensemble score {', '.join(map(str, counts))} classes; "
            f"combine networks that were trained on the same classes."
        )
    if combine == "product_score":
        product = jax.nn.relu(scores[0])
        for score in scores[1:]:
            product = product * jax.nn.relu(score)
        return jax.nn.log_softmax(product)
    return mean_log_prob([jax.nn.log_softmax(score) for score in scores])


def mean_log_prob(log_probs: Sequence[Array]) -> Array:
    """The log of the mean of probabilities that are given by their logs."""
    total = log_probs[0]
    for each in log_probs[1:]:
        total = jnp.logaddexp(total, each)
    return total - jnp.log(float(len(log_probs))) if len(log_probs) > 1 else total
