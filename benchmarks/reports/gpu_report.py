"""What the page of measurements says of a GPU alone: sides apart, ways, operations."""

from benchmarks.reports import cells
from benchmarks.reports.parity_report import table

_OPERATIONS = 15  # That the page lists, the longest.
_ONE_PROCESS = (
    "All in one process, each beside the step as it is. XLA tunes there only what it "
    "has not tuned before, and the first has tuned for the others: what compiling took "
    "is comparable with no start."
)


def of_sides(title, report):
    """What each side of a net took to be compiled, on a GPU, one after the other."""
    prepared = report.get("prepared_s", {})
    if len(prepared) < 2 or "device_peak_mib_of" not in report:
        return []
    text = ", ".join(f"{cells.side(side)} {s} s" for side, s in prepared.items())
    kept = "first steps, with what measurements before it had compiled and tuned"
    return [(f"{title}, {kept}", text)]


def rates(report):
    """Of a device: a matrix product, and a copy."""
    return (
        f"{report['flop_rate'] / 1e9:.0f} GFLOP/s ({report['side']}x{report['side']}, "
        f"{report['dtype']}), {report['bandwidth'] / 1e9:.1f} GB/s"
    )


def _parity(report):
    ways = ("float32_highest", "float32_default", "bfloat16")
    text = "; ".join(
        f"{way.replace('_', ', ')}: {report[way]['largest']:.1e} at most, another "
        f"class at {100 * report[way]['other_class']:.2g} % of the pixels"
        for way in ways
    )
    return f"{text} (fractions of the range of the logits)"


def _determinism(report):
    def said(way):
        if "unmeasured" in (found := report.get(way, {"unmeasured": ""})):
            return "unmeasured"
        rates = [rate for rate in found["images_per_second"] if rate]
        rate = f", {sum(rates) / len(rates):.0f} images/s" if rates else ""
        return ("the same bits" if found["equal"] else "other bits") + rate

    return (
        f"as it is: {said('as_is')}; deterministic: {said('deterministic')}; with the "
        f"algorithms of another run: {said('resumed')}"
    )


def _killed(report):
    bits = "the same bits" if report["bit_identical"] else "other bits"
    return f"{bits} after {report['kills']} kills"


def _training(report):
    return (
        f"{report['images_per_second']} images/s, waiting {report['waiting']:.1%} of "
        f"the time, at step {report['step']}"
    )


# Lines of what is measured on GPUs alone: title and text.
LINES = {
    "device_parity": ("logits of FCN-8s beside the CPU's", _parity),
    "determinism": ("two runs of one config", _determinism),
    "kill_and_resume": ("a deterministic run that is killed, and goes on", _killed),
    "camvid": ("FCN-8s on CamVid", _training),
}


def tried(measured):
    """Ways to compile and to compute a step, and where its time goes."""
    parts = [f"### Flags of autotuning: FCN-8s\n\n{_tuning(measured)}"]
    for net, title in cells.NETS.items():
        parts.append(f"### Ways to compute it: {title}\n\n{_ways(measured, net)}")
        parts.append(f"### Operations: {title}\n\n{_operations(measured, net)}")
    return parts


def _tuning(measured):
    if why := cells.reason(measured, "tuning"):
        return f"U{why[1:]}."
    report = measured["tuning"]
    rows = [
        (
            f"**{name}**" if name == report["best"] else name,
            f"`{each['flags']}`" if each["flags"] else "none",
            f"{each['ms']:.2f} ms" if "ms" in each else _why(each),
            f"{each['prepared_s']} s" if "prepared_s" in each else "",
        )
        for name, each in report["ways"].items()
    ]
    return table(("way", "flags", "step", "ready after"), rows)


def _ways(measured, net):
    if why := cells.reason(measured, f"candidates_{net}"):
        return f"U{why[1:]}."
    rows = [
        (
            name,
            f"{each['ms']:.2f} ms" if "ms" in each else _why(each),
            str(each.get("ratio", "")),
            _compiled(each),
        )
        for name, each in measured[f"candidates_{net}"]["candidates"].items()
    ]
    head = ("way", "step", "of as it is", "compiled in")
    return f"{_ONE_PROCESS}\n\n{table(head, rows)}"


def _why(each):
    return f"{cells.UNMEASURED}: {each['unmeasured']}"


def _compiled(each):
    if "compile_s" not in each:
        return ""
    if each.get("from_cache"):
        return f"{each['compile_s']} s, from the cache"
    tuned = f", {each['tuned']} operations tuned" if "tuned" in each else ""
    return f"{each['compile_s']} s{tuned}"


def _operations(measured, net):
    if why := cells.reason(measured, f"operations_{net}"):
        return f"U{why[1:]}."
    report = measured[f"operations_{net}"]
    rows = [
        (f"{o['ms']:.3f} ms", f"{100 * o['share']:.1f} %", o["layer"], o["name"])
        for o in report["operations"][:_OPERATIONS]
    ]
    text = (
        f"A step took {report['step_ms']} ms, recorded, of which no operation "
        f"accounts for {report['unaccounted_ms']} ms."
    )
    head = ("a step", "share", "layer", "operation")
    return f"{text}\n\n{table(head, rows)}"
