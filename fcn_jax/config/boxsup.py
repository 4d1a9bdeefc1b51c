"""What a config says of BoxSup: candidate masks, how one is chosen, and epochs."""

import functools

import numpy as np

from fcn_jax.config import build, sampling
from fcn_jax.config.types import Config
from fcn_jax.data import contracts
from fcn_jax.data.contracts import Source
from fcn_jax.data.weak.assignment import Rule
from fcn_jax.data.weak.boxsup import BOXSUP, BoxSupSource
from fcn_jax.proposals.pools import Pools


def supervised(config: Config, source: Source, strong: np.ndarray | None) -> Source:
    """The training source with boxes in place of its masks.

    Args:
        config: See `fcn_jax.config.base`.
        source: With masks.
        strong: Which images keep them, bool [N]; None: none.

    Raises:
        ValueError: If the labels have several heads, or an option has no sense.
    """
    build.check_one_head(config, f"config.data.supervision={BOXSUP!r}")
    check(config)
    pools = make_pools(config)
    return BoxSupSource(
        source,
        pools,
        candidates=pools.key_of(functools.partial(contracts.ids_of, source)),
        rule=_rule(config),
        strong=strong,
        strong_share=config.data.strong_share,
        seed=config.seed,
    )


def _rule(config: Config) -> Rule:
    """How masks are chosen.

    Raises:
        ValueError: As `Rule`, naming the key.
    """
    settings = config.data.boxsup
    try:
        return Rule(settings.k, settings.weight, settings.objective, settings.min_iou)
    except ValueError as error:
        raise ValueError(f"config.data.boxsup.{error}") from error


def check(config: Config) -> None:
    """Refuse numbers that have no sense.

    Args:
        config: See `fcn_jax.config.base`.

    Raises:
        ValueError: Naming the key.
    """
    settings = config.data.boxsup
    for key in ("silent_epochs", "epoch_steps"):
        value = settings[key]
        if not isinstance(value, int) or value < 0:
            raise ValueError(
                f"config.data.boxsup.{key}={value!r} is no whole number from 0 on; "
                f"give one."
            )


def make_pools(config: Config) -> Pools:
    """The candidate masks of a config's images.

    Args:
        config: See `fcn_jax.config.base`.

    Raises:
        ValueError: As `Pools`.
    """
    settings = config.data.boxsup
    return Pools(
        settings.method,
        directory=settings.cache_dir or None,
        files=settings.mcg_dir,
        num=settings.num,
        options=settings.options.to_dict(),
    )


def epoch_steps(config: Config, images: int) -> int:
    """The updates between two estimates of the masks.

    Args:
        config: See `fcn_jax.config.base`.
        images: Of the training source; an epoch sees each once, its last update
            perhaps some of the next.
    """
    given: int = config.data.boxsup.epoch_steps
    return given or -(-images // sampling.images_of_update(config))
