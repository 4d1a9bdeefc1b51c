"""What the page of measurements says of a GPU alone: sides apart, ways, operations."""

from benchmarks.reports.parity_report import table

SIDES = {"pytorch": "eager", "pytorch_compiled": "torch.compile"}
_OPERATIONS = 15  # That the page lists, the longest.


def of_sides(title, report):
    """What each side of a net took to be compiled, and of its device's memory."""
    rows = []
    if len(prepared := report.get("prepared_s", {})) > 1:
        text = ", ".join(
            f"{SIDES.get(side, side)} {s} s" for side, s in prepared.items()
        )
        rows.append((f"{title}, first steps, compilation and all", text))
    peaks = report.get("device_peak_mib_of", {})
    if any(peaks.values()):
        text = ", ".join(
            f"{SIDES.get(side, side)} {mib} MiB" for side, mib in peaks.items()
        )
        rows.append((f"{title}, peak memory of the device", text))
    return rows


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
        rates = [rate for rate in report[way]["images_per_second"] if rate]
        rate = f", {sum(rates) / len(rates):.0f} images/s" if rates else ""
        return ("the same bits" if report[way]["equal"] else "other bits") + rate

    return f"as it is: {said('as_is')}; deterministic: {said('deterministic')}"


# Lines of what is measured on GPUs alone: title and text.
LINES = {
    "device_parity": ("logits of FCN-8s beside the CPU's", _parity),
    "determinism": ("two runs of one config", _determinism),
}


def tried(measured):
    """Ways to compute a step, side by side, and where its time goes."""
    parts = []
    for net, title in (("fcn8s", "FCN-8s"), ("deconvnet", "DeconvNet")):
        report = measured.get(f"candidates_{net}", {"unmeasured": ""})
        if "candidates" in report:
            rows = [
                (
                    name,
                    each.get("unmeasured") or f"{each['ms']:.2f} ms",
                    str(each.get("ratio", "")),
                    f"{each['compile_s']} s" if "compile_s" in each else "",
                )
                for name, each in report["candidates"].items()
            ]
            head = ("way", "step", "of as it is", "compiled in")
            parts.append(f"### Ways to compute it: {title}\n\n{table(head, rows)}")
        report = measured.get(f"operations_{net}", {"unmeasured": ""})
        if "operations" in report:
            rows = [
                (
                    f"{o['ms']:.3f} ms",
                    f"{100 * o['share']:.1f} %",
                    o["layer"],
                    o["name"],
                )
                for o in report["operations"][:_OPERATIONS]
            ]
            text = (
                f"A step took {report['step_ms']} ms, recorded, of which no operation "
                f"accounts for {report['unaccounted_ms']} ms."
            )
            head = ("a step", "share", "layer", "operation")
            parts.append(f"### Operations: {title}\n\n{text}\n\n{table(head, rows)}")
    return parts
