"""Pictures of labels, predictions and training runs.

Arrays in, arrays or files out; a palette says which colour a label has.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fcn_jax.data.label_sets import IGNORE_LABEL, voc_palette

_CORRECT, _WRONG, _VOID = (235, 235, 235), (214, 39, 40), (170, 190, 210)
_MARGIN, _TITLE = 6, 18  # Pixels.
_ERROR_TITLE = "errors (red), void (blue)"


def decode_labels(
    labels: Any, palette: np.ndarray | None = None, ignore_label: int = IGNORE_LABEL
) -> np.ndarray:
    """Labels as colours.

    Args:
        labels: Integer [...], NumPy or JAX: rows of `palette`, or `ignore_label`.
        palette: Colour of every label, uint8 [L, 3]; None: that of PASCAL VOC.
        ignore_label: The label of void; VOC's void colour if the palette has none.

    Returns:
        uint8 RGB [..., 3].

    Raises:
        TypeError: If the labels are not integers.
        ValueError: If a label has no colour; naming it.
    """
    labels = np.asarray(labels)
    palette = voc_palette() if palette is None else np.asarray(palette, np.uint8)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"decode_labels: labels are {labels.dtype}; expected integers (take the "
            f"argmax of logits first)."
        )
    if ignore_label >= len(palette):
        missing = ignore_label + 1 - len(palette)
        palette = np.concatenate([palette, np.zeros((missing, 3), np.uint8)])
        palette[ignore_label] = voc_palette()[IGNORE_LABEL]
        known = np.arange(len(palette)) < len(palette) - missing
        known[ignore_label] = True
    else:
        known = np.ones(len(palette), bool)
    inside = (labels >= 0) & (labels < len(palette))
    bad = ~(inside & known[np.where(inside, labels, 0)])
    if bad.any():
        raise ValueError(
            f"decode_labels: label {int(labels[bad][0])} has no colour; the palette "
            f"has {int(known.sum())} (and {ignore_label} is void)."
        )
    return palette[labels]


def overlay(
    image: np.ndarray,
    labels: np.ndarray,
    alpha: float = 0.55,
    palette: np.ndarray | None = None,
) -> np.ndarray:
    """The labels' colours over an image; background (0) and void let it through.

    Args:
        image: uint8 RGB [H, W, 3].
        labels: Integer [H, W].
        alpha: Share of the colour, in [0, 1].
        palette: See `decode_labels`.

    Returns:
        uint8 RGB [H, W, 3].
    """
    colours = decode_labels(labels, palette).astype(np.float32)
    black = (colours == 0).all(axis=-1)
    share = np.where(black | (labels == IGNORE_LABEL), 0, alpha)[..., None]
    mixed = image * (1 - share) + colours * share
    return np.round(mixed).astype(np.uint8)


def error_map(
    labels: np.ndarray, pred: np.ndarray, ignore_label: int = IGNORE_LABEL
) -> np.ndarray:
    """Right pixels light, wrong ones red, void blue-grey; uint8 RGB [H, W, 3]."""
    errors = np.empty((*labels.shape, 3), np.uint8)
    errors[:] = _CORRECT
    errors[labels != pred] = _WRONG
    errors[labels == ignore_label] = _VOID
    return errors


def prediction_row(
    image: np.ndarray,
    labels: np.ndarray,
    pred: np.ndarray,
    palette: np.ndarray | None = None,
) -> np.ndarray:
    """Image, truth, prediction and errors side by side, uint8 RGB [H, 4 W, 3]."""
    parts = (
        image,
        decode_labels(labels, palette),
        decode_labels(pred, palette),
        error_map(labels, pred),
    )
    return np.concatenate(parts, axis=1)


def contact_sheet(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]],
    classes: Sequence[str],
    palette: np.ndarray | None = None,
) -> np.ndarray:
    """A sheet with an image a row: image, truth, prediction, errors; a legend below.

    Args:
        rows: (name, image, labels, prediction) each; sizes may differ.
        classes: Names for the legend.
        palette: See `decode_labels`.

    Returns:
        uint8 RGB.

    Raises:
        ValueError: If there are no rows.
    """
    if not rows:
        raise ValueError("contact_sheet: no rows; give at least one image.")
    cell_w = max(image.shape[1] for _, image, _, _ in rows)
    width = 4 * cell_w + 5 * _MARGIN
    legend = _legend(classes, palette, width)
    heights = [image.shape[0] + _TITLE + _MARGIN for _, image, _, _ in rows]
    sheet = Image.new("RGB", (width, sum(heights) + legend.height + _MARGIN), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    top = 0
    for (name, image, labels, pred), height in zip(rows, heights, strict=True):
        titles = (name, "truth", "prediction", _ERROR_TITLE)
        strip = prediction_row(image, labels, pred, palette)
        for column, title in enumerate(titles):
            left = _MARGIN + column * (cell_w + _MARGIN)
            pen.text((left, top + 3), _shorten(title, font, cell_w), "black", font)
            part = strip[:, column * image.shape[1] : (column + 1) * image.shape[1]]
            sheet.paste(Image.fromarray(part), (left, top + _TITLE))
        top += height
    sheet.paste(legend, (0, top + _MARGIN))
    return np.asarray(sheet)


def save_image(path: str | Path, image: np.ndarray) -> None:
    """Write uint8 RGB as PNG (or what the ending says), whole or not at all."""
    _save(Image.fromarray(image), path)


def save_label_png(
    path: str | Path, labels: np.ndarray, palette: np.ndarray | None = None
) -> None:
    """Write labels as a palette PNG, the form that the VOC server takes.

    Args:
        path: The file.
        labels: Integer [H, W], in [0, 255].
        palette: uint8 [256, 3]; None: that of PASCAL VOC.

    Raises:
        ValueError: If a label does not fit into 8 bits.
    """
    labels = np.asarray(labels)
    if labels.size and (labels.min() < 0 or labels.max() > 255):
        raise ValueError(
            f"save_label_png: labels from {labels.min()} to {labels.max()} do not fit "
            f"into 8 bits; expected 0 to 255."
        )
    palette = voc_palette() if palette is None else palette
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette(np.asarray(palette, np.uint8).reshape(-1).tolist())
    _save(image, path)


def plot_curves(entries: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Plot loss and mean IU over the steps of a run.

    Args:
        entries: The lines of a run's log; see `fcn_jax.logs`.
        path: The PNG to write. The final and the lowest loss are marked.
    """
    figure, (left, right) = _figure(2)
    train = [e for e in entries if e["kind"] == "train"]
    if train:
        steps = [e["step"] for e in train]
        loss = [e["loss"] for e in train]
        left.plot(steps, loss, color="0.75", lw=1, label="loss of the step")
        left.plot(steps, [e["mean_loss"] for e in train], label="mean since the last")
        low = int(np.argmin(loss))
        left.plot(steps[low], loss[low], "v", color="C2")
        left.plot(steps[-1], loss[-1], "o", color="C3")
        left.set_title(
            f"final {loss[-1]:.3f}, lowest {loss[low]:.3f} at step {steps[low]:,}"
        )
        left.legend()
    left.set(xlabel="step", ylabel="loss")
    scored = [e for e in entries if e["kind"] == "eval" and e["mean_iu"] is not None]
    if scored:
        steps = [e["step"] for e in scored]
        values = [e["mean_iu"] for e in scored]
        right.plot(steps, values, "o-", color="C2")
        high = int(np.argmax(values))
        right.set_title(f"best {values[high]:.4f} at step {steps[high]:,}")
    right.set(xlabel="step", ylabel="mean IU")
    _save_figure(figure, path)


