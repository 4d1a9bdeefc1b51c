"""The report of an examination, as text and as what JSON holds."""

import dataclasses
from collections.abc import Iterator

from fcn_jax.data.doctor import Counted, Report
from fcn_jax.data.doctor_findings import HINT, STOPS, Finding

_SHOWN = 3  # Files that the text names.
_TITLES = {
    STOPS: "What stops training, or spoils what is learned:",
    HINT: "Worth a look:",
}


def as_json(report: Report) -> dict[str, object]:
    """A report as what JSON holds.

    Args:
        report: What was found.
    """
    return {
        "name": report.name,
        "stops": report.stops,
        "notes": report.notes,
        "images": report.images,
        "masks": report.stored,
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "classes": _described(report),
        "heads": {each.head: _described(each) for each in _by_head(report)},
        "sizes": [
            {"height": height, "width": width, "images": count}
            for (height, width), count in report.sizes
        ],
        "num_sizes": report.num_sizes,
        "canvas": report.canvas,
        "padding": report.padding,
    }


def _by_head(report: Report) -> list[Counted]:
    """What is counted of each of several heads; none where there is one."""
    return [report, *report.others] if report.others else []


def _described(counted: Counted) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "frequency": float(counted.shares[label]),
            "weight": counted.weights[label],
            "images": {s: int(found[label]) for s, found in counted.occurs.items()},
        }
        for label, name in enumerate(counted.classes)
    ]


def as_text(report: Report) -> str:
    """A report as lines.

    Args:
        report: What was found.
    """
    images = ", ".join(f"{count} of {s}" for s, count in report.images.items())
    lines = [f"{report.name}: {images or 'no images'}"]
    lines += [f"note: {note}" for note in report.notes]
    stored = ", ".join(f"{count} {kind}" for kind, count in report.stored.items())
    lines += [f"masks: {stored}"] if stored else []
    lines += [*_sizes(report), *_classes(report)]
    for each in report.others:
        lines += _classes(each)
    for level, title in _TITLES.items():
        found = [each for each in report.findings if each.level == level]
        if found:
            lines += ["", title, *(_line(each) for each in found)]
    if not report.findings:
        lines += ["", "Nothing is wrong."]
    return "\n".join(lines)


def _line(finding: Finding) -> str:
    shown = [name for name in finding.files[:_SHOWN] if name not in finding.message]
    more = ", ..." if finding.count > len(finding.files[:_SHOWN]) else ""
    names = f" ({', '.join(shown)}{more})" if shown else ""
    count = f"{finding.count}x " if finding.count > 1 or names else ""
    return f"- {finding.check}: {count}{finding.message}{names}"


def _sizes(report: Report) -> Iterator[str]:
    if report.canvas is None:
        return
    listed = ", ".join(f"{h}x{w} ({count})" for (h, w), count in report.sizes)
    more = report.num_sizes - len(report.sizes)
    height, width = report.canvas
    yield f"sizes: {listed}{f', and {more} others' if more else ''}"
    yield (
        f"batches of whole images: {height}x{width}, {report.padding:.0%} of which is "
        f"padding"
    )


def _classes(counted: Counted) -> Iterator[str]:
    if not counted.classes or not any(found.any() for found in counted.occurs.values()):
        return
    splits = list(counted.occurs)
    wide = max(len("class"), *map(len, counted.classes))
    heads = "".join(f"  {split:>8}" for split in splits)
    yield f"\nhead {counted.head}:" if counted.head else ""
    yield f"{'class':{wide}}  frequency  weight{heads}   (images)"
    for label, name in enumerate(counted.classes):
        counts = "".join(f"  {counted.occurs[split][label]:8}" for split in splits)
        weight = counted.weights[label]
        yield f"{name:{wide}}  {counted.shares[label]:9.4f}  {weight:6.2f}{counts}"
    how = ", as --config.loss.balance=median_frequency" if not counted.head else ""
    yield f"weights: by median frequency{how}"
