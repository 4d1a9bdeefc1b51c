"""What the project wants of its speed, and whether that is met."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from benchmarks.reports import cells
from benchmarks.reports.parity_report import table
from benchmarks.roofline import roofline

# Of how many times as fast as PyTorch's side ours should be.
TIMES_AS_FAST = {
    "cpu": {
        "fcn8s_inference": ("pytorch", 1.0),
        "deconvnet_inference": ("pytorch", 1.0),
        "fcn8s_training": ("pytorch", 0.8),
        "deconvnet_training": ("pytorch", 1.0),
        "proposals": ("pytorch", 1.2),
        "pooling": ("pytorch_channels_last", 4.0),
        "mixed_sizes": ("pytorch", 1.5),
    },
    "gpu": {
        "fcn8s_training": ("pytorch_compiled", 1.2),
        "deconvnet_training": ("pytorch_compiled", 1.2),
        "fcn8s_inference": ("pytorch_compiled", 1.2),
        "deconvnet_inference": ("pytorch_compiled", 1.2),
    },
}
# How many reads and writes of the map pooling, unpooling and their gradients may take.
COPIES = 3.0


class Goal(NamedTuple):
    """A figure that should not be above, or not below, a limit.

    Attributes:
        title: What it is of.
        limit: What is wanted.
        at_most: Whether it should not be above that; else not below.
        unit: Of both, as it follows the number.
        rows: Measurements that it is taken from.
        figure: Of these, by name; raises KeyError where they do not have it.
        factor: From the figure to its unit.
        part: Of a row, which may have a reason of its own.
    """

    title: str
    limit: float
    at_most: bool
    unit: str
    rows: tuple[str, ...]
    figure: Callable[[Mapping], float]
    factor: float = 1.0
    part: str = ""


def times_as_fast(device, name, side, times):
    """The goal of a row against a side of PyTorch, and whether it is met.

    Args:
        device: "cpu" or "gpu".
        name: Of the measurement.
        side: Of PyTorch; None: none was measured.
        times: As fast as it ours is; None: that is not known.
    """
    held_against, goal = TIMES_AS_FAST[device].get(name, (None, 0))
    if held_against is None or side not in (held_against, None):
        return ""
    if times is None:
        return f"{goal:g}, {cells.UNMEASURED}"
    return f"{goal:g}, {cells.verdict(times >= goal)}"


def rows(device, measured):
    """Title, what is wanted, what was measured, and whether that is enough.

    Args:
        device: "cpu" or "gpu".
        measured: Reports by name.
    """
    return [_row(goal, measured) for goal in GOALS[device]]


def section(device, measured):
    """The goals of a device as a table."""
    head = ("goal", "wanted", "measured", "")
    return table(head, rows(device, measured))


def _row(goal, measured):
    sign = "<=" if goal.at_most else ">="
    wanted = f"{sign} {goal.limit:g}{goal.unit}"
    for name in goal.rows:
        if why := cells.reason(measured, name):
            return goal.title, wanted, f"{why} ({name})", cells.UNMEASURED
    try:
        value = goal.factor * goal.figure(measured)
    except KeyError:
        found = [_why(measured[name], goal.part) for name in goal.rows]
        why = next(filter(None, found), f"{cells.UNMEASURED}: not told")
        return goal.title, wanted, why, cells.UNMEASURED
    met = value <= goal.limit if goal.at_most else value >= goal.limit
    return goal.title, wanted, f"{value:.3g}{goal.unit}", cells.verdict(met)


def _why(report, part):
    """Why a row has not the figure: of our side, or of a part."""
    why = report.get(part, {}).get("unmeasured") if part else None
    return f"{cells.UNMEASURED}: {why}" if why else cells.without_ours(report)


def _share_of_the_rate(net, name):
    """Of the FLOP rate of a matrix product, that of a training step."""

    def share(measured):
        report, rates = measured[name], measured["rates"]
        seconds = report["seconds"]["ours"]
        kind = {"scale": report["width"], "fc_features": report["fc_features"]}
        if net == "fcn8s":
            layers = roofline.fcn8s(*report["size"], report["batch"], **kind)
        else:
            layers = roofline.deconv_net(report["size"][0], report["batch"], **kind)
        flops = sum(layer.training_flops for layer in layers)
        return flops / seconds / rates["flop_rate"]

    return share


def _memory(name, key):
    """Our peak over that of PyTorch's leanest side."""

    def ratio(measured):
        peaks = {s: mib for s, mib in measured[name].get(key, {}).items() if mib}
        others = [mib for s, mib in peaks.items() if s != "ours"]
        if not others:
            raise KeyError(key)
        return peaks["ours"] / min(others)

    return ratio


def _start(name, kind):
    return lambda measured: measured[name][kind]["seconds"]


def _of_net(net, title, milliseconds):
    """The goals of a net's training step on a GPU."""
    name, start = f"{net}_training", f"startup_{net}"
    return (
        Goal(
            f"{title}, training step",
            milliseconds,
            True,
            " ms",
            (name,),
            lambda measured: measured[name]["seconds"]["ours"],
            1e3,
        ),
        Goal(
            f"{title}, training step, of the rate of a matrix product",
            45,
            False,
            " %",
            (name, "rates"),
            _share_of_the_rate(net, name),
            100,
        ),
        Goal(
            f"{title}, training step, peak memory of the device over PyTorch's least",
            1,
            True,
            "",
            (name,),
            _memory(name, "device_peak_mib_of"),
        ),
        *(
            Goal(
                f"{title}, first step, {kind}",
                most,
                True,
                " s",
                (start,),
                _start(start, kind),
                part=kind,
            )
            for kind, most in (("cold", 30), ("warm", 8))
        ),
    )


def _in_a_batch(measured):
    """Milliseconds of the CRF for an image."""
    return measured["crf"]["batches"]["80/13"]


def _pipeline(measured):
    return measured["input_pipeline"]["kinds"]["flip_scale_crop"]["images_per_second"]


_CRF = "CRF, an image of a batch of 8, 375x500, 21 classes, 10 iterations"
GOALS = {
    "cpu": (
        Goal(
            "FCN-8s, training step, peak memory over PyTorch's least",
            1,
            True,
            "",
            ("fcn8s_training",),
            _memory("fcn8s_training", "peak_mib_of"),
        ),
        Goal(
            "FCN-8s, first step, warm",
            15,
            True,
            " s",
            ("startup",),
            _start("startup", "warm"),
        ),
        Goal(
            "input pipeline, flip, scale and crop",
            150,
            False,
            " images/s",
            ("input_pipeline",),
            _pipeline,
        ),
    ),
    "gpu": (
        *_of_net("fcn8s", "FCN-8s, 8 of 500x500", 25),
        *_of_net("deconvnet", "DeconvNet, 64 of 224x224", 42),
        Goal(_CRF, 4, True, " ms", ("crf",), _in_a_batch),
        Goal(
            "input pipeline, flip, scale and crop to 352x480",
            1000,
            False,
            " images/s",
            ("input_pipeline",),
            _pipeline,
        ),
        Goal(
            "waiting for input, FCN-8s on CamVid",
            5,
            True,
            " %",
            ("camvid",),
            lambda measured: measured["camvid"]["waiting"],
            100,
        ),
    ),
}
