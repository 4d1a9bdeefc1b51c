"""Timing several sides of one comparison in turns, in one process."""

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Call = Callable[[], object]


def in_turns(
    makers: Mapping[str, Callable[[], Call]], repeats: int, warm_up: int = 2
) -> dict[str, Any]:
    """Time calls one after the other, again and again.

    Other work on the machine, and its clock, then slow all sides alike.

    Args:
        makers: By side, a function that prepares it and returns the call to time,
            which returns when the device is done. A side of PyTorch that cannot be
            made or run, such as one whose compiler is missing, is left out.
        repeats: Rounds.
        warm_up: Calls of each side before the first round.

    Returns:
        `seconds`, the medians by side; `ratio`, the medians of ours / the other's,
        round by round, by other side; `rounds`; `unmeasured`, the reasons by side.
    """
    calls, unmeasured = {}, {}
    for name, make in makers.items():
        try:
            call = make()
            for _ in range(warm_up):
                call()
        except Exception as error:
            if name == "ours":
                raise
            reason = str(error).strip().splitlines() or [""]
            unmeasured[name] = f"{type(error).__name__}: {reason[0]}"
        else:
            calls[name] = call
    rounds = [
        {name: seconds(call) for name, call in calls.items()} for _ in range(repeats)
    ]
    report = {
        "seconds": {
            name: statistics.median(times[name] for times in rounds) for name in calls
        },
        "ratio": {},
        "rounds": rounds,
        "unmeasured": unmeasured,
    }
    if "ours" in calls:
        report["ratio"] = {
            name: statistics.median(times["ours"] / times[name] for times in rounds)
            for name in calls
            if name != "ours"
        }
    return report


def seconds(call: Call) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak_mib() -> int:
    """Peak of this process's resident memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
