"""The page docs/performance.md and its plot, from what `speed.py` has measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.reports import gpu_report
from benchmarks.reports.parity_report import table
from benchmarks.roofline import roofline, scaling
from fcn_jax.storage import files

Found = Mapping[str, Mapping[str, Any]]  # By device, by name of the measurement.

# Of how many times as fast as PyTorch's side ours should be.
GOALS = {
    "cpu": {
        "fcn8s_inference": ("pytorch", 1.0),
        "deconvnet_inference": ("pytorch", 1.0),
        "fcn8s_training": ("pytorch", 0.8),
        "deconvnet_training": ("pytorch", 0.8),
        "pooling": ("pytorch_channels_last", 4.0),
        "mixed_sizes": ("pytorch", 2.0),
    },
    "gpu": {
        "fcn8s_training": ("pytorch_compiled", 1.2),
        "deconvnet_training": ("pytorch_compiled", 1.2),
    },
}
# How many reads and writes of the map pooling, unpooling and their gradients may take.
COPIES_GOAL = 3.0
TITLES = {
    "fcn8s_inference": "FCN-8s, inference",
    "fcn8s_training": "FCN-8s, training step",
    "deconvnet_inference": "DeconvNet, inference",
    "deconvnet_training": "DeconvNet, training step",
    "proposals": "DeconvNet on 50 proposals of a 375x500 image",
    "pooling": "pool + unpool + gradient, DeconvNet's five maps",
    "mixed_sizes": "evaluation of mixed sizes, FCN-8s",
}
UNMEASURED = "unmeasured"

_INTRODUCTION = """# Performance

Written by `python -m benchmarks.speed` from `speed_cpu.json` and `speed_gpu.json`;
`--render` writes it again without measuring, `--only NAME` measures some of it anew. A
figure that no run has measured is called unmeasured. Times are medians after a warm-up,
all sides in turns, on a CPU each network in a process of its own as its users run it;
"times as fast" is the median, over the rounds, of PyTorch's time divided by ours. Both
sides have the same layers, batch and precision; PyTorch is channels_last."""

_STAGES = """## Floors

FLOPs and bytes are counted from the layer lists (`benchmarks/roofline/roofline.py`): a
convolution reads its input and kernel and writes its output once. The floor is the
larger of the FLOPs at the rate of a matrix product and the bytes at the speed of a
copy, layer by layer, both measured in the same run; the gap is the measured time over
the floor.
Every stage is timed by itself; `head` and `seg-score` are not timed."""

_SLOW_GRADIENT = """## Where XLA was behind