def plot_resolutions(results: Sequence[Mapping[str, float]], path: str | Path) -> None:
    """Plot the metrics over the input resolution; `results` as `eval.py` has them."""
    figure, (axes,) = _figure(1)
    at = [result["resolution"] for result in results]
    for name in results[0]:
        if name != "resolution":
            values = [result[name] for result in results]
            axes.plot(at, values, "o-", label=name.replace("_", " "))
    axes.set(xlabel="input resolution, relative to the image", ylabel="score")
    axes.legend()
    _save_figure(figure, path)


def _figure(columns: int) -> tuple[Any, Sequence[Any]]:
    from matplotlib.figure import Figure  # Half a second, and seldom needed.

    figure = Figure(figsize=(5.5 * columns, 3.6), layout="constrained", dpi=110)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for one in axes:
        one.grid(alpha=0.3)
    return figure, axes


def _save_figure(figure: Any, path: str | Path) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    figure.savefig(part, format="png")
    os.replace(part, path)


def _save(image: Image.Image, path: str | Path) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    image.save(part, Image.registered_extensions().get(path.suffix.lower(), "PNG"))
    os.replace(part, path)


def _legend(
    classes: Sequence[str], palette: np.ndarray | None, width: int
) -> Image.Image:
    font, line = ImageFont.load_default(11), 18
    colours = decode_labels(np.arange(len(classes)), palette)
    places, left, top = [], _MARGIN, 0
    for name in classes:
        length = int(font.getlength(name)) + 28
        if left + length > width and left > _MARGIN:
            left, top = _MARGIN, top + line
        places.append((left, top))
        left += length
    legend = Image.new("RGB", (width, top + line + 4), "white")
    pen = ImageDraw.Draw(legend)
    for name, colour, (x, y) in zip(classes, colours, places, strict=True):
        pen.rectangle((x, y + 3, x + 12, y + 15), tuple(int(c) for c in colour), "grey")
        pen.text((x + 17, y + 2), name, "black", font)
    return legend


def _shorten(text: str, font: Any, width: int) -> str:
    while len(text) > 3 and font.getlength(text) > width:
        text = text[:-2].rstrip(".") + "."
    return text
