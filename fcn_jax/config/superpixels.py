"""From a config to the superpixels of a run, where its network looks at them."""

import numpy as np

from fcn_jax import models
from fcn_jax.config import build
from fcn_jax.config.types import Config
from fcn_jax.data import contracts
from fcn_jax.data.contracts import Source
from fcn_jax.data.superpixels import KEY, Divided
from fcn_jax.regions import superpixels
from fcn_jax.regions.superpixels import Slic


def make_superpixels(config: Config) -> Slic | None:
    """What divides images; None: the network looks at no superpixels.

    Args:
        config: See `fcn_jax.config.base`.
    """
    network = models.MODELS.get(config.model.name)
    if network is None or KEY not in network.extra_inputs:
        return None
    settings = config.model
    return Slic(
        settings.num_superpixels, settings.compactness, settings.max_superpixels
    )


def divided(config: Config, source: Source) -> Source:
    """A source whose batches hold superpixels, if the network looks at them.

    Args:
        config: See `fcn_jax.config.base`.
        source: Of the images.
    """
    divide = make_superpixels(config)
    return source if divide is None else Divided(source, divide)


def class_shares(config: Config, source: Source) -> np.ndarray:
    """The share of each class in the superpixels of a source, float64 [C].

    Args:
        config: See `fcn_jax.config.base`.
        source: With one head; all of its images are divided.

    Raises:
        ValueError: If the network looks at no superpixels, or has several heads.
    """
    divide = make_superpixels(config)
    if divide is None:
        raise ValueError(
            f"config.loss.balance='inverse_frequency' counts superpixels, and "
            f"config.model.name={config.model.name!r} looks at none; use "
            f"'median_frequency'."
        )
    build.check_one_head(config, "config.loss.balance='inverse_frequency'")
    (head,) = contracts.heads_of(source)
    return superpixels.class_shares(source, divide, head.num_classes, head.ignore_label)