On the CPU the gradient of a 3x3 kernel was the slowest of XLA's products in all but the
last stages. From 64 input channels on it is taken there as a sum over blocks of four
rows (more on narrow maps with many channels): the product of the block's output
gradient and of its windows. This is done in `fcn_jax/ops/convolution.py`; models do not
see it, and other devices keep XLA's own. How much is won depends on the processor: on a
core of an AMD EPYC with AVX-512, from 64 channels on, XLA's own reached 17 to 51
GFLOP/s, ours 48 to 74, PyTorch's 53 to 68 (`python -m benchmarks.convolutions --threads
1`, commit a99b8f5, jax 0.10.2, torch 2.13, beside other work).

Where one device trains alone nothing is summed over devices: XLA copies all gradients
for that sum on a CPU, 3.73 s of a core for a step of DeconvNet at full width in place
of 3.27 (one 224x224 image, the same processor and commit).

In the body of a loop, where micro-batches accumulate, XLA does not bring the gradients
of convolutions into the form that it is fast at: there all are written in that form.

fc6-deconv makes 7x7 cells of every cell: one product would rearrange its kernel,
411 MB, in each pass. Where cells are few, as in training at 224x224, every position of
the kernel has a product of its own (`fcn_jax/ops/bilinear.py`).

## What is not computed twice

Most of the 100 pixels that Caffe's FCNs put around an image look alike, and so do the
maps of them. They are computed once and put in after pool1, pool2 and pool3
(`fcn_jax/ops/wide_padding.py`): the same logits and gradients, with 0.42 of the pixels
in conv1, 0.48 in conv2 and 0.66 in conv3 for a 320x320 image. PyTorch computes all of
them, and the floors below count all of them. `full_padding=True` does so here.

## Memory between steps

The buffers of a step are allocated anew each time, and go back to the system after it;
`train.py` has the C library keep them (`fcn_jax/runtime.py`). A training step of
FCN-8s, 320x320, alone in its process, took 3.98 s without this and 3.67 s with it
(medians of 3 and 2, `benchmarks/networks.py --sides ours` at commits 26f5054 and
b1357b0, 2 cores of an Intel Xeon). The price is memory: the process peaks at 4,880 MiB
(commit 898e5b6; 3,700 at 24cf42e), of which the step needs 2,321. PyTorch has its own
way with memory.

`benchmarks/convolutions.py` times the convolutions, GFLOP/s, best of several calls:"""

_SCALING = """## Data-parallel training: a calculation

Nothing here is measured. A step of {batch} images a chip in bfloat16, its gradients
summed as float32 by a ring all-reduce: of B bytes each of n chips sends
2 B (n - 1) / n. A chip is taken to compute at {share:.0f} % of its published peak, the
goal of this project. "waiting": the all-reduce after the backward pass; "hidden":
beside it, where it has two thirds of the compute to hide behind. Assumptions
(`benchmarks/roofline/scaling.py`): {links}."""


def render(found: Found) -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION]
    for device in ("cpu", "gpu"):
        parts += _device(device, found.get(device, {}))
    parts += [_SLOW_GRADIENT, _products(found.get("cpu", {})), _STAGES]
    for device in ("cpu", "gpu"):
        parts += _stage_tables(device, found.get(device, {}).get("stages", {}))
    parts += _scaling()
    return "\n\n".join(parts) + "\n"


def comparison(report: Mapping[str, Any]) -> dict[str, tuple[float, float | None]]:
    """By side: seconds, and how many times as fast as it ours is (None for ours)."""
    if "stages" in report:  # Pooling: the sum over the maps.
        sums = {}
        for stage in report["stages"]:
            for name, value in stage.items():
                if name.endswith("_ms"):
                    side = name.removesuffix("_ms")
                    sums[side] = sums.get(side, 0) + value / 1e3
        return {
            side: (seconds, None if side == "ours" else seconds / sums["ours"])
            for side, seconds in sums.items()
        }
    if "inference" in report:  # Proposals: as many as the last of the numbers.
        *_, report = report["inference"].values()
    return {
        side: (seconds, None if side == "ours" else 1 / report["ratio"][side])
        for side, seconds in report["seconds"].items()
    }


def plot(found: Found, path: str | Path) -> None:
    """How many times as fast as PyTorch's sides ours is, as bars; none, no file."""
    from matplotlib.figure import Figure

    bars = []
    for device, measured in found.items():
        for name, title in TITLES.items():
            report = measured.get(name, {"unmeasured": ""})
            if isinstance(report.get("unmeasured"), str):
                continue
            for side, (_, times) in comparison(report).items():
                if times is not None and side != "copy":
                    bars.append((f"{title}\n{device}, {_side(side)}", times))
    if not bars:
        return
    figure = Figure(figsize=(9, 1.2 + 0.5 * len(bars)), layout="constrained")
    axes = figure.subplots()
    labels, values = zip(*reversed(bars), strict=True)
    drawn = axes.barh(range(len(values)), values, color="C0")
    axes.bar_label(drawn, fmt="%.2f", padding=3)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.axvline(1, color="0.3", lw=1)
    axes.set_xlabel("times as fast as PyTorch")
    axes.margins(x=0.1)  # Room for the numbers.
    files.write_whole(path, lambda part: figure.savefig(part, format="png", dpi=120))


def _device(device, measured):
    if not measured:
        return [f"## {device.upper()}", "Unmeasured: no run on one yet."]
    rows, others = [], []
    for name, title in TITLES.items():
        report = measured.get(name, {"unmeasured": "not run"})
        reason = report.get("unmeasured")
        if isinstance(reason, str):
            rows.append((title, f"{UNMEASURED}: {reason}", "", "", "", ""))
            continue
        sides = comparison(report)
        for side, (seconds, times) in sides.items():
            if side in ("ours", "copy"):
                continue
            rows.append(
                (
                    title,
                    _side(side),
                    _seconds(sides["ours"][0]),
                    _seconds(seconds),
                    f"{times:.2f}",
                    _goal(device, name, side, times),
                )
            )
        others += [
            (f"{title}, {_side(side)}", f"{UNMEASURED}: {why}")
            for side, why in (reason or {}).items()
        ]
        others += gpu_report.of_sides(title, report)
    head = ("what", "PyTorch", "ours", "PyTorch's", "times as fast", "goal")
    parts = [f"## {device.upper()}", _made_with(measured), table(head, rows)]
    others += _others(measured)
    return [*parts, table(("what", "measured"), others), *gpu_report.tried(measured)]


def _others(measured):
    """Measurements without a side of PyTorch."""

    def line(name, title, text):
        report = measured.get(name, {"unmeasured": "not run"})
        if isinstance(report.get("unmeasured"), str):
            return title, f"{UNMEASURED}: {report['unmeasured']}"
        return title, text(report)

    rows = [
        line("pooling", "pool + unpool + gradient, beside a plain copy", _copy),
        line("proposals", "peak memory, DeconvNet on proposals", _peaks),
        line(
            "input_pipeline",
            "input pipeline, flip, scale and crop",
            lambda r: (
                f"{r['kinds']['flip_scale_crop']['images_per_second']} images/s "
                f"(goal {r['goal_images_per_second']}), limited by {r['limited_by']}"
            ),
        ),
        line(
            "startup",
            "from the start of Python to the end of the first step",
            lambda r: (
                f"cold {r['cold']['seconds']} s, with the compilation cache "
                f"{r['warm']['seconds']} s (goal {r['goals']['warm']['seconds']:g})"
            ),
        ),
        line("crf", "dense CRF", _crf),
        *[
            line(name, title, text)
            for name, (title, text) in gpu_report.LINES.items()
            if name in measured
        ],
    ]
    for name in measured:
        if name.startswith("memory_"):
            title = name.removeprefix("memory_").replace("_", " ", 2)
            rows.append(line(name, f"peak memory, {title}", _memory))
    return rows


def _copy(report):
    sides = comparison(report)
    ratio = sides["ours"][0] / sides["copy"][0]
    found = "met" if ratio <= COPIES_GOAL else "**missed**"
    return (
        f"{_seconds(sides['ours'][0])} against {_seconds(sides['copy'][0])}: "
        f"{ratio:.1f} copies (goal {COPIES_GOAL:g}, {found})"
    )


def _peaks(report):
    *_, timed = report["inference"].values()
    peaks = timed.get("peak_mib_of", {})
    text = ", ".join(f"{side} {peak} MiB" for side, peak in peaks.items())
    return text or UNMEASURED


def _memory(report):
    if report["unmeasured"]:
        return f"{UNMEASURED}: {next(iter(report['unmeasured'].values()))}"
    device = report["device_peak_mib"]
    on_device = "" if device is None else f", {device} MiB on the device"
    return f"{report['peak_mib']} MiB of the process{on_device}"


def _crf(report):
    parts = []
    for bandwidths, times in report["by_bandwidths"].items():
        text = (
            f"{bandwidths}: {times['build_s']:.2f} s to build, "
            f"{times['iterate_s']:.2f} s for {report['iterations']} iterations, "
            f"{times['total_s']:.2f} s in all"
        )
        if peer := times.get("pydensecrf"):
            text += f", {peer['ratio_total']:.2f} times pydensecrf's time"
        parts.append(text)
    batches = report.get("batches", {})
    for bandwidths in report["by_bandwidths"]:
        if bandwidths in batches:
            parts.append(
                f"{bandwidths} in batches of {batches['images']}: "
                f"{batches[bandwidths]} ms an image"
            )
    return "; ".join(parts)


def _products(measured):
    """The products of single layers on the CPU."""
    report = measured.get("convolutions", {"unmeasured": "not run"})
    if "unmeasured" in report:
        return f"Unmeasured: {report['unmeasured']}."
    columns = {
        "output": "output",
        "output_pytorch": "PyTorch's",
        "input": "gradient of the input",
        "input_pytorch": "PyTorch's",
        "kernel_xla": "of the kernel, XLA's",
        "kernel_ours": "ours",
        "kernel_pytorch": "PyTorch's",
    }
    rows = []
    for layer in report["layers"]:
        side, channels, features = layer["layer"]
        rates = [layer["gflop_rate"].get(name) for name in columns]
        cells = [UNMEASURED if rate is None else f"{rate:.0f}" for rate in rates]
        rows.append((f"{side}x{side}, {channels} to {features}", *cells))
    head = ("layer", *columns.values())
    return f"{table(head, rows)}\n\n{_in_loop(report)}\n\n{_load(report)}".strip()


def _in_loop(report):
    side, channels, features = report["in_loop"]["layer"]
    rates = report["in_loop"]["gflop_rate"]
    return (
        f"In a loop, a step of {side}x{side}, {channels} to {features}, output and "
        f"both gradients: {rates['xla']:.1f} left to XLA, {rates['ours']:.0f} as here."
    )


def _stage_tables(device, report):
    if not report or isinstance(report.get("unmeasured"), str):
        text = f"### {device.upper()}\n\nFloors and times unmeasured."
        if device == "gpu":
            return [text]
        counted = [_counts("FCN-8s, one 320x320 image", roofline.fcn8s(320, 320))]
        counted.append(_counts("DeconvNet, one 224x224 image", roofline.deconv_net()))
        return [text, *counted]
    head = ["stage"]
    head += ["GFLOP", "MB", "floor", "measured", "gap"]
    head += ["GFLOP, training", "MB", "floor", "measured", "gap"]
    size = "x".join(map(str, report["size"]))
    parts = [
        f"### {device.upper()}\n\nMatrix product {report['flop_rate'] / 1e9:.0f} "
        f"GFLOP/s, copy {report['bandwidth'] / 1e9:.1f} GB/s, {report['dtype']}, batch "
        f"{report['batch']}, width {report['width']:g}. {_load(report)}"
    ]
    for net, title in (
        ("fcn8s", f"FCN-8s, {size}"),
        ("deconvnet", "DeconvNet, 224x224"),
    ):
        rows = []
        for name, stage in report[net].items():
            row = [name]
            for kind, prefix in (("forward", ""), ("training", "training_")):
                floor = stage["floor"][kind]
                seconds = stage["seconds"] and stage["seconds"][kind]
                row += [
                    f"{stage[prefix + 'flops'] / 1e9:.2f}",
                    f"{stage[prefix + 'bytes'] / 1e6:.1f}",
                    _seconds(floor),
                    _seconds(seconds) if seconds else UNMEASURED,
                    f"{seconds / floor:.1f}" if seconds else "",
                ]
            rows.append(row)
        parts.append(f"**{title}**\n\n{table(head, rows)}")
    return parts


def _counts(title, layers):
    head = ("stage", "GFLOP", "MB", "GFLOP, training", "MB, training")
    rows = [
        (
            stage,
            f"{t['flops'] / 1e9:.2f}",
            f"{t['bytes'] / 1e6:.1f}",
            f"{t['training_flops'] / 1e9:.2f}",
            f"{t['training_bytes'] / 1e6:.1f}",
        )
        for stage, t in roofline.totals(layers).items()
    ]
    return f"**{title}**\n\n{table(head, rows)}"


def _scaling():
    rows = scaling.table()
    links = "; ".join(
        f"{m.name}: {m.flop_rate / 1e12:.0f} TFLOP/s, {m.near / 1e9:.0f} GB/s to a "
        f"neighbour, {m.far / 1e9:.0f} GB/s between nodes of {m.node}, "
        f"{1e6 * m.latency:g} microseconds a message"
        for m in scaling.MACHINES
    )
    text = _SCALING.format(
        batch=rows[0]["batch"], share=100 * scaling.UTILISATION, links=links
    )
    head = ("net, chip", "compute", "gradients", "efficiency", *map(str, scaling.CHIPS))
    lines = []
    for net, machine in dict.fromkeys((r["net"], r["machine"]) for r in rows):
        these = [r for r in rows if (r["net"], r["machine"]) == (net, machine)]
        start = (
            f"{net}, {machine}",
            _seconds(these[0]["compute"]),
            f"{these[0]['gradient_bytes'] / 1e6:.0f} MB",
        )
        for kind in ("waiting", "hidden"):
            shares = [f"{100 * r[kind]:.0f} %" for r in these]
            lines.append((*start, kind, *shares))
    return [text, table(head, lines)]


def _made_with(measured):
    reports = [r for r in measured.values() if "jax" in r]
    if not reports:
        return "Nothing was measured."
    first = reports[0]
    commits = ", ".join(sorted({str(r["commit"]) for r in reports}))
    return (
        f"{first['devices'][0]} ({first['cpu']}, {first['cores']} cores), jax "
        f"{first['jax']}, torch {first['torch']}, commit {commits}. {_load(*reports)}"
    )


def _load(*reports):
    """A warning where other processes were at work."""
    loads = [r["load_average"] for r in reports]
    if max(loads) <= 1.5 * reports[0]["cores"]:
        return ""
    return (
        f"**Other work was on the machine (load average up to {max(loads)}): take the "
        f"ratios with care, and the times not at all.**"
    )


def _side(side):
    return gpu_report.SIDES.get(side, side.removeprefix("pytorch_"))


def _goal(device, name, side, times):
    held_against, goal = GOALS[device].get(name, (None, 0))
    if side != held_against:
        return ""
    return f"{goal:g}, {'met' if times >= goal else '**missed**'}"


def _seconds(value):
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"
