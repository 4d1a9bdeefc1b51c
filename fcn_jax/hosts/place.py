"""Which of several processes this is, as flags or who started it say."""

import dataclasses
import re
from collections.abc import Mapping

AUTO = "auto"  # As a coordinator: JAX is to find all by itself.
# Names under which launchers say how many processes there are, and which this is.
_COUNTS = ("JAX_NUM_PROCESSES", "JAX_PROCESS_COUNT", "NUM_PROCESSES")
_INDICES = ("JAX_PROCESS_ID", "JAX_PROCESS_INDEX", "PROCESS_ID")
_ADDRESSES = ("JAX_COORDINATOR_ADDRESS", "COORDINATOR_ADDRESS")
_PORTS = ("JAX_COORDINATOR_PORT", "COORDINATOR_PORT")


@dataclasses.dataclass(frozen=True)
class Place:
    """One of several processes; what is None, JAX finds.

    Attributes:
        index: Of this process, from 0.
        count: Of all.
        coordinator: HOST:PORT of process 0.
        all_devices: Whether it has all devices of its host, where JAX would give each
            process that Slurm or Open MPI started one.
        found: Where that is from, for messages.
    """

    index: int | None = None
    count: int | None = None
    coordinator: str | None = None
    all_devices: bool = False
    found: str = "--coordinator"


def find(
    coordinator: str | None,
    process: int | None,
    processes: int | None,
    environ: Mapping[str, str],
) -> Place | None:
    """Which of several processes this is; None: it is alone.

    Args:
        coordinator: --coordinator: HOST:PORT, or "auto".
        process: --process.
        processes: --processes.
        environ: The environment, in which Slurm, Open MPI, Kubeflow and Cloud TPU say
            what flags do not.

    Raises:
        ValueError: If something is missing or makes no sense.
    """
    if coordinator == AUTO:
        return Place(process, processes, found="--coordinator=auto")
    told = _told(environ)
    place = told or Place()
    place = Place(
        place.index if process is None else process,
        place.count if processes is None else processes,
        coordinator or place.coordinator,
        place.all_devices,
        place.found,
    )
    given = not (coordinator is None and process is None and processes is None)
    if not given and (told is None or told.count == 1):
        return None
    if given and place.count == 1 and place.index in (None, 0):
        return None
    if told is None or place.found == _OPEN_MPI_5:
        _check_all_there(place)
    _check(place)
    return place


_OPEN_MPI_5 = "Open MPI, which does not name a coordinator"


def _told(environ: Mapping[str, str]) -> Place | None:
    """What the launcher says; None: there is none."""
    count, index = _first(environ, _COUNTS), _first(environ, _INDICES)
    address = _first(environ, _ADDRESSES)
    if address and count and index:
        if ":" not in address:
            address = f"{address}:{_first(environ, _PORTS) or 1234}"
        found = "JAX_COORDINATOR_ADDRESS"
        return Place(_number(index), _number(count), address, found=found)
    if "SLURM_STEP_NODELIST" in environ and "SLURM_PROCID" in environ:
        count = _first(environ, ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")) or "1"
        on_nodes = _first(
            environ, ("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE")
        )
        one_each = bool(on_nodes and re.fullmatch(r"1(\(x\d+\))?", on_nodes))
        index = _number(environ["SLURM_PROCID"])
        return Place(index, _number(count), None, one_each, "Slurm")
    if "OMPI_COMM_WORLD_SIZE" in environ:
        knows = "OMPI_MCA_orte_hnp_uri" in environ  # Open MPI 4, as JAX reads it.
        return Place(
            _number(environ.get("OMPI_COMM_WORLD_RANK", "")),
            _number(environ["OMPI_COMM_WORLD_SIZE"]),
            None,
            environ.get("OMPI_COMM_WORLD_LOCAL_SIZE") == "1",
            "Open MPI" if knows else _OPEN_MPI_5,
        )
    if "," in environ.get("TPU_WORKER_HOSTNAMES", ""):
        return Place(found="TPU_WORKER_HOSTNAMES")
    return None


def note(environ: Mapping[str, str]) -> str:
    """What to say where several tasks were asked for and this process is alone.

    Args:
        environ: The environment.

    Returns:
        A sentence; "" where there is nothing to say.
    """
    tasks = environ.get("SLURM_NTASKS", "1")
    if tasks == "1" or "SLURM_STEP_NODELIST" in environ:
        return ""
    return (
        f"Slurm has {tasks} tasks, and this process was not started by srun: it works "
        f"alone; put srun before the command to have all of them share the work"
    )


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise ValueError(
            f"the environment says which of several processes this is, or how many "
            f"there are, by {text!r}, which is no number; mend it, or give "
            f"--coordinator=HOST:PORT, --process and --processes."
        )
    return int(text)


def _check_all_there(place: Place) -> None:
    missing = [
        flag
        for flag, value in (
            ("--coordinator=HOST:PORT", place.coordinator),
            ("--process=N", place.index),
            ("--processes=N", place.count),
        )
        if value is None
    ]
    if missing:
        raise ValueError(
            f"several processes are asked for, and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing: give the address of "
            f"process 0, which process this is (from 0), and how many there are."
        )


def _check(place: Place) -> None:
    index, count, address = place.index, place.count, place.coordinator
    if index is not None and count is not None and not 0 <= index < count:
        raise ValueError(
            f"process {index} of {count} is none: processes are counted from 0 to "
            f"{max(count - 1, 0)}; mend --process and --processes."
        )
    if address is None:
        return
    found = re.fullmatch(r".+:(\d{1,5})", address)
    if not (found and 0 < int(found[1]) < 2**16):
        raise ValueError(
            f"coordinator {address!r} is no HOST:PORT; give the address of process 0 "
            f"and a port that is free there, such as --coordinator=node1:29500."
        )
