"""What benchmarks of weak labels share: runs by config, and how good labels are."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.common import learning
from fcn_jax.data.contracts import Source
from fcn_jax.evaluation import metrics

_ROOT = Path(__file__).resolve().parents[2]


def final_mean_iu(config: str, folder: Path, options: Sequence[str]) -> float:
    """The mean IU at the end of a run, which is done if it is not.

    Args:
        config: A name of configs/, perhaps with ":" and a mode.
        folder: The run's directory.
        options: Further ones of train.py.
    """
    if not (folder / "result.json").exists():
        name, colon, mode = config.partition(":")
        command = [
            sys.executable,
            str(_ROOT / "train.py"),
            f"--config={_ROOT / 'configs' / name}.py{colon}{mode}",
            f"--workdir={folder}",
            *options,
        ]
        print("$", *command, file=sys.stderr, flush=True)
        environment = os.environ | {"PYTHONPATH": str(_ROOT)}
        subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
    scores = [
        entry["mean_iu"]
        for line in (folder / "log.jsonl").read_text().splitlines()
        if (entry := json.loads(line))["kind"] == "eval"
    ]
    return float(scores[-1])


def mean_iu_of_labels(weak: Source, masks: Source, classes: int, count: int) -> float:
    """The mean IU of the labels of a source against masks of the same images.

    Args:
        weak: With the labels.
        masks: With the masks, in the same order.
        classes: How many there are.
        count: Images that are looked at, the first.
    """
    confusion = np.zeros((classes, classes), np.int64)
    for place in range(count):
        truth, found = masks[place]["labels"], weak[place]["labels"]
        confusion += learning.counted(truth[None], found[None], classes)
    return float(metrics.scores(confusion)["mean_iu"])
