r"""DeconvNet's two stages on the built-in shapes, seed by seed, against FCN-8s.

python -m benchmarks.stages_on_shapes --out=runs/stages          # 15 minutes a seed
python -m benchmarks.stages_on_shapes --out=runs/stages_fcn --start=fcn32s
python -m benchmarks.stages_on_shapes --out=runs/sizes --start=fcn32s \
    --data=shapes_any_size
python -m benchmarks.stages_on_shapes --out=runs/stages --longer=8    # a GPU
python -m benchmarks.stages_on_shapes --out=runs/stages --seeds 0 --smoke

For every seed: FCN-8s (the demo's config), stage 1, stage 2 from it; then DeconvNet on
proposals, on the whole image as it is, and on the whole image as one window; and the
ensemble with FCN-8s; these also with the CRF behind them. Stage 1 starts from scratch,
or, as on CamVid, from an FCN-32s that went on from that FCN-8s on the objects of stage
1: the decoder then begins as an upsampling of its scores. With --data=shapes_any_size
things take from 2 % to 90 % of an image, and their textures grow with them. With
--longer all train as many times the steps of their configs. Prints JSON: mean IU, and
mean IU by object size, of every seed, their mean and standard deviation. Runs that are
finished are not done again.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.common import machine
from fcn_jax.config import named

ROOT = Path(__file__).resolve().parent.parent
SIZES = ("small", "medium", "large")
STARTS = ("scratch", "fcn32s")
# What each data set changes in the configs, and in those that have proposals.
DATA = {
    "shapes": ({}, {}),
    "shapes_any_size": (
        {"data.name": "shapes_any_size"},
        # The smallest boxes have 154 pixels.
        {"data.objects.proposal_options.min_box_area": 120},
    ),
}
_STAGE1 = named.load("shapes_deconvnet_stage1").get_config()
# What FCN-32s sees, as stage 1, and the rate at which nets go on that were trained.
_ON_OBJECTS = {
    "model.name": "fcn32s",
    "model.batch_norm_fc": True,
    "data.crop": tuple(_STAGE1.data.crop),
    "batch_size": _STAGE1.batch_size,
    **{
        f"data.objects.{key}": _STAGE1.data.objects[key]
        for key in ("stage", "size", "min_area")
    },
}
_GOES_ON = {"optim.learning_rate": 1e-3}
_FROM_SCORES = {"model.decoder_start": "upsampling", **_GOES_ON}


def run(*command):
    """A script of this project, in its own process."""
    print("$ python", *command, file=sys.stderr, flush=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=sys.stderr,
    )


def given(settings):
    """Settings of a config as options of a command."""
    return tuple(f"--config.{key}={value}" for key, value in settings.items())


def train(config, workdir, seed, longer, *options):
    if not (workdir / "result.json").exists():
        name, _, mode = config.partition(":")
        found = named.load(name).get_config(*((mode,) if mode else ()))
        steps = longer * found.num_steps
        counts = {"num_steps": steps, "eval_every": steps // 2}
        options += given({"seed": seed, **counts, "checkpoint_every": steps // 2})
        run("train.py", f"--config={config}", f"--workdir={workdir}", *options)


def evaluate(config, workdir, out, *options):
    """What `eval.py --compare` found."""
    file = out / "comparison.json"
    if not file.exists():
        run(
            "eval.py",
            f"--config={config}",
            f"--workdir={workdir}",
            f"--out={out}",
            "--compare",
            *options,
        )
    return json.loads(file.read_text())


def one_seed(folder, seed, proposals, mode, longer, start, data):
    """The results of one seed, by method."""
    fcn, first, second = (folder / name for name in ("fcn8s", "stage1", "stage2"))
    of_data = given(DATA[data][0])
    options = {"data.objects.cache_dir": proposals}
    if not mode:  # `smoke` looks at windows.
        options |= DATA[data][1]
    of_proposals = (*of_data, *given(options))
    train(f"shapes_fcn8s{mode}", fcn, seed, longer, *of_data)
    going_on = {}
    if start == "fcn32s":
        coarse = {"init_from": fcn, **_ON_OBJECTS, **_GOES_ON}
        going_on = dict(_FROM_SCORES)
        if mode:  # The nets of `smoke` differ.
            coarse |= {"batch_size": 4, "model.fc_features": 512}
            going_on["model.width"] = 1 / 16
        coarse = (*of_data, *given(coarse))
        train(f"shapes_fcn8s{mode}", folder / start, seed, longer, *coarse)
    before = {"init_from": folder / start, **going_on} if going_on else {}
    before = (*of_data, *given(before))
    train(f"shapes_deconvnet_stage1{mode}", first, seed, longer, *before)
    after = (*of_proposals, *given({"init_from": first, **going_on}))
    train(f"shapes_deconvnet_stage2{mode}", second, seed, longer, *after)
    results = {}
    for method in ("whole", "window", "proposals"):
        options = [*of_proposals, f"--config.inference.method={method}"]
        if method == "proposals":
            options += [f"--with_run={fcn}", "--config.crf.parameters=pydensecrf"]
        found = evaluate(
            f"shapes_deconvnet_stage2{mode}", second, folder / method, *options
        )
        results[f"DeconvNet, {method}"] = found["deconvnet"]
        if method == "proposals":
            results["FCN-8s"] = found["fcn8s"]
            results["EDeconvNet"] = found["ensemble"]
            results[f"DeconvNet, {method}, CRF"] = found["deconvnet+CRF"]
            results["FCN-8s, CRF"] = found["fcn8s+CRF"]
            results["EDeconvNet, CRF"] = found["ensemble+CRF"]
    return {
        name: {"mean_iu": result["mean_iu"]}
        | {size: result["by_object_size"][size]["mean_iu"] for size in SIZES}
        for name, result in results.items()
    }


def summary(by_seed):
    """Mean and standard deviation over the seeds, by method and measure."""
    found = {}
    for name in by_seed[0]:
        found[name] = {}
        for measure in ("mean_iu", *SIZES):
            values = [result[name][measure] for result in by_seed]
            values = [value for value in values if value is not None]
            if values:
                spread = statistics.stdev(values) if len(values) > 1 else None
                found[name][measure] = {"mean": statistics.mean(values), "std": spread}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--start", choices=STARTS, default="scratch")
    parser.add_argument("--data", choices=tuple(DATA), default="shapes")
    parser.add_argument("--longer", type=int, default=1, help="times the steps")
    parser.add_argument("--smoke", action="store_true", help="two steps a run")
    arguments = parser.parse_args()
    mode = ":smoke" if arguments.smoke else ""
    out = arguments.out.resolve()
    by_seed = [
        one_seed(
            out / f"seed{seed}",
            seed,
            out / "proposals",
            mode,
            arguments.longer,
            arguments.start,
            arguments.data,
        )
        for seed in arguments.seeds
    ]
    report = {"by_seed": by_seed, "summary": summary(by_seed)}
    report |= {"start": arguments.start, "longer": arguments.longer}
    report |= {"data": arguments.data}
    report |= machine.describe()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
