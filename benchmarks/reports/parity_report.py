"""The page that `parity.py` writes."""

from collections.abc import Mapping, Sequence
from typing import Any

_INTRODUCTION = """# Parity with PyTorch

Written by `python -m benchmarks.parity`; the figures behind it are in `parity.json`.

The nets here against nets in plain PyTorch, which `benchmarks/peers/pytorch_nets.py`
builds from the published layer lists alone. PyTorch draws the weights (He et al. 2015;
biases and scales as large as those of trained nets, the statistics of DeconvNet's
BatchNorm those of four other images) and saves them;
`fcn_jax.load_weights` reads that file. A relative difference is the largest difference
divided by the largest value of the map.

The authors' own files are executed by `python -m benchmarks.definition FILE.prototxt
--model=NAME`, in float64, with random weights. Relative to the largest score ours
(float32) differ by 9.2e-07 to 1.0e-06 for voc-fcn-alexnet/val.prototxt (97x150, 227x227
and 375x500; commit 0a54afe of shelhamer/fcn.berkeleyvision.org) and by 1.3e-06 for
voc-fcn8s/deploy.prototxt (97x150; 11be628), on an AMD EPYC; all pixels have the same
class."""

_FORWARD = """## Logits, classes and metrics

float32, {width}, one image. Goal: logits within {goal:g}. The metrics are
computed by each side's own code, against labels that agree with PyTorch's prediction
at seven pixels of ten."""

_SWITCHES = """DeconvNet unpools by PyTorch's switches: in float32 the two largest
values of a window can change places by rounding, which moves a value by a pixel. The
share of its own switches that differ from PyTorch's stands beside it; in float64 none
does (`tests/parity/test_deconvnet.py`)."""

_TRAINING = """## Gradients and steps of SGD

float64, 1/16 of the width. The gradients of the mean cross-entropy with a tenth of the
pixels void, and the parameters after {steps} steps of SGD as Caffe takes them (momentum
0.9, decay 5e-4, biases at twice the rate). For each the parameter that is furthest off,
as a fraction of its largest value; of biases before BatchNorm, whose gradient is zero
but for rounding, of the largest value of all. Goal: {goal:g}. DeconvNet has a tenth of
the learning rate: at 0.01 its random weights diverge, and rounding with them."""

_LAYERS = """## Layer by layer

The output of every layer before its ReLU: largest difference, and in brackets the
relative one."""


def render(report: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    width = "full width" if report["width"] == 1 else f"width {report['width']:g}"
    goals = report["goals"]
    parts, made_with = [_INTRODUCTION], report["made_with"]
    if "forward" in report:
        parts += [
            _FORWARD.format(width=width, goal=goals["logits"]),
            _made_with(made_with["forward"]),
            _forward_table(report["forward"]),
        ]
        if any("other_switches" in r for r in report["forward"]):
            parts.append(_SWITCHES)
    if report.get("training"):
        steps = report["training"][0]["steps"]
        parts += [
            _TRAINING.format(steps=steps, goal=goals["training"]),
            _made_with(made_with["training"]),
            _training_table(report["training"]),
        ]
    if "forward" not in report:
        return "\n\n".join(parts) + "\n"
    parts.append(_LAYERS)
    for name in dict.fromkeys(r["net"] for r in report["forward"]):
        parts += [f"### {name}", _layer_table(report["forward"], name)]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _made_with(report):
    versions = ", ".join(f"{n} {report[n]}" for n in ("jax", "flax", "torch"))
    return (
        f"Commit {report['commit']}, {versions}, on {report['devices'][0]} "
        f"({report['cpu']}, {report['cores']} cores)."
    )


def _size(size):
    return f"{size[0]}x{size[1]}"


def _forward_table(reports):
    head = (
        "net",
        "image",
        "logits, max difference",
        "relative",
        "same class",
        "mean IU, ours / PyTorch",
        "other metrics, max difference",
        "other switches",
        "goal",
    )
    rows = []
    for r in reports:
        iu = r["metrics"]["mean_iu"]
        others = [
            abs(both["ours"] - both["pytorch"])
            for name, both in r["metrics"].items()
            if name != "mean_iu"
        ]
        switches = r.get("other_switches")
        rows.append(
            (
                r["net"],
                _size(r["size"]),
                f"{r['logits']['max']:.1e}",
                f"{r['logits']['relative']:.1e}",
                f"{100 * r['same_class']:.4f} %",
                f"{iu['ours']:.6f} / {iu['pytorch']:.6f}",
                f"{max(others):.1e}",
                "" if switches is None else f"{switches:.1e}",
                _met(r),
            )
        )
    return table(head, rows)


def _training_table(reports):
    head = (
        "net",
        "batch",
        "rate",
        "loss",
        "gradients",
        "furthest off",
        "after the steps",
        "furthest off",
        "goal",
    )
    rows = []
    for r in reports:
        options = [
            f"{key}={value}"
            for key, value in r["options"].items()
            if key != "dropout_rate"
        ]
        gradients, parameters = r["gradients"], r["parameters"]
        rows.append(
            (
                " ".join((r["net"], *options)),
                f"{r['batch']} of {_size(r['size'])}",
                f"{r['rate']:g}",
                f"{r['loss_relative']:.1e}",
                f"{gradients['relative']:.1e}",
                gradients["parameter"],
                f"{parameters['relative']:.1e}",
                parameters["parameter"],
                _met(r),
            )
        )
    return table(head, rows)


def _layer_table(reports, name):
    reports = [r for r in reports if r["net"] == name]
    head = ("layer", *(_size(r["size"]) for r in reports))
    rows = []
    for layer in reports[0]["layers"]:
        found = [r["layers"][layer] for r in reports]
        cells = [f"{d['max']:.1e} ({d['relative']:.1e})" for d in found]
        rows.append((layer, *cells))
    return table(head, rows)


def _met(report):
    return "met" if report["good"] else "**missed**"
