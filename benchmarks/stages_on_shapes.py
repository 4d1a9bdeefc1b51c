"""DeconvNet's two stages on the built-in shapes, seed by seed, against FCN-8s.

python -m benchmarks.stages_on_shapes --out=runs/stages          # 15 minutes a seed
python -m benchmarks.stages_on_shapes --out=runs/stages --seeds 1 --smoke

For every seed: FCN-8s (the demo's config), stage 1, stage 2 from it; then DeconvNet on
proposals, on the whole image as it is, and on the whole image as one window; and the
ensemble with FCN-8s. Prints JSON: mean IU, and mean IU by object size, of every seed,
their mean and standard deviation. Runs that are finished are not done again.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.common import machine

ROOT = Path(__file__).resolve().parent.parent
SIZES = ("small", "medium", "large")


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


def train(config, workdir, seed, *options):
    if not (workdir / "result.json").exists():
        name = f"--config=configs/{config}.py"
        run("train.py", name, f"--workdir={workdir}", f"--config.seed={seed}", *options)


def evaluate(config, workdir, out, *options):
    """What `eval.py --compare` found."""
    file = out / "comparison.json"
    if not file.exists():
        name = f"--config=configs/{config}.py"
        run(
            "eval.py",
            name,
            f"--workdir={workdir}",
            f"--out={out}",
            "--compare",
            *options,
        )
    return json.loads(file.read_text())


def one_seed(folder, seed, proposals, mode):
    """The results of one seed, by method."""
    fcn, first, second = (folder / name for name in ("fcn8s", "stage1", "stage2"))
    cache = f"--config.data.objects.cache_dir={proposals}"
    train(f"shapes_fcn8s{mode}", fcn, seed)
    train(f"shapes_deconvnet_stage1{mode}", first, seed)
    start = f"--config.init_from={first}"
    train(f"shapes_deconvnet_stage2{mode}", second, seed, start, cache)
    results = {}
    for method in ("whole", "window", "proposals"):
        options = [cache, f"--config.inference.method={method}"]
        if method == "proposals":
            options.append(f"--with_run={fcn}")
        found = evaluate(
            f"shapes_deconvnet_stage2{mode}", second, folder / method, *options
        )
        results[f"DeconvNet, {method}"] = found["deconvnet"]
        if method == "proposals":
            results["FCN-8s"] = found["fcn8s"]
            results["EDeconvNet"] = found["ensemble"]
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
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="two steps a run")
    arguments = parser.parse_args()
    mode = ":smoke" if arguments.smoke else ""
    out = arguments.out.resolve()
    by_seed = [
        one_seed(out / f"seed{seed}", seed, out / "proposals", mode)
        for seed in range(arguments.seeds)
    ]
    report = {"by_seed": by_seed, "summary": summary(by_seed), **machine.describe()}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
