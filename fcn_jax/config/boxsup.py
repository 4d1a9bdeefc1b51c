"""What a config says of BoxSup: candidate masks, how one is chosen, and epochs."""

from fcn_jax.config import build, sampling
from fcn_jax.config.types import Config
from fcn_jax.data.contracts import Source
from fcn_jax.data.weak.assignment import Rule
from fcn_jax.data.weak.boxsup import BoxSupSource
from fcn_jax.proposals.pools import Pools

BOXSUP = "boxsup"  # A value of config.data.supervision.


def supervised(config: Config, source: Source) -> Source:
    """The training source, or with "boxsup" its boxes in place of its masks.

    Args:
        config: See `fcn_jax.config.base`; older runs lack the keys.
        source: With masks.

    Raises:
        ValueError: If the supervision is not known, or an option has no sense.
    """
    supervision = config.data.get("supervision", "")
    if not supervision:
        return source
    if supervision != BOXSUP:
        raise ValueError(
            f"config.data.supervision={supervision!r} is not known; use {BOXSUP!r}, or "
            f"'' for masks."
        )
    build.check_one_head(config, f"config.data.supervision={supervision!r}")
    if config.data.objects.stage:
        raise ValueError(
            f"config.data.supervision={supervision!r} estimates masks of whole images, "
            f"and config.data.objects.stage={config.data.objects.stage!r} cuts crops "
            f"by their masks; leave one out."
        )
    check(config)
    settings = config.data.boxsup
    pools = make_pools(config)
    return BoxSupSource(
        source,
        pools,
        candidates=pools.key,
        rule=Rule(settings.k, settings.weight, settings.objective, settings.min_iou),
        seed=config.seed,
    )


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
