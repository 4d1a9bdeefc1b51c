"""What is known of one measurement: sides brought together, and what is kept."""

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]
# Which a report must share with another that a part of it is taken from.
_SAME = ("commit", "devices", "jax", "torch", "dtype", "xla_flags")


def says_nothing(report: Report) -> bool:
    """Whether there is no figure in it, but a reason.

    Args:
        report: Of a measurement.
    """
    return isinstance(report.get("unmeasured"), str)


def joined(found: Mapping[str, Report]) -> dict[str, object]:
    """One report of sides that were measured each in a process of its own.

    Args:
        found: By side, what `benchmarks.networks` printed for it alone.
    """
    seconds, unmeasured = {}, {}
    for side, report in found.items():
        if says_nothing(report):
            unmeasured[side] = report["unmeasured"]
        elif side in report["unmeasured"]:
            unmeasured[side] = report["unmeasured"][side]
        elif side in report["seconds"]:
            seconds[side] = report["seconds"][side]
        else:
            missing = "left out" if report.get("torch") else "PyTorch is not installed"
            unmeasured[side] = missing
    if not seconds:
        first = next(iter(found))
        return {"unmeasured": f"{first}: {unmeasured[first]}"}
    parts = {
        "sides": list(found),
        "seconds": seconds,
        "prepared_s": {s: found[s]["prepared_s"][s] for s in seconds},
        "device_peak_mib_of": {s: found[s]["device_peak_mib"] for s in seconds},
        "unmeasured": unmeasured,
    }
    ours = seconds.get("ours")
    others = {side: s for side, s in seconds.items() if side != "ours"}
    ratio = {side: ours / theirs for side, theirs in others.items() if ours}
    # Ours, where it is there: card, versions and arguments, which all sides share.
    return dict(found[next(iter(seconds))]) | parts | {"ratio": ratio}


def keep(found: dict[str, Report], name: str, report: Report) -> str:
    """Put a report in its place, unless it says less than the one that is there.

    Ways that were measured before, at the same commit on the same device, stay beside
    those that were measured now.

    Args:
        found: What was measured on a device, by name; is changed.
        name: Of the measurement.
        report: What came of it now.

    Returns:
        What was not measured now, and why; "": nothing is missing.
    """
    before = found.get(name, {"unmeasured": ""})
    missing = _missing(report)
    if says_nothing(report) and not says_nothing(before):
        return f"{missing}; what was measured before stays"
    if _without_ours(report) and "ours" in before.get("seconds", {}):
        return f"{missing}; what was measured before stays"
    if "candidates" in report and "candidates" in before:
        report = _beside(before, report)
    found[name] = report
    return missing


def _missing(report):
    if says_nothing(report):
        return f"unmeasured: {report['unmeasured']}"
    reasons = dict(report.get("unmeasured") or {})
    for part in ("cold", "warm"):
        if why := report.get(part, {}).get("unmeasured"):
            reasons[part] = why
    for parts in ("candidates", "ways"):
        for part, each in report.get(parts, {}).items():
            if "unmeasured" in each:
                reasons[part] = each["unmeasured"]
    return "; ".join(f"{part} unmeasured: {why}" for part, why in reasons.items())


def _without_ours(report):
    return "ours" in (report.get("unmeasured") or {})


def _beside(before, report):
    """Candidates of two runs, where both were made alike; those of now count."""
    if any(before.get(key) != report.get(key) for key in _SAME):
        return report
    now = report["candidates"]
    old = before["candidates"]
    merged = {
        name: old[name] if "unmeasured" in each and "ms" in old.get(name, {}) else each
        for name, each in now.items()
    }
    return report | {"candidates": merged}
