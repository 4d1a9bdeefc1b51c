"""DeconvNet's two stages on the built-in shapes, seed by seed, against FCN-8s.

python -m benchmarks.stages_on_shapes --out=runs/stages --mode=from_fcn32s
python -m benchmarks.stages_on_shapes --out=runs/stages --mode=any_size
python -m benchmarks.stages_on_shapes --out=runs/stages --mode=full    # from scratch
python -m benchmarks.stages_on_shapes --out=runs/stages --longer=8     # for a GPU
python -m benchmarks.stages_on_shapes --out=runs/stages --seeds 0 --smoke

For every seed: FCN-8s (the demo's config), stage 1, stage 2 from it; then DeconvNet on
proposals, on the whole image as it is, and on the whole image as one window; and the
ensemble with FCN-8s; these also with the CRF behind them. Stage 1 starts from scratch,
or, as on CamVid, from an FCN-32s that went on from that FCN-8s on the objects of stage
1: the decoder then begins as an upsampling of its scores. In mode any_size it does so
too, and things take from 2 % to 90 % of an image, with textures that grow with them.
With --longer all train as many times the steps of their configs. Prints JSON: mean IU,
and mean IU by object size, of every seed, their mean and standard deviation. Runs of
this mode and length that are finished are not done again. Half an hour a seed on two
cores.
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
STAGE2 = "shapes_deconvnet_stage2"
SIZES = ("small", "medium", "large")
MODES = ("full", "from_fcn32s", "any_size")


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


def train(config, mode, workdir, seed, longer, **settings):
    """Train unless it is done; a mode that the config has not is its "full"."""
    module = named.load(config)
    mode = mode if mode in module.MODES else "full"
    if not (workdir / "result.json").exists():
        steps = longer * module.get_config(mode).num_steps
        settings |= {"seed": seed, "num_steps": steps}
        settings |= {"eval_every": steps // 2, "checkpoint_every": steps // 2}
        run(
            "train.py",
            f"--config={config}:{mode}",
            f"--workdir={workdir}",
            *given(settings),
        )


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


def one_seed(folder, seed, proposals, mode, longer):
    """The results of one seed, by method."""
    fcn, coarse, first, second = (
        folder / name for name in ("fcn8s", "fcn32s", "stage1", "stage2")
    )
    common = (seed, longer)
    train("shapes_fcn8s", mode, fcn, *common)
    start = {}
    if mode != "full":
        train("shapes_fcn32s_objects", mode, coarse, *common, init_from=fcn)
        start["init_from"] = coarse
    if mode == "smoke":
        start["model.decoder_start"] = "upsampling"
    train("shapes_deconvnet_stage1", mode, first, *common, **start)
    cached = {"data.objects.cache_dir": proposals}
    train(STAGE2, mode, second, *common, **{**start, "init_from": first}, **cached)
    results = {}
    for method in ("whole", "window", "proposals"):
        options = list(given({**cached, "inference.method": method}))
        if method == "proposals":
            options += [f"--with_run={fcn}", "--config.crf.parameters=pydensecrf"]
        found = evaluate(f"{STAGE2}:{mode}", second, folder / method, *options)
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


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--mode", choices=MODES, default="from_fcn32s", help="of the configs"
    )
    parser.add_argument("--longer", type=int, default=1, help="times the steps")
    parser.add_argument(
        "--smoke", action="store_true", help="two steps a run, whatever the mode"
    )
    arguments = parser.parse_args(argv)
    mode = "smoke" if arguments.smoke else arguments.mode
    out, longer = arguments.out.resolve(), arguments.longer
    runs = out / f"{mode}_x{longer}"
    by_seed = [
        one_seed(runs / f"seed{seed}", seed, out / "proposals", mode, longer)
        for seed in arguments.seeds
    ]
    report = {"by_seed": by_seed, "summary": summary(by_seed)}
    report |= {"mode": mode, "longer": longer, **machine.describe()}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
