"""The fully-connected CRF: labels that agree with colours and with their neighbours.

>>> from fcn_jax import crf
>>> unary = crf.unary_from_logits(logits)
>>> probs = crf.mean_field(unary, images, **crf.PARAMETERS["pydensecrf"])

Inside `jax.jit` on any device, over batches, with gradients; `CRF` is the same as a
layer that learns.

References:
    Krähenbühl and Koltun 2011, arXiv:1210.5644.
"""

from fcn_jax.crf.dense import mean_field
from fcn_jax.crf.module import CRF, WithCRF
from fcn_jax.crf.parameters import PARAMETERS, parameters_named
from fcn_jax.crf.unary import unary_from_labels, unary_from_logits, unary_from_probs

__all__ = [
    "CRF",
    "PARAMETERS",
    "WithCRF",
    "mean_field",
    "parameters_named",
    "unary_from_labels",
    "unary_from_logits",
    "unary_from_probs",
]
