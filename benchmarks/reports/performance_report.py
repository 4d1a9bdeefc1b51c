"""The page docs/performance.md and its plot, from what `speed.py` has measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.reports import cells, floors, goals, gpu_report
from benchmarks.reports.parity_report import table
from fcn_jax.storage import files

Found = Mapping[str, Mapping[str, Any]]  # By device, by name of the measurement.

TITLES = {
    "fcn8s_inference": "FCN-8s, inference",
    "fcn8s_training": "FCN-8s, training step",
    "deconvnet_inference": "DeconvNet, inference",
    "deconvnet_training": "DeconvNet, training step",
    "proposals": "DeconvNet on 50 proposals of a 375x500 image",
    "pooling": "pool + unpool + gradient, DeconvNet's five maps",
    "mixed_sizes": "evaluation of mixed sizes, FCN-8s",
}

_INTRODUCTION = """# Performance

Written by `python -m benchmarks.speed` from `speed_cpu.json` and `speed_gpu.json`;
`--render` writes it again without measuring, `--only NAME` measures some of it anew.
All is over after 25 minutes (`--limit`): rows that find no time stay as they were. A
figure that no run has measured is called unmeasured. Times are medians after a warm-up,
all sides in turns, on a CPU each network in a process of its own as its users run it;
"times as fast" is the median, over the rounds, of PyTorch's time divided by ours. Both
sides have the same layers, batch and precision; PyTorch is channels_last. Peak memory
is that of a side's process, on a GPU that of the device."""


def render(found: Found) -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION]
    for device in ("cpu", "gpu"):
        parts += _device(device, found.get(device, {}))
    return "\n\n".join([*parts, *floors.sections(found)]) + "\n"


def comparison(report: Mapping[str, Any]) -> dict[str, tuple[float, float | None]]:
    """By side: seconds, and how many times as fast as it ours is.

    None for ours, and for the others where ours was not measured.
    """
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
    ratio = report["ratio"]
    return {
        side: (seconds, 1 / ratio[side] if side in ratio else None)
        for side, seconds in report["seconds"].items()
    }


def plot(found: Found, path: str | Path) -> None:
    """How many times as fast as PyTorch's sides ours is, as bars; none, no file."""
    from matplotlib.figure import Figure

    bars = []
    for device, measured in found.items():
        for name, title in TITLES.items():
            if cells.reason(measured, name):
                continue
            for side, (_, times) in comparison(measured[name]).items():
                if times is not None and side != "copy":
                    bars.append((f"{title}\n{device}, {cells.side(side)}", times))
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
        parts = [f"## {device.upper()}", "Unmeasured: no run on one yet."]
        return [*parts, goals.section(device, measured)]
    rows, others = [], []
    for name, title in TITLES.items():
        rows += _compared(device, name, title, measured)
        others += gpu_report.of_sides(title, measured.get(name, {}))
    head = ("what", "PyTorch", "ours", "PyTorch's", "times as fast", "goal")
    parts = [f"## {device.upper()}", _made_with(measured), table(head, rows)]
    others += _others(device, measured)
    parts += [table(("what", "measured"), others), goals.section(device, measured)]
    return parts + (gpu_report.tried(measured) if device == "gpu" else [])


def _compared(device, name, title, measured):
    """The rows of a measurement, one for each side of PyTorch that there is."""
    if why := cells.reason(measured, name):
        goal = goals.times_as_fast(device, name, None, None)
        return [(title, why, "", "", "", goal)]
    report = measured[name]
    sides = comparison(report)
    ours = cells.without_ours(report) or cells.seconds(sides["ours"][0])
    rows = []
    for side, (seconds, times) in sides.items():
        if side in ("ours", "copy"):
            continue
        fast = "" if times is None else f"{times:.2f}"
        goal = goals.times_as_fast(device, name, side, times)
        rows.append((title, cells.side(side), ours, cells.seconds(seconds), fast, goal))
    for side, why in (report.get("unmeasured") or {}).items():
        if side != "ours":
            goal = goals.times_as_fast(device, name, side, None)
            text = f"{cells.UNMEASURED}: {why}"
            rows.append((title, cells.side(side), ours, text, "", goal))
    goal = goals.times_as_fast(device, name, None, None)
    return rows or [(title, "", ours, "", "", goal)]


