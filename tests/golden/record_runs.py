# ruff: noqa: E402
"""Record what runs, exports and converted weights of commit 5508d41 look like on disk.

git worktree add ../old 5508d41 && cp tests/golden/record_runs.py ../old/tests/golden/
cd ../old && python tests/golden/record_runs.py

Everything in tests/golden/trained was written by that commit and is never written anew:
what a later version of the package cannot read is a loss to whoever has such a file.
tests/test_golden_runs.py holds every later version against it.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))

import jax
import numpy as np
import test_deconvnet_runs as deconvnet_runs
import test_train_script as train_script

import train
from fcn_jax import configuration, export, runs
from fcn_jax.weights import exporting

OUT = Path(__file__).with_name("trained")
KEPT = ("config.json", "log.jsonl", "result.json", "checkpoints")
SIDE = 16


def configs(folder):
    tiny = {
        "model.width": 1 / 64,
        "optim.learning_rate": 1e-3,
        "num_steps": 4,
        "keep_checkpoints": 1,
    }
    objects = {
        "data.objects.stage": "objects",
        "data.objects.size": SIDE + 2,
        "data.crop": (SIDE, SIDE),
        "inference.method": "window",
    }
    return {
        "fcn8s": train_script.tiny_config(folder, **tiny),
        "deconvnet_stage1": deconvnet_runs.deconvnet_config(folder, **tiny | objects),
        "fcn8s_crf": train_script.tiny_config(
            folder, **tiny | {"model.crf": "pydensecrf"}
        ),
    }


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    arrays, scores = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # The configs then name no directory of this machine.
        train_script.make_folder(Path("folder"))
        for name, config in configs("folder").items():
            train.train(config, name)
            (OUT / name).mkdir()
            for part in KEPT:
                copy = shutil.copytree if part == "checkpoints" else shutil.copy
                copy(Path(name) / part, OUT / name / part)
            run = runs.Evaluation(configuration.config_of_run(name), name)
            scores[name] = run.score()
            images, labels, log_probs = zip(*run.log_probs(), strict=True)
            arrays |= {"images": np.stack(images), "labels": np.stack(labels)}
            arrays[f"{name}/log_probs"] = np.stack(log_probs)
        member = runs.Member(
            configuration.config_of_run("fcn8s"), "fcn8s", None, jax.devices()[:1]
        )
        variables = jax.tree.map(lambda x: x[0], member.variables)
        export.export_network(
            OUT / "fcn8s.zip",
            member.model,
            variables,
            classes=run.source.classes,
            palette=run.source.palette,
            preprocessing=member.recipe,
        )
        for name in ("fcn8s.npz", "fcn8s.safetensors", "fcn8s_converted"):
            exporting.save_weights(
                OUT / name, variables, member.model, preprocessing=member.recipe
            )
    np.savez_compressed(OUT / "expected.npz", **arrays)
    (OUT / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")


if __name__ == "__main__":
    main()
