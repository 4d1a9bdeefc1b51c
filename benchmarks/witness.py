"""The demo's first 60 steps, here and in another checkout: the same, bit for bit?

git worktree add ../before REV
python -m benchmarks.witness --against ../before

Prints the SHA-256 of the parameters of both (they depend on the processor and on the
versions of the libraries, so both are run on this machine); ends with status 1 where
they differ. Without --against, that of this checkout alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import machine

ROOT = Path(__file__).resolve().parent.parent
STEPS = 60


def params_sha256(root: Path) -> str:
    """Train the demo for `STEPS` steps with the sources of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder) / "run"
        subprocess.run(
            [
                sys.executable,
                "train.py",
                "--config=configs/shapes_fcn8s.py",
                f"--workdir={workdir}",
                *(
                    f"--config.{name}={STEPS}"
                    for name in ("num_steps", "eval_every", "checkpoint_every")
                ),
            ],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            check=True,
            stdout=sys.stderr,
        )
        return json.loads((workdir / "result.json").read_text())["params_sha256"]


def main() -> None:
    """Run one checkout, or two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout")
    arguments = parser.parse_args()
    report = {"steps": STEPS, "here": params_sha256(ROOT)}
    if arguments.against:
        report["there"] = params_sha256(arguments.against.resolve())
        report["same"] = report["here"] == report["there"]
    print(json.dumps(report | machine.describe(), indent=2))
    sys.exit(not report.get("same", True))


if __name__ == "__main__":
    main()
