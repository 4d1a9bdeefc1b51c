"""Timing several sides of one comparison in turns."""

import contextlib
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Call = Callable[[], object]


def in_turns(
    makers: Mapping[str, Callable[[], Call]],
    repeats: int,
    warm_up: int = 2,
    apart: bool = False,
) -> dict[str, Any]:
    """Time calls one after the other, again and again.

    Other work on the machine, and its clock, then slow all sides alike.

    Args:
        makers: By side, a function that prepares it and returns the call to time,
            which returns when the device is done. A side of PyTorch that cannot be
            made or run, such as one whose compiler is missing, is left out.
        repeats: Rounds.
        warm_up: Calls of each side before the first round.
        apart: Whether each side has a process of its own, which waits while others
            run. In one process the memory that one side lets go of is mapped anew for
            the next, which took a third of a step's time on a CPU. On a GPU each
            process would take most of its memory.

    Returns:
        `seconds`, the medians by side; `ratio`, the medians of ours / the other's,
        round by round, by other side; `rounds`; `prepared_s`, what each side took to
        be made and warmed up, compilation and all; `unmeasured`, the reasons by side;
        and if apart `peak_mib_of`, the peaks of their resident memory by side.
    """
    timers, unmeasured, prepared = {}, {}, {}
    with contextlib.ExitStack() as stack:
        for name, make in makers.items():
            start = time.perf_counter()
            try:
                if apart:
                    timers[name] = stack.enter_context(_timer_apart(make, warm_up))
                else:
                    timers[name] = _timer(make, warm_up)
            except Exception as error:
                if name == "ours":
                    raise
                unmeasured[name] = _reason(error)
            else:
                prepared[name] = round(time.perf_counter() - start, 2)
        rounds = [
            {name: timer() for name, timer in timers.items()} for _ in range(repeats)
        ]
        peaks = {name: timer(peak_mib) for name, timer in timers.items() if apart}
    report = {
        "seconds": {
            name: statistics.median(times[name] for times in rounds) for name in timers
        },
        "ratio": {},
        "rounds": rounds,
        "prepared_s": prepared,
        "apart": apart,
        "unmeasured": unmeasured,
    }
    if apart:
        report["peak_mib_of"] = peaks
    if "ours" in timers:
        report["ratio"] = {
            name: statistics.median(times["ours"] / times[name] for times in rounds)
            for name in timers
            if name != "ours"
        }
    return report


def _reason(error):
    lines = str(error).strip().splitlines() or [""]
    if isinstance(error, _FailedApart):
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}"


def _timer(make, warm_up):
    """A function that runs what was made once and returns the seconds it took."""
    call = make()
    for _ in range(warm_up):
        call()
    return lambda: seconds(call)


class _FailedApart(Exception):
    """A side could not be made or run in its process; the text says why."""


def _serve(connection, make, warm_up):
    """Run in the process of a side: time it, or call a function, whenever asked."""
    try:
        timer = _timer(make, warm_up)
    except Exception as error:
        connection.send(_reason(error))
        return
    connection.send(None)
    while asked := connection.recv():
        connection.send(timer() if asked == "time" else asked())


@contextlib.contextmanager
def _timer_apart(make, warm_up):
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, make, warm_up), daemon=True)
    process.start()
    there.close()  # So that `recv` notices when the process ends.
    try:
        failure = here.recv()
        if failure is not None:
            raise _FailedApart(failure)

        def timer(asked="time"):
            here.send(asked)
            return here.recv()

        yield timer
        here.send(None)
        process.join()
    finally:
        process.terminate()


def seconds(call: Call) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak_mib() -> int:
    """Peak of this process's resident memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
