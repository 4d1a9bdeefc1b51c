"""Damaged files of weights, by the thousand: each is refused, or read whole.

python benchmarks/fuzz_weights.py                 # 20,000 inputs a format
python benchmarks/fuzz_weights.py --smoke

Mutates the small files of tests/golden/weights (one a format, as the frameworks write
them) and reads each result. Prints JSON: by file how many were refused and how many
still read, the slowest input, and by how much the peak of the process's memory grew.
Exit status 1 if anything but a WeightsError came out, an input took over 5 seconds, or
memory grew by more than 64 MiB; the input is then kept in the working directory.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import machine
import timing
from fcn_jax.weights import WeightsError, formats

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "weights"))
from mutations import mutations

GOLDEN = Path(__file__).parent.parent / "tests" / "golden" / "weights"

FILES = (
    "net.caffemodel",
    "net_v1.caffemodel",
    "net.pth",
    "stream.pth",
    "net.safetensors",
    "keras2.h5",
    "arrays.npz",
)
MOST_SECONDS, MOST_MIB = 5, 64


def fuzz(name, count, seed, path):
    """What became of the damaged copies of one file."""
    whole = (GOLDEN / name).read_bytes()
    before = timing.peak_mib()
    report = {"refused": 0, "read": 0, "slowest_ms": 0.0, "wrong": []}
    for number, data in enumerate(mutations(whole, count, seed)):
        path.write_bytes(data)
        start, wrong = time.perf_counter(), None
        try:
            arrays = formats.read(path).arrays
            if sum(x.nbytes for x in arrays.values()) > len(data):
                wrong = "arrays larger than the file"
            report["read"] += 1
        except WeightsError:
            report["refused"] += 1
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"[:300]
        seconds = time.perf_counter() - start
        report["slowest_ms"] = max(report["slowest_ms"], round(1e3 * seconds, 2))
        if seconds > MOST_SECONDS:
            wrong = f"{seconds:.1f} s"
        if wrong:
            kept = Path(f"fuzz_{name}_{number}")
            kept.write_bytes(data)
            report["wrong"].append({"input": str(kept), "what": wrong})
    report["memory_grew_mib"] = timing.peak_mib() - before
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000, help="a file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="50 inputs a file")
    arguments = parser.parse_args()
    count = 50 if arguments.smoke else arguments.inputs
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged"
        results = {name: fuzz(name, count, arguments.seed, path) for name in FILES}
    report = {"inputs": count, "files": results, **machine.describe()}
    print(json.dumps(report, indent=2))
    sys.exit(
        any(r["wrong"] or r["memory_grew_mib"] > MOST_MIB for r in results.values())
    )


if __name__ == "__main__":
    main()
