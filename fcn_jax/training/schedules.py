"""Learning rates as functions of the update, by name."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any, TypeAlias, cast

import jax
import optax

from fcn_jax import messages

# Updates done -> learning rate.
Schedule: TypeAlias = Callable[[jax.Array], jax.Array]


def _constant(learning_rate: float, num_steps: int):
    del num_steps
    return optax.constant_schedule(learning_rate)


def _step(
    learning_rate: float,
    num_steps: int,
    *,
    boundaries: Sequence[int] | int,
    factor: float = 0.1,
):
    del num_steps
    listed = boundaries if isinstance(boundaries, Iterable) else (boundaries,)
    boundaries = [int(boundary) for boundary in listed]
    _require(
        all(a < b for a, b in zip([0, *boundaries], boundaries, strict=False)),
        f"boundaries={boundaries} are not increasing numbers of updates above 0",
    )
    scales = dict.fromkeys(boundaries, factor)
    return optax.piecewise_constant_schedule(learning_rate, scales)


def _polynomial(
    learning_rate: float, num_steps: int, *, power: float = 0.9, end: float = 0.0
):
    _require(power > 0, f"power={power} is not positive")
    return optax.polynomial_schedule(learning_rate, end, power, num_steps)


def _cosine(learning_rate: float, num_steps: int, *, end_fraction: float = 0.0):
    _require(0 <= end_fraction <= 1, f"end_fraction={end_fraction} is not in [0, 1]")
    return optax.cosine_decay_schedule(learning_rate, num_steps, end_fraction)


def _warmup_cosine(
    learning_rate: float, num_steps: int, *, warmup_steps: int = 500, end: float = 0.0
):
    _require(
        0 <= warmup_steps < num_steps,
        f"warmup_steps={warmup_steps} are not fewer than the {num_steps} of the run",
    )
    return optax.warmup_cosine_decay_schedule(
        0.0, learning_rate, warmup_steps, num_steps, end
    )


def _one_cycle(
    learning_rate: float,
    num_steps: int,
    *,
    warmup_fraction: float = 0.3,
    start_divisor: float = 25.0,
):
    _require(
        0 <= warmup_fraction < 1, f"warmup_fraction={warmup_fraction} is not in [0, 1)"
    )
    _require(start_divisor > 0, f"start_divisor={start_divisor} is not positive")
    return optax.cosine_onecycle_schedule(
        num_steps, learning_rate, warmup_fraction, start_divisor
    )


SCHEDULES = {
    "constant": _constant,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "polynomial": _polynomial,
    "step": _step,
    "warmup_cosine": _warmup_cosine,
}


def make_schedule(
    name: str, *, learning_rate: float, num_steps: int, **options: Any
) -> Schedule:
    """A learning-rate schedule by name.

    - constant: the same throughout.
    - step: times `factor` (0.1) from each of the `boundaries` on.
    - polynomial: down to `end` (0) as (1 - t) ** `power` (0.9).
    - cosine: down to the share `end_fraction` (0), as half a cosine.
    - warmup_cosine: up from 0 in `warmup_steps` (500), then as cosine to `end` (0).
    - one_cycle: up from 1 / `start_divisor` (25) of it for `warmup_fraction` (0.3) of
      the run, then down to nearly nothing, both as half a cosine.

    Args:
        name: One of SCHEDULES.
        learning_rate: The largest rate.
        num_steps: Optimiser updates of the whole run; after them the rate stays.
        **options: As above; boundaries (one, or several) and warmup_steps are optimiser
            updates.

    Returns:
        Function of the updates done -> learning rate.

    Raises:
        ValueError: If the name or an option is unknown, one that is needed is
            missing, or a value has no meaning.
    """
    if name not in SCHEDULES:
        raise ValueError(messages.unknown_name("schedule", name, SCHEDULES))
    parameters = inspect.signature(SCHEDULES[name]).parameters.values()
    known = {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}
    for option in options:
        if option not in known:
            raise ValueError(
                messages.unknown_name(f"option of schedule {name!r}", option, known)
            )
    for option, parameter in known.items():
        if parameter.default is parameter.empty and option not in options:
            raise ValueError(
                f"schedule {name!r} needs {option!r}; its options are "
                f"{messages.listed(known)}."
            )
    for option, value in options.items():
        several = option == "boundaries" and isinstance(value, Iterable)
        _require(
            all(isinstance(x, Real) for x in (value if several else (value,))),
            f"{option}={value!r} is no number",
        )
    _require(num_steps >= 1, f"num_steps={num_steps} is not positive")
    _require(
        0 <= learning_rate < float("inf"),
        f"learning_rate={learning_rate} is not a finite number from 0 up",
    )
    return cast("Schedule", SCHEDULES[name](learning_rate, num_steps, **options))


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(f"make_schedule: {otherwise}.")
