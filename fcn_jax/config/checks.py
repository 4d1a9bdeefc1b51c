"""What the numbers of a config must be, before anything is opened or compiled."""

from collections.abc import Callable
from typing import TypeGuard

from fcn_jax.config.types import Config
from fcn_jax.data import shared_items
from fcn_jax.data.augmentation import HALF_A_TURN, OF_LOOKS

_COUNTS = (
    "num_steps",
    "batch_size",
    "accumulate",
    "log_every",
    "eval_every",
    "checkpoint_every",
    "keep_checkpoints",
    "eval_batch_size",
)


def check_numbers(config: Config) -> None:
    """Refuse numbers that have no sense, by the names of their keys.

    Args:
        config: See `fcn_jax.config.base`; keys that an older run lacks are passed over.

    Raises:
        ValueError: Naming the first such key, and what it must be.
    """
    for key in _COUNTS:
        _check(config, key, _is_count, "is not positive; give a whole number from 1 on")
    for key in ("seed", "early_stopping", "data.num_threads", "data.num_workers"):
        _check(config, key, _is_natural, "is no whole number from 0 on; give one")
    _check(config, "eval_scale", _is_positive, "is not positive; 1 is the image's own")
    _check(config, "data.cache", _is_amount, "is no number of GiB; give one from 0 on")
    _check(config, "hang_timeout", _is_amount, "is no number of seconds, or 0 for none")
    workers, cache = config.data.get("num_workers"), config.data.get("cache")
    if workers and cache and not shared_items.AVAILABLE:
        raise ValueError(
            f"config.data.cache={cache!r} is to be shared by "
            f"config.data.num_workers={workers} processes, and this system has no "
            f"memory for it (Linux has); set one of them to 0."
        )
    size = "is no size; give (HEIGHT,WIDTH) in pixels, or () for none"
    for key in ("data.crop", "data.canvas", "data.cutout"):
        _check(config, key, _is_size, size)
    scales = "is no range; give (LOWEST,HIGHEST), such as (0.5,2), or () for none"
    _check(config, "data.scale", _is_range, scales)
    angle = "is no angle; give degrees from 0 to 180, 0 for none"
    for key in ("data.rotation", "data.hue"):
        _check(config, key, _is_angle, angle)
    share = "is no fraction; give one from 0 to 1, 0 for none"
    for key in ("data.contrast", "data.saturation", "data.class_mix"):
        _check(config, key, _is_fraction, share)
    _check(config, "data.blur", _is_amount, "is no number of pixels; 0 is for none")
    if config.data.get("channels") == "hha":
        for key in OF_LOOKS:
            why = "changes colours, and images of config.data.channels='hha' have none"
            _check(config, f"data.{key}", _is_off, f"{why}; leave it out")


def _check(
    config: Config, key: str, is_right: Callable[[object], bool], wrong: str
) -> None:
    """Refuse the value of a key; those of parts have a dot."""
    part, _, name = key.rpartition(".")
    holder = config.data if part == "data" else config
    if name in holder and not is_right(holder[name]):
        value = holder[name]
        value = tuple(value) if isinstance(value, list) else value
        raise ValueError(f"config.{key}={value!r} {wrong}.")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _is_natural(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _is_positive(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and 0 < value < float("inf")


def _is_amount(value: object) -> bool:
    return value == 0 or _is_positive(value)


def _is_off(value: object) -> bool:
    return value == 0


def _is_angle(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= HALF_A_TURN


def _is_fraction(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _is_size(value: object) -> bool:
    match value:
        case []:
            return True
        case [height, width]:
            return _is_count(height) and _is_count(width)
        case _:
            return False


def _is_range(value: object) -> bool:
    match value:
        case []:
            return True
        case [low, high]:
            return _is_positive(low) and _is_positive(high) and low <= high
        case _:
            return False
