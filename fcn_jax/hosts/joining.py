"""Makes one crew of the processes of a run, by `jax.distributed`."""

import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import cast

import jax

from fcn_jax.hosts import ends
from fcn_jax.hosts.board import Board, Client
from fcn_jax.hosts.crew import ALONE, Crew, Joined
from fcn_jax.hosts.place import Place
from fcn_jax.hosts.watch import Watch

TIMEOUT = 300.0  # Seconds in which all processes must have come.
_HEARTBEAT = 13  # Seconds; JAX's own watch comes after ours, where ours cannot.
_AGAIN = 0.25  # Seconds between two knocks at the coordinator.


def join(place: Place, timeout: float = TIMEOUT) -> Joined:
    """Meet the other processes; before JAX is used for anything else.

    Args:
        place: Of this process.
        timeout: Seconds in which all must have come.

    Raises:
        ValueError: If they have not, naming the address; its port is not free; or JAX
            finds no way to them.
    """
    where = place.coordinator or f"the coordinator that {place.found} names"
    if place.coordinator is not None and place.index != 0:
        _knock(place.coordinator, place.found, timeout)
    watches: list[Watch] = []
    begun = time.monotonic()

    def lost() -> tuple[int, str]:
        if watches:
            return watches[0].lost()
        waited = time.monotonic() - begun
        return ends.FAILED, _missing(place, where, waited, timeout)

    ends.on_abort(lost)
    _configure()
    try:
        jax.distributed.initialize(
            place.coordinator,
            place.count,
            place.index,
            # Else JAX gives a process of Slurm or Open MPI one device of its host.
            local_device_ids=_all_devices(place),
            initialization_timeout=round(timeout),
            heartbeat_timeout_seconds=_HEARTBEAT,
        )
    except (ValueError, RuntimeError) as error:
        if "Failed to start RPC server" in str(error):
            raise ValueError(
                f"process 0 cannot listen at {where} ({place.found}): another program "
                f"has that port, or the process 0 of another run; end it, or give all "
                f"processes a free one, as --coordinator=HOST:PORT."
            ) from error
        raise ValueError(
            f"several processes were asked for ({place.found}), and JAX could not "
            f"join them at {where}: {(str(error).splitlines() or [''])[0]}. Mend that, "
            f"or give --coordinator=HOST:PORT, --process and --processes."
        ) from error
    return _crew(watches, jax.distributed.shutdown)


def _missing(place: Place, where: str, waited: float, timeout: float) -> str:
    """Why JAX ended the process before all had come."""
    if waited < timeout - 1:  # It is rounded.
        return (
            f"the coordinator at {where} refused process {place.index} after "
            f"{waited:.0f} s, as where another one has the same number, or has failed: "
            f"start each of them once, with a --process of its own."
        )
    return (
        f"not all {place.count or ''} processes came to {where} within {timeout:g} s: "
        f"see that each is started, and can reach that address."
    ).replace("  ", " ")


def joined() -> Crew:
    """The processes that another library has joined, such as Ray Train.

    It has called `jax.distributed.initialize`, and ends that too; where it has not, or
    for one process, this one is alone.
    """
    if _client() is None:
        return ALONE
    _configure()
    if jax.process_count() == 1:
        return ALONE
    watches: list[Watch] = []
    gone = "process 0 is gone"
    ends.on_abort(lambda: watches[0].lost() if watches else (ends.GONE, gone))
    return _crew(watches, lambda: None)


def _crew(watches: list[Watch], close: Callable[[], object]) -> Joined:
    """The crew of all that JAX knows; its watch begins, and is in `watches`."""
    index, count = jax.process_index(), jax.process_count()
    board = Board(cast("Client", _client()), index, count)
    names = board.gather("hosts", f"{socket.gethostname()}, pid {os.getpid()}")
    watches.append(Watch(board, index, names))
    watches[0].start()
    return Joined(index, count, board, watches[0], close)


def _knock(address: str, found: str, timeout: float) -> None:
    """Wait until somebody listens at the coordinator's address.

    JAX would wait too, and then abort the process without the address.
    """
    host, _, port = address.rpartition(":")
    until = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout).close()
            return
        except (OSError, OverflowError) as error:
            why = str(error)
        left = until - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(_AGAIN, left))
    raise ValueError(
        f"no coordinator at {address} ({found}) within {timeout:g} s ({why}): start "
        f"process 0 there, or mend --coordinator=HOST:PORT."
    )


def _configure() -> None:
    """What JAX must be told before it makes its devices."""
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # It would take SIGTERM for itself; stopping is agreed on by `stops`.
    with contextlib.suppress(AttributeError):
        jax.config.update("jax_enable_preemption_service", False)


def _all_devices(place: Place) -> list[int] | None:
    given = place.all_devices and "JAX_LOCAL_DEVICE_IDS" not in os.environ
    return [] if given else None


def _client() -> Client | None:
    """JAX's client of the coordination service; Orbax takes it from there too."""
    from jax._src import distributed

    return cast("Client | None", distributed.global_state.client)