def _others(device, measured):
    """Measurements without a side of PyTorch."""
    found = [(name, *line) for name, line in _LINES[device].items()]
    found += [(name, f"{TITLES[name]}, peak memory", _memory) for name in _NETWORKS]
    return [
        (title, cells.reason(measured, name) or text(measured[name]))
        for name, title, text in found
    ]


def _copy(report):
    sides = comparison(report)
    ratio = sides["ours"][0] / sides["copy"][0]
    return (
        f"{cells.seconds(sides['ours'][0])} against {cells.seconds(sides['copy'][0])}: "
        f"{ratio:.1f} copies (goal {goals.COPIES:g}, "
        f"{cells.verdict(ratio <= goals.COPIES)})"
    )


def _peaks(report):
    *_, timed = report["inference"].values()
    peaks = timed.get("peak_mib_of", {})
    text = ", ".join(f"{side} {peak} MiB" for side, peak in peaks.items())
    return text or cells.UNMEASURED


def _memory(report):
    """Of the device where it has its own, else of each side's process."""
    peaks = report.get("device_peak_mib_of") or report.get("peak_mib_of")
    if not peaks and len(report.get("sides", ())) == 1:
        peaks = {report["sides"][0]: report["peak_mib"]}
    parts = [
        f"{cells.side(side)} {mib} MiB" if mib else f"{cells.side(side)} not counted"
        for side, mib in (peaks or {}).items()
    ]
    reasons = report.get("unmeasured") or {}
    parts += [f"{cells.side(side)} {cells.UNMEASURED}" for side in reasons]
    return ", ".join(parts) or cells.UNMEASURED


def _start(report):
    parts = []
    for name, title in (("cold", "cold"), ("warm", "with the compilation cache")):
        each = report.get(name, {"unmeasured": "not run"})
        text = f"{each['seconds']} s" if "seconds" in each else each["unmeasured"]
        parts.append(f"{title} {text}")
    return ", ".join(parts)


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


def _pipeline(report):
    return (
        f"{report['kinds']['flip_scale_crop']['images_per_second']} images/s, limited "
        f"by {report['limited_by']}"
    )


_NETWORKS = (
    "fcn8s_inference",
    "fcn8s_training",
    "deconvnet_inference",
    "deconvnet_training",
)
_START = "from the start of Python to the end of the first step"
# Title and text of what is no comparison, by device and name.
_BOTH = {
    "pooling": ("pool + unpool + gradient, beside a plain copy", _copy),
    "proposals": ("peak memory, DeconvNet on proposals", _peaks),
    "input_pipeline": ("input pipeline, flip, scale and crop", _pipeline),
    "crf": ("dense CRF", _crf),
    "rates": ("matrix product, and copy", gpu_report.rates),
}
_LINES = {
    "cpu": {**_BOTH, "startup": (_START, _start)},
    "gpu": {
        **_BOTH,
        "startup_fcn8s": (f"{_START}, FCN-8s", _start),
        "startup_deconvnet": (f"{_START}, DeconvNet", _start),
        **gpu_report.LINES,
    },
}


def _made_with(measured):
    reports = [r for r in measured.values() if "jax" in r]
    if not reports:
        return "Nothing was measured."
    first = reports[0]
    commits = ", ".join(sorted({str(r["commit"]) for r in reports}))
    return (
        f"{first['devices'][0]} ({first['cpu']}, {first['cores']} cores), jax "
        f"{first['jax']}, torch {first['torch']}, commit {commits}. "
        f"{cells.load(*reports)}"
    )
