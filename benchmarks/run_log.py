"""What the log of a run says of its speed.

python -m benchmarks.run_log runs/camvid_gpu

Prints JSON: `images_per_second` and `waiting`, the share of the time in which steps
waited for their batches, both medians of the second half of the lines that have them;
the last step, and the best mean IU that was validated.
"""

import argparse
import json
import statistics
from pathlib import Path

from benchmarks.common import machine
from fcn_jax.runs import logs


def speed(lines):
    """Of the lines of a log.

    Args:
        lines: As mappings.
    """
    timed = [line for line in lines if line.get("images_per_second", 0) > 0]
    late = timed[len(timed) // 2 :]
    if not late:
        return {"unmeasured": "the log has no line with a speed"}
    scores = [line["mean_iu"] for line in lines if line.get("mean_iu") is not None]
    return {
        "step": max(line.get("step", 0) for line in lines),
        "images_per_second": round(
            statistics.median(line["images_per_second"] for line in late), 1
        ),
        "waiting": round(statistics.median(line["waiting"] for line in late), 4),
        "best_mean_iu": max(scores) if scores else None,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workdir", type=Path, help="of fcn_jax train")
    path = parser.parse_args().workdir / "log.jsonl"
    if path.exists():
        found = speed(logs.read(path))
    else:
        found = {"unmeasured": f"{path} is not there: no run has begun"}
    print(json.dumps({**found, **machine.describe()}, indent=2))


if __name__ == "__main__":
    main()
