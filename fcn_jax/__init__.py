"""Semantic segmentation with FCN and DeconvNet, as published, in JAX/Flax.

>>> import jax
>>> import numpy as np
>>> import fcn_jax
>>> model = fcn_jax.create("fcn32s", num_classes=21, padding="same", width=1 / 64)
>>> images = fcn_jax.preprocess(np.zeros((1, 8, 12, 3), np.uint8))  # RGB
>>> variables = model.init(jax.random.key(0), images)
>>> model.apply(variables, images).shape
(1, 8, 12, 21)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fcn_jax.exported import load_exported
    from fcn_jax.preprocessing import deprocess, preprocess
    from fcn_jax.runs import load
    from fcn_jax.viz.labels import decode_labels
    from fcn_jax.weights import load_weights
    from fcn_jax.weights.classifiers import load_classifier
    from fcn_jax.weights.pretrained import create

__version__ = "0.1.0"
__all__ = [
    "create",
    "decode_labels",
    "deprocess",
    "load",
    "load_classifier",
    "load_exported",
    "load_weights",
    "preprocess",
]

# Loaded on first use, so that importing the package stays quick.
_HOME = {
    "create": "fcn_jax.weights.pretrained",
    "decode_labels": "fcn_jax.viz",
    "deprocess": "fcn_jax.preprocessing",
    "load": "fcn_jax.runs",
    "load_classifier": "fcn_jax.weights.classifiers",
    "load_exported": "fcn_jax.exported",
    "load_weights": "fcn_jax.weights",
    "preprocess": "fcn_jax.preprocessing",
}

# Modules that are found here too; two of them have moved since.
_MODULES = {
    "crf": "fcn_jax.crf",
    "losses": "fcn_jax.training.losses",
    "metrics": "fcn_jax.evaluation.metrics",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name not in _HOME:
        raise AttributeError(
            f"module 'fcn_jax' has no attribute {name!r}; it has {', '.join(__all__)} "
            f"and its submodules (import fcn_jax.{name} if that is one)."
        )
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
