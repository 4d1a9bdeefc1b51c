"""The table as Markdown, as LaTeX and as a plot, published numbers beside ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.table1 import published
from benchmarks.table1.running import Row
from fcn_jax.storage import files

_PUBLISHED, _OURS = "#8a9199", "#7aa6d8"


def percent(value: float | None) -> str:
    """A fraction in percent with one decimal; "-" for None.

    Args:
        value: The fraction.
    """
    return "-" if value is None else f"{100 * value:.1f}"


def markdown(rows: Mapping[str, Row], absent: Mapping[str, str], data: str) -> str:
    """The summary, the classes, and what a reader must know.

    Args:
        rows: Ours, by name; those that are not there yet are said to be missing.
        absent: Rows that the data set can't have, and why.
        data: Its name.
    """
    lines = [
        f"| method | VOC 2012 test, published | {data}, ours | learns from | images "
        "seen | training, s | evaluation, s | memory, MiB |",
        "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for name in published.IU:
        said = f"{published.mean_iu(name):.1f}"
        extra = " (extra data)" if name in published.EXTRA_DATA else ""
        lines.append(f"| {name} | {said}{extra} | {_ours(rows.get(name))} |")
    lines += ["", *_classes(rows, data), "", *_notes(rows, absent)]
    return "\n".join(lines) + "\n"


def _ours(row: Row | None) -> str:
    if row is None:
        return " | ".join("-" * 6)
    memory = "-" if row.memory is None else f"{row.memory:,.0f}"
    cells = [
        percent(row.mean_iu),
        row.labels,
        f"{row.images:,}",
        f"{row.train_seconds:,.0f}",
        f"{row.eval_seconds:,.1f}",
        memory,
    ]
    return " | ".join(cells)


def _classes(rows: Mapping[str, Row], data: str) -> list[str]:
    """IU of each class; published numbers above ours where the classes are VOC's."""
    if not rows:
        return []
    classes = list(next(iter(rows.values())).iu)
    same = data.startswith("voc")
    lines = [
        "| method | " + " | ".join(classes) + " | mean |",
        "| --- |" + " ---: |" * (len(classes) + 1),
    ]
    for name, iu in published.IU.items():
        if same:
            cells = [f"{value:.1f}" for value in (*iu, published.mean_iu(name))]
            lines.append(f"| {name}, published | " + " | ".join(cells) + " |")
        if name in rows:
            row = rows[name]
            cells = [percent(value) for value in (*row.iu.values(), row.mean_iu)]
            lines.append(f"| {name}, ours | " + " | ".join(cells) + " |")
    return lines


def _notes(rows: Mapping[str, Row], absent: Mapping[str, str]) -> list[str]:
    notes = [f"- {row.name}: {row.note}." for row in rows.values() if row.note]
    notes += [f"- {name}: not here; it {why}." for name, why in absent.items()]
    missing = [n for n in published.IU if n not in rows and n not in absent]
    if missing:
        notes.append(f"- Not run yet: {', '.join(missing)}.")
    return notes


def latex(rows: Mapping[str, Row], data: str) -> str:
    r"""A tabular of booktabs, a line a method.

    Args:
        rows: Ours, by name.
        data: Name of the data set.
    """
    classes = list(next(iter(rows.values())).iu) if rows else []
    heads = " & ".join(_escaped(name) for name in classes)
    lines = [
        r"\begin{tabular}{l" + "r" * (len(classes) + 2) + "}",
        r"\toprule",
        rf"method & published & {heads} & mean, {_escaped(data)} \\",
        r"\midrule",
    ]
    for name in published.IU:
        row = rows.get(name)
        ours = ["--"] * (len(classes) + 1)
        if row is not None:
            values = (*row.iu.values(), row.mean_iu)
            ours = [percent(value).replace("-", "--") for value in values]
        cells = [_escaped(name), f"{published.mean_iu(name):.1f}", *ours]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _escaped(text: str) -> str:
    for sign in "&%_#":
        text = text.replace(sign, "\\" + sign)
    return text


def plot(rows: Mapping[str, Row], data: str, path: Path) -> None:
    """Published and our mean IU, a pair of bars a method; PNG.

    Args:
        rows: Ours, by name.
        data: Name of the data set.
        path: The file.
    """
    names = list(published.IU)
    figure = Figure(figsize=(8, 4.6), layout="constrained", dpi=110)
    axes = figure.subplots()
    _bars(axes, names, [published.mean_iu(n) for n in names], -0.2, "published")
    ours = [100 * (rows[n].mean_iu or 0) if n in rows else 0.0 for n in names]
    _bars(axes, names, ours, 0.2, f"ours, {data}")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("mean IU, % (published: VOC 2012 test)")
    axes.set_xlim(0, 100)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    files.write_whole(path, lambda part: figure.savefig(part, format="png"))


def _bars(axes, names: Sequence[str], values: Sequence[float], shift: float, label):
    color = _PUBLISHED if label == "published" else _OURS
    places = [number + shift for number in range(len(names))]
    bars = axes.barh(places, values, height=0.38, color=color, label=label)
    texts = [f"{value:.1f}" if value else "" for value in values]
    axes.bar_label(bars, texts, padding=3, fontsize=8)
