"""Flags of commands that several processes share, and who of them this one is."""

import os

from absl import flags

from fcn_jax import hosts
from fcn_jax.runs import stopping


def define_flags() -> None:
    """Declare the flags by which processes find each other."""
    flags.DEFINE_string(
        "coordinator",
        None,
        "HOST:PORT of process 0, where several share the work; auto: JAX finds all.",
    )
    flags.DEFINE_integer("process", None, "Which of them this is, from 0.")
    flags.DEFINE_integer("processes", None, "How many there are.")
    flags.DEFINE_float(
        "join_timeout", hosts.TIMEOUT, "Seconds in which all must have come.", 1.0
    )


def place_of(values: flags.FlagValues) -> hosts.Place | None:
    """Which of several processes this is, as flags or who started it say.

    Args:
        values: Of the flags.

    Returns:
        Its place; None: it is alone.

    Raises:
        ValueError: If something is missing or makes no sense.
    """
    return hosts.find(values.coordinator, values.process, values.processes, os.environ)


def crew_of(values: flags.FlagValues) -> hosts.Crew:
    """The processes that share the work, joined.

    Args:
        values: Of the flags.

    Raises:
        ValueError: If they do not come, or as `place_of`.
    """
    place = place_of(values)
    if place is None:
        said = hosts.note(os.environ)
        if said:
            print(f"note: {said}", flush=True)
        return hosts.ALONE
    crew = hosts.join(place, values.join_timeout)
    stopping.tell(crew)
    return crew
