"""Give mutated files to every reader of weights.

python -m benchmarks.fuzz_weights --inputs=20000

Prints JSON: of every format how many inputs were read and how many refused, the
slowest input in ms, and the peak memory of the process in MiB. Exit status 1 on any
other exception, an input of more than 5 s, or memory that grows by more than 256 MiB;
the input is then kept in a file that is named.
"""

import argparse
import collections
import json
import random
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import machine
from fcn_jax.weights import WeightsError, formats
from tests.support import weight_samples as samples

SECONDS, MOST_MIB = 5, 256


class Hang(BaseException):
    """An input took too long; no reader catches this."""


def _hang(*_):
    raise Hang


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fuzz(name: str, whole: bytes, inputs: int, path: Path) -> dict:
    """Counts of outcomes; "kept" is there if an input failed."""
    counts, slowest, before = collections.Counter(), 0.0, peak_mib()
    for seed in range(inputs):
        data = samples.mutate(whole, random.Random(seed))
        path.unlink(missing_ok=True)  # A map of the last file may still be open.
        path.write_bytes(data)
        start, failure = time.perf_counter(), None
        signal.alarm(SECONDS)
        try:
            formats.read(path)
            counts["read"] += 1
        except WeightsError:
            counts["refused"] += 1
        except (Exception, Hang) as error:
            failure = type(error).__name__
        finally:
            signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - start)
        if failure is None and peak_mib() - before > MOST_MIB:
            failure = "memory"
        if failure:
            kept = Path(tempfile.gettempdir()) / f"fuzz_{name}_{seed}"
            kept.write_bytes(data)
            counts[failure] += 1
            return {**counts, "kept": str(kept)}
    return {
        **counts,
        "slowest_ms": round(slowest * 1000, 1),
        "peak_mib": round(peak_mib(), 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--only", nargs="*", help="formats; all if left out")
    parser.add_argument("--smoke", action="store_true", help="50 inputs a format")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _hang)
    report = {}
    with tempfile.TemporaryDirectory() as directory:
        for name, whole in samples.whole().items():
            if options.only and name not in options.only:
                continue
            inputs = 50 if options.smoke else options.inputs
            report[name] = fuzz(name, whole, inputs, Path(directory) / "weights")
    print(json.dumps({"formats": report, **machine.describe()}, indent=2))
    sys.exit(any("kept" in counts for counts in report.values()))


if __name__ == "__main__":
    main()
