"""Plots of training runs: curves over steps, scores over resolutions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fcn_jax.storage import files
from fcn_jax.storage.files import JsonObject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMED = 20  # Classes that a legend has room for.
_SUM = 50  # Losses that are so many times those of validation are sums over pixels.


def plot_curves(entries: Sequence[JsonObject], path: str | Path) -> None:
    """Plot loss, of training and validation, mean IU and the classes' IU over steps.

    The final and the lowest loss and the best mean IU are marked, and named with
    their step; the classes with their last IU, the best first.

    Args:
        entries: The lines of a run's log (`fcn_jax.runs.logs`): `kind` "train" with
            `step`, `loss`, `mean_loss`; `kind` "eval" with `step`, `mean_iu`, and
            `loss` and `iu` (by class), which older runs lack.
        path: The PNG to write.
    """
    by_class = _by_class(entries)
    figure, (left, right, *rest) = _figure(3 if by_class else 2)
    train = [e for e in entries if e["kind"] == "train"]
    if train:
        steps = [e["step"] for e in train]
        loss = [e["loss"] for e in train]
        left.plot(steps, loss, color="0.75", lw=1, label="loss of the step")
        left.plot(steps, [e["mean_loss"] for e in train], label="mean since the last")
        low = int(np.argmin(loss))
        _mark(left, steps[low], loss[low], "v", "C2", "lowest", ".4g")
        _mark(left, steps[-1], loss[-1], "o", "C3", "final", ".4g")
    held_out = {
        e["step"]: e["loss"]
        for e in entries
        if e["kind"] == "eval" and e.get("loss") is not None
    }
    if held_out:
        _plot_validation(left, held_out, [e["loss"] for e in train])
    if train or held_out:
        left.legend()
    left.set(xlabel="step", ylabel="loss")
    scored = [e for e in entries if e["kind"] == "eval" and e["mean_iu"] is not None]
    if scored:
        steps = [e["step"] for e in scored]
        values = [e["mean_iu"] for e in scored]
        right.plot(steps, values, ".-", color="C0", label="validation")
        high = int(np.argmax(values))
        _mark(right, steps[high], values[high], "^", "C2", "best", ".4f")
        right.legend(loc="lower right")
    right.set(xlabel="step", ylabel="mean IU")
    for axes in rest:
        _plot_classes(axes, by_class)
    _save_figure(figure, path)


def _by_class(entries: Sequence[JsonObject]) -> dict[str, dict[int, float]]:
    """The IU of each class that has one, by step; the best at the end first."""
    found: dict[str, dict[int, float]] = {}
    for entry in entries:
        if entry["kind"] == "eval":
            for name, value in (entry.get("iu") or {}).items():
                if value is not None:
                    found.setdefault(name, {})[entry["step"]] = value
    last = {name: values[max(values)] for name, values in found.items()}
    return {name: found[name] for name in sorted(found, key=lambda n: -last[n])}


def _plot_classes(axes: "Axes", by_class: Mapping[str, Mapping[int, float]]) -> None:
    """The IU of classes; of many, the best and the worst have colours and names."""
    names = [*by_class]
    half = _NAMED // 2
    named = names if len(names) <= _NAMED else [*names[:half], *names[-half:]]
    for name, values in by_class.items():
        steps = [*values]
        ious = [values[step] for step in steps]
        if name not in named:
            axes.plot(steps, ious, color="0.8", lw=0.8, zorder=1)
            continue
        place = named.index(name)
        color, style = f"C{place % 10}", ("-", "--")[place // 10]
        label = f"{name} {values[max(steps)]:.2f}"
        axes.plot(steps, ious, marker=".", color=color, ls=style, label=label)
    axes.set(xlabel="step", ylabel="IU of each class", ylim=(-0.02, 1.02))
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        labelspacing=0.25,
        fontsize=7,
    )


def _plot_validation(
    axes: "Axes", losses: Mapping[int, float], trained: Sequence[float]
) -> None:
    """Losses by step, nats a pixel; by a scale of their own if training's is a sum."""
    steps, values = [*losses], [*losses.values()]
    if trained and min(trained) > _SUM * max(values):
        axes.plot([], [], ".-", color="C1", label="validation, right scale")
        axes = axes.twinx()
        axes.set(ylabel="nats a pixel")
    axes.plot(steps, values, ".-", color="C1", label="validation")


def plot_resolutions(results: Sequence[JsonObject], path: str | Path) -> None:
    """Plot the metrics over the input resolution.

    Args:
        results: One mapping a resolution: `resolution`, relative to the image, and
            the metrics by name; None leaves a gap.
        path: The PNG to write.

    Raises:
        ValueError: If there are no results.
    """
    if not results:
        raise ValueError("plot_resolutions: no results; give at least one resolution.")
    figure, (axes,) = _figure(1)
    results = sorted(results, key=lambda result: result["resolution"])
    at = [result["resolution"] for result in results]
    for name in results[0]:
        if name != "resolution":
            values = np.array([result[name] for result in results], float)
            axes.plot(at, values, "o-", label=_readable(name))
    axes.set(xlabel="input resolution, relative to the image", ylabel="score")
    axes.legend()
    _save_figure(figure, path)


def plot_activations(
    image: np.ndarray, maps: Mapping[str, np.ndarray], path: str | Path
) -> None:
    """Draw what the layers of a network see in an image, a panel a layer.

    Of every layer the channel of most energy is shown, from 0 (black) to its maximum
    (white), as in figure 4 of Noh et al. 2015.

    Args:
        image: uint8 RGB [H, W, 3].
        maps: By layer name, in the order of the panels, [h, w, C] floating point.
        path: The PNG to write.

    Raises:
        ValueError: If there are no maps, or one is not [h, w, C].
    """
    if not maps:
        raise ValueError("plot_activations: no maps; give at least one layer's.")
    for name, values in maps.items():
        if values.ndim != 3:
            raise ValueError(
                f"plot_activations: {name} has shape {values.shape}; expected "
                f"[h, w, C], the maps of one image."
            )
    from matplotlib.figure import Figure  # Half a second, and seldom needed.

    columns = 4
    rows = -(-(len(maps) + 1) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.8 * rows), layout="constrained", dpi=110)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for one in axes:
        one.axis("off")
    axes[0].imshow(image)
    axes[0].set_title(f"image, {image.shape[0]}x{image.shape[1]}", fontsize=9)
    for one, (name, values) in zip(axes[1:], maps.items(), strict=False):
        values = np.asarray(values, np.float32)
        channel = int(np.argmax((values**2).sum(axis=(0, 1))))
        one.imshow(values[:, :, channel], cmap="gray", vmin=0)
        size = f"{values.shape[0]}x{values.shape[1]}"
        one.set_title(f"{name}, {size}, channel {channel}", fontsize=9)
    _save_figure(figure, path)


def _readable(metric: str) -> str:
    return metric.replace("_", " ").replace(" iu", " IU")


def _mark(
    axes: "Axes",
    step: float,
    value: float,
    marker: str,
    color: str,
    name: str,
    form: str,
):
    label = f"{name} {value:{form}}, step {step:,}"
    axes.plot([step], [value], marker, color=color, label=label, zorder=3)


def _figure(columns: int) -> "tuple[Figure, Sequence[Axes]]":
    from matplotlib.figure import Figure  # Half a second, and seldom needed.

    figure = Figure(figsize=(5.5 * columns, 3.6), layout="constrained", dpi=110)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for one in axes:
        one.grid(alpha=0.3)
    return figure, axes


def _save_figure(figure: "Figure", path: str | Path) -> None:
    files.write_whole(path, lambda part: figure.savefig(part, format="png"))
