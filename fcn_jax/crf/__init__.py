"""The fully-connected CRF: labels that agree with colours and with their neighbours.

>>> import numpy as np
>>> from fcn_jax import crf
>>> image = np.zeros((4, 6, 3), np.uint8)  # RGB
>>> unary = crf.unary_from_logits(np.zeros((4, 6, 2), np.float32))
>>> crf.mean_field(unary, image, **crf.PARAMETERS["pydensecrf"]).shape
(4, 6, 2)

Inside `jax.jit` on any device, over batches, with gradients; `CRF` is the same as a
layer that learns.

References:
    Krähenbühl and Koltun 2011, arXiv:1210.5644.
"""

from fcn_jax.crf.dense import mean_field
from fcn_jax.crf.module import CRF, WithCRF
from fcn_jax.crf.parameters import PARAMETERS, CRFParameters, get_parameters
from fcn_jax.crf.unary import unary_from_labels, unary_from_logits, unary_from_probs

__all__ = [
    "CRF",
    "PARAMETERS",
    "CRFParameters",
    "WithCRF",
    "get_parameters",
    "mean_field",
    "unary_from_labels",
    "unary_from_logits",
    "unary_from_probs",
]
