"""Loss sampling on the shapes: convergence by updates and by time.

python -m benchmarks.sampling --out=runs/sampling --figure=docs/figures/sampling.svg
python -m benchmarks.sampling --out=DIR --smoke

What figure 5 of Long et al. 2015 (arXiv:1411.4038, sec. 4.4) compares: the loss of
whole images, and loss sampling with probability 0.5 and 0.25 with as many times more
images an update, so that as many cells count. A narrow FCN-8s from scratch; cells are
those of its finest scores, 8 pixels a side. A row, a probability and a seed, is done
once and kept under --out; what is there is not done again. About five minutes of a
core. Prints JSON, or with --table a table.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import optax

from benchmarks.common import learning, machine
from fcn_jax import runtime
from fcn_jax.storage import files

SHARES = (1.0, 0.5, 0.25)
SEEDS = (0, 1)
PART, UPDATES, EVERY, HELD_OUT = 4, 200, 20, 32
LEARNING_RATE = 2e-3  # AdamW.


def row(network, held_out, share, seed, updates, every):
    """The curve of a probability and a seed."""
    plan = learning.Plan(
        optax.adamw(LEARNING_RATE),
        updates,
        parts=round(1 / share),
        share=share,
        seed=seed,
        every=every,
    )
    _, curve = learning.learn(
        network, plan, lambda variables: network.score(variables, held_out)
    )
    return {"share": share, "seed": seed, "curve": curve}


def mean_curves(rows):
    """By probability: the curve averaged over the seeds."""
    found = {}
    for share in SHARES:
        curves = [r["curve"] for r in rows if r["share"] == share]
        found[share] = [
            {name: statistics.mean(p[name] for p in points) for name in points[0]}
            for points in zip(*curves, strict=True)
        ]
    return found


def reached(curve, loss):
    """The first point at which the loss is as low; None if it never is."""
    return next((point for point in curve if point["loss"] <= loss), None)


def summary(curves):
    """Of each probability: its end, and what it took to where whole images end."""
    goal = max(curve[-1]["loss"] for curve in curves.values())
    found = {}
    for share, curve in curves.items():
        at = reached(curve, goal)
        found[str(share)] = {
            "loss": curve[-1]["loss"],
            "mean_iu": curve[-1]["mean_iu"],
            "images": curve[-1]["images"],
            "seconds": curve[-1]["seconds"],
            "updates_to_goal": at and at["update"],
            "seconds_to_goal": at and at["seconds"],
        }
    return goal, found


def table(goal, found):
    """As Markdown."""
    lines = [
        "| probability | images of an update | loss at the end | mean IU "
        f"| updates to loss {goal:.3f} | CPU seconds to it |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for share, values in found.items():
        to = values["updates_to_goal"], values["seconds_to_goal"]
        lines.append(
            f"| {share} | {round(PART / float(share))} | {values['loss']:.3f} "
            f"| {values['mean_iu']:.3f} | {to[0]:.0f} | {to[1]:.0f} |"
        )
    return "\n".join(lines)


def draw(curves, path):
    """Loss by updates, and by time."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    panes = figure.subplots(1, 2, sharey=True)
    for axes, name, label in zip(
        panes, ("update", "seconds"), ("updates", "CPU seconds"), strict=True
    ):
        for share, curve in curves.items():
            text = "whole images" if share == 1 else f"{share:.0%} of the cells"
            xs, ys = ([point[key] for point in curve] for key in (name, "loss"))
            axes.plot(xs, ys, label=text, linewidth=1.5)
        axes.set_xlabel(label)
    panes[0].set_ylabel("loss of held-out images, nats")
    panes[0].legend(frameon=False)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fcn_jax"}):
        files.write_whole(
            path,
            lambda part: figure.savefig(part, format="svg", metadata={"Date": None}),
        )


def main():
    parser = argparse.ArgumentParser(description="Convergence with loss sampling.")
    parser.add_argument("--out", type=Path, help="of the rows; none: they are not kept")
    parser.add_argument("--figure", type=Path, help="SVG of the curves")
    parser.add_argument("--table", action="store_true", help="Markdown, no JSON")
    parser.add_argument("--smoke", action="store_true", help="a narrow net, 2 updates")
    arguments = parser.parse_args()
    runtime.prepare()
    config = learning.narrow_config(PART, arguments.smoke)
    updates, every = (2, 1) if arguments.smoke else (UPDATES, EVERY)
    network = learning.Network(config)
    held_out = learning.held_out(config, PART if arguments.smoke else HELD_OUT)
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        rows = [
            learning.kept(
                out / f"{share}_{seed}.json",
                lambda s=share, n=seed: row(network, held_out, s, n, updates, every),
            )
            for seed in SEEDS[: 1 if arguments.smoke else None]
            for share in SHARES
        ]
    curves = mean_curves(rows)
    goal, found = summary(curves)
    if arguments.figure:
        draw(curves, arguments.figure)
    if arguments.table:
        print(table(goal, found))
    else:
        settings = {"updates": updates, "part": PART, "seeds": len(SEEDS)}
        report = {"goal": goal, "shares": found, **settings, **machine.describe()}
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
