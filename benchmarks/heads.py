"""How fc6 and fc7 best begin where the trunk is trained and they are not, on CamVid.

python -m benchmarks.heads --root=DIR --out=runs/heads --minutes=30  # until all is done
python -m benchmarks.heads --out=runs/heads --minutes=0               # what is there
python -m benchmarks.heads --root=DIR --out=runs/heads --only "7x7, 1,024 features"
python -m benchmarks.heads --out=DIR --smoke                          # two steps each

FCN-8s at half resolution from the trunk of `configs/camvid_fcn32s_vgg.py`, 230 steps of
8 images for each form: fc6 of 7x7 with 1,024 and with 4,096 features, of 3x3 dilated to
the same window (LargeFOV's), normalised, and learned for half of the steps alone above
a frozen trunk. A call ends within its minutes: a run that is not finished is stopped
and goes on in the next, and what is finished is not done again. A row takes about 20
minutes on two cores. Prints JSON, and writes OUT/heads.md, a table.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import machine
from fcn_jax.runs import logs
from fcn_jax.storage import files

ROOT = Path(__file__).resolve().parent.parent
STEPS = 230
# Seconds before the end of a slice at which a run is asked to save and stop.
MARGIN = 90
_PLAIN = {"model.name": "fcn8s", "model.batch_norm_fc": False, "num_pictures": 0}
# What differs from the config, for each part of a run that starts from the one before:
# the share of the steps, and keys.
FORMS = {
    "7x7, 1,024 features": [(1.0, {})],
    "7x7, 4,096 features": [(1.0, {"model.fc_features": 4096})],
    "7x7, 1,024 features, BatchNorm": [(1.0, {"model.batch_norm_fc": True})],
    "3x3 dilated, 1,024 features": [(1.0, {"model.fc6_dilation": 3})],
    "3x3 dilated, 4,096 features": [
        (1.0, {"model.fc6_dilation": 3, "model.fc_features": 4096})
    ],
    "7x7, 1,024 features, first above a frozen trunk": [
        (0.5, {"optim.frozen": ("conv*",)}),
        (0.5, {}),
    ],
}
_SMOKE = {"data.name": "shapes", "model.num_classes": 7, "data.crop": (80, 96)}


def parts(out, form, root, smoke, steps=STEPS):
    """The directories of a row's runs, in order, and the command of each."""
    before = ""
    for number, (share, keys) in enumerate(FORMS[form]):
        name = form.replace(", ", "_").replace(",", "").replace(" ", "_")
        workdir = out / f"{name}_{number}"
        own = 2 if smoke else round(share * steps)
        settings = _PLAIN | keys | {"num_steps": own, "eval_every": own}
        settings |= {"checkpoint_every": min(own, 40)}
        settings |= _SMOKE if smoke else {"data.root": str(root)}
        if before:
            settings["init_from"] = before
        yield (
            workdir,
            [
                *(sys.executable, "train.py", f"--workdir={workdir}"),
                f"--config=configs/camvid_fcn32s_vgg.py{':smoke' if smoke else ''}",
                *(f"--config.{key}={value}" for key, value in settings.items()),
            ],
        )
        before = str(workdir)


def train(command, deadline):
    """Train till it is done or the time is over; whether it is done."""
    left = deadline - time.monotonic() - MARGIN
    if left <= 0:
        return False
    print("$", *command[1:], file=sys.stderr, flush=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=sys.stderr, start_new_session=True
    )
    try:
        code = process.wait(left)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)  # It saves its state.
        process.wait(MARGIN)
        return False
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code:
        sys.exit(f"train.py ended with status {code}: see above.")
    return True


def measured(workdirs):
    """What the runs of a row found: the scores of the last, the times of all."""
    result = json.loads((workdirs[-1] / "result.json").read_text("utf-8"))
    entries = [e for workdir in workdirs for e in logs.read(workdir / "log.jsonl")]
    speeds = [e["images_per_second"] for e in entries if e["kind"] == "train"]
    losses = [e["mean_loss"] for e in entries if e["kind"] == "train"]
    config = json.loads((workdirs[-1] / "config.json").read_text("utf-8"))
    return {
        "mean_iu": result["scores"]["mean_iu"],
        "pixel_accuracy": result["scores"]["pixel_accuracy"],
        "validation_loss": result["scores"]["loss"],
        "mean_loss": losses[-1],
        "seconds_per_step": config["batch_size"] / statistics.median(speeds),
        "iu": result["scores"]["iu"],
    }


def table(rows):
    """Rows as Markdown; forms that are missing have dashes."""
    lines = [
        "| fc6 and fc7 | mean IU | pixel accuracy | loss, training | validation "
        "| seconds a step |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    names = ("mean_iu", "pixel_accuracy", "mean_loss", "validation_loss")
    for form in FORMS:
        found = rows.get(form)
        cells = [f"{found[name]:.3f}" for name in names] if found else ["-"] * 4
        cells.append(f"{found['seconds_per_step']:.1f}" if found else "-")
        lines.append(f"| {form} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="CamVid, in VOC layout")
    parser.add_argument("--out", type=Path, required=True, help="where the runs are")
    parser.add_argument("--minutes", type=float, default=30.0, help="of this call")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each form")
    parser.add_argument("--only", nargs="+", choices=tuple(FORMS), default=tuple(FORMS))
    parser.add_argument("--smoke", action="store_true", help="narrow nets, two steps")
    arguments = parser.parse_args()
    deadline = time.monotonic() + 60 * arguments.minutes
    if not arguments.root and not arguments.smoke and arguments.minutes:
        parser.error("--root is missing: the folder of CamVid")
    out, rows = arguments.out.resolve(), {}
    root = arguments.root.resolve() if arguments.root else None
    for form in arguments.only:
        made = []
        runs = parts(out, form, root, arguments.smoke, arguments.steps)
        for workdir, command in runs:
            done = (workdir / "result.json").exists() or train(command, deadline)
            if not done:
                break
            made.append(workdir)
        if len(made) == len(FORMS[form]):
            rows[form] = measured(made)
    files.write_text(out / "heads.md", table(rows))
    missing = [form for form in arguments.only if form not in rows]
    report = {"rows": rows, "missing": missing, "steps": arguments.steps}
    report |= machine.describe()
    print(json.dumps(report, indent=2))
    if missing:
        print("run the same command again for the rest", file=sys.stderr)


if __name__ == "__main__":
    main()
