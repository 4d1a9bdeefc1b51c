"""What a config says of loss sampling, and how many images an update then has."""

from fcn_jax.config.types import Config

WEIGH_BY = ("loss", "sampling")
_NEAR = 1e-6  # Of a whole number: probabilities such as 1/3 are rounded.


def images_of_update(config: Config) -> int:
    """The images of one update, over all devices.

    With `config.loss.larger_batch` they are `config.batch_size` over the probability of
    a pixel, so that as many pixels count as without sampling (Long et al. 2015,
    arXiv:1411.4038, sec. 4.4).

    Args:
        config: See `fcn_jax.config.base`; older runs lack the key.

    Raises:
        ValueError: If that is no whole number.
    """
    if not config.loss.get("larger_batch", False):
        return config.batch_size
    probability = config.loss.pixel_probability
    images = config.batch_size / probability
    whole = round(images)
    if abs(images - whole) > _NEAR * images:
        raise ValueError(
            f"config.loss.larger_batch: config.batch_size={config.batch_size} over "
            f"config.loss.pixel_probability={probability!r} is {images:.2f} images; "
            f"give sizes of which that is a whole number, such as "
            f"{config.batch_size} and {config.batch_size / max(1, whole):.6g}."
        )
    return whole


def check_sampling(config: Config) -> None:
    """Refuse keys of loss sampling that have no sense.

    Args:
        config: See `fcn_jax.config.base`; keys that an older run lacks are passed over.

    Raises:
        ValueError: Naming the key.
    """
    settings = config.loss
    probability = settings.pixel_probability
    if not (isinstance(probability, int | float) and 0 < probability <= 1):
        raise ValueError(
            f"config.loss.pixel_probability={probability!r} is not above 0 and at most "
            f"1; 1 has every pixel count in every step."
        )
    stride = settings.get("pixel_stride", 0)
    if not (isinstance(stride, int) and stride >= 0):
        raise ValueError(
            f"config.loss.pixel_stride={stride!r} is no whole number from 0 on; it is "
            f"the side in pixels of the cells that are sampled together, 0 samples "
            f"pixels."
        )
    weigh_by = settings.get("weigh_by", WEIGH_BY[0])
    if weigh_by not in WEIGH_BY:
        raise ValueError(
            f"config.loss.weigh_by={weigh_by!r} is not known; use 'loss' (weights are "
            f"factors) or 'sampling' (pixels of classes that weigh less are left out)."
        )
    if weigh_by == "sampling":
        _check_weights(config)
    images_of_update(config)


def _check_weights(config: Config) -> None:
    """Refuse sampling by classes without weights, or with such as are no shares."""
    weights = tuple(config.loss.class_weights)
    if not weights and not config.loss.get("balance", ""):
        raise ValueError(
            "config.loss.weigh_by='sampling' has no weights to sample by; set "
            "config.loss.balance='median_frequency' or config.loss.class_weights."
        )
    if weights and not (all(0 <= x < float("inf") for x in weights) and any(weights)):
        raise ValueError(
            f"config.loss.class_weights={weights} cannot be sampled by "
            f"(config.loss.weigh_by='sampling'); give weights from 0 on, of which one "
            f"is above 0."
        )
