"""Pictures of labels and predictions.

Arrays in, arrays or files out; a palette says which colour a label has.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from fcn_jax.data.label_sets import IGNORE_LABEL, voc_palette
from fcn_jax.storage import files

_CORRECT, _WRONG, _VOID = (235, 235, 235), (214, 39, 40), (170, 190, 210)
_MARGIN, _TITLE, _CELL = 6, 22, 176  # Pixels; _CELL is the least width of a picture.
_FONT_SIZE, _HATCH = 14, 7
_NO_LETTER = "\uffff"  # Never one, so that no font has it.
_ERROR_TITLE = "errors (red), void (blue)"
# A name, an image, its labels and predictions.
Row: TypeAlias = tuple[str, np.ndarray, np.ndarray, *tuple[np.ndarray, ...]]
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


def decode_labels(
    labels: npt.ArrayLike,
    palette: np.ndarray | None = None,
    ignore_label: int = IGNORE_LABEL,
) -> np.ndarray:
    """Labels as colours.

    Args:
        labels: Integer [...], NumPy or JAX: rows of `palette`, or `ignore_label`.
        palette: Colour of every label, uint8 [L, 3]; None: that of PASCAL VOC.
        ignore_label: The label of void; where the palette has no colour for it, it
            gets VOC's, a pale yellow.

    Returns:
        uint8 RGB [..., 3].

    Raises:
        TypeError: If the labels are not integers.
        ValueError: If a label has no colour, naming it, or the palette another shape.
    """
    labels = np.asarray(labels)
    palette = voc_palette() if palette is None else np.asarray(palette, np.uint8)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"decode_labels: labels are {labels.dtype}; expected integers (take the "
            f"argmax of logits first)."
        )
    if palette.ndim != 2 or palette.shape[1] != 3:
        raise ValueError(
            f"decode_labels: a palette of shape {palette.shape}; expected [L, 3], a "
            f"colour a label."
        )
    void = labels == ignore_label
    bad = ((labels < 0) | (labels >= len(palette))) & ~void
    if bad.any():
        raise ValueError(
            f"decode_labels: label {int(labels[bad][0])} has no colour; the palette "
            f"has colours for 0 to {len(palette) - 1}, and {ignore_label} is void."
        )
    colours = palette[np.where(void, 0, labels)]
    listed = 0 <= ignore_label < len(palette)
    colours[void] = palette[ignore_label] if listed else voc_palette()[IGNORE_LABEL]
    return colours


def overlay(
    image: np.ndarray,
    labels: np.ndarray,
    alpha: float = 0.5,
    palette: np.ndarray | None = None,
    ignore_label: int = IGNORE_LABEL,
) -> np.ndarray:
    """The labels' colours over an image, their borders drawn; void is hatched.

    Labels whose colour is black (VOC's background) let the image through.

    Args:
        image: uint8 RGB [H, W, 3].
        labels: Integer [H, W].
        alpha: Share of the colour, in [0, 1].
        palette: See `decode_labels`.
        ignore_label: The label of void.

    Returns:
        uint8 RGB [H, W, 3].

    Raises:
        ValueError: If image and labels do not fit, or alpha is not in [0, 1].
    """
    image, labels = np.asarray(image), np.asarray(labels)
    _check_shapes("overlay", image, labels)
    if not 0 <= alpha <= 1:
        raise ValueError(f"overlay: alpha={alpha} is not in [0, 1].")
    colours = decode_labels(labels, palette, ignore_label)
    void = labels == ignore_label
    black = ~colours.any(axis=-1) & ~void
    share = np.where(black | void, 0, alpha).astype(np.float32)
    share[_borders(labels) & ~black & ~void] = (1 + alpha) / 2 if alpha else 0
    if void.any():
        row, column = (np.arange(n) for n in labels.shape)
        share[void & ((row[:, None] + column) % _HATCH < 2)] = alpha
    mixed = image.astype(np.float32)
    mixed += (colours - mixed) * share[..., None]
    return np.round(mixed, out=mixed).astype(np.uint8)


def error_map(
    labels: np.ndarray, pred: np.ndarray, ignore_label: int = IGNORE_LABEL
) -> np.ndarray:
    """Where a prediction is right and where not.

    Args:
        labels: True classes, integer [H, W].
        pred: Predicted classes, integer [H, W].
        ignore_label: The label of void, where no prediction is wrong.

    Returns:
        uint8 RGB [H, W, 3]: right light grey, wrong red, void blue-grey.

    Raises:
        ValueError: If the shapes differ.
    """
    labels, pred = np.asarray(labels), np.asarray(pred)
    if labels.shape != pred.shape:
        raise ValueError(
            f"error_map: labels {labels.shape} and prediction {pred.shape} differ in "
            f"shape."
        )
    errors = np.empty((*labels.shape, 3), np.uint8)
    errors[:] = _CORRECT
    errors[labels != pred] = _WRONG
    errors[labels == ignore_label] = _VOID
    return errors


def prediction_row(
    image: np.ndarray,
    labels: np.ndarray,
    *preds: np.ndarray,
    palette: np.ndarray | None = None,
    ignore_label: int = IGNORE_LABEL,
) -> np.ndarray:
    """Image, truth, predictions and the errors of the last one side by side.

    Args:
        image: uint8 RGB [H, W, 3].
        labels: True classes, integer [H, W].
        *preds: Predicted classes, integer [H, W] each; at least one.
        palette: See `decode_labels`.
        ignore_label: The label of void.

    Returns:
        uint8 RGB [H, (3 + number of predictions) W, 3].

    Raises:
        ValueError: If the shapes do not fit.
    """
    _check_shapes("prediction_row", np.asarray(image), np.asarray(labels))
    parts = (
        image,
        decode_labels(labels, palette, ignore_label),
        *(decode_labels(pred, palette, ignore_label) for pred in preds),
        error_map(labels, preds[-1], ignore_label),
    )
    return np.concatenate(parts, axis=1)


def contact_sheet(
    rows: Sequence[Row],
    classes: Sequence[str],
    palette: np.ndarray | None = None,
    ignore_label: int = IGNORE_LABEL,
    titles: Sequence[str] = ("prediction",),
) -> np.ndarray:
    """A sheet with an image a row: image, truth, predictions, errors; a legend below.

    Small images are enlarged by a whole number, without smoothing, so that the titles
    have room.

    Args:
        rows: (name, image, labels, prediction, ...) each, with as many predictions as
            titles; sizes may differ. The errors are those of the last one.
        classes: Names for the legend, in the order of the labels.
        palette: See `decode_labels`.
        ignore_label: The label of void.
        titles: Of the predictions.

    Returns:
        uint8 RGB.

    Raises:
        ValueError: If there are no rows, or the shapes of one do not fit.
    """
    if not rows:
        raise ValueError("contact_sheet: no rows; give at least one image.")
    widest = max(row[1].shape[1] for row in rows)
    enlarge = max(1, -(-_CELL // widest))
    cell_w, columns = enlarge * widest, 3 + len(titles)
    width = columns * cell_w + (columns + 1) * _MARGIN
    heights = [enlarge * row[1].shape[0] + _TITLE + _MARGIN for row in rows]
    colours = decode_labels(np.arange(len(classes)), palette)
    entries = list(zip(classes, colours, strict=True))
    if any((row[2] == ignore_label).any() for row in rows):
        void = decode_labels(np.array([ignore_label]), palette, ignore_label)[0]
        entries.append(("void", void))
    legend = _legend(entries, width)
    sheet = Image.new("RGB", (width, sum(heights) + legend.height), "white")
    pen, font = ImageDraw.Draw(sheet), _font()
    top = 0
    for (name, image, *rest), height in zip(rows, heights, strict=True):
        strip = prediction_row(image, *rest, palette=palette, ignore_label=ignore_label)
        for column, title in enumerate((name, "truth", *titles, _ERROR_TITLE)):
            left = _MARGIN + column * (cell_w + _MARGIN)
            title = _shorten(_drawable(title), font, cell_w)
            pen.text((left, top + _TITLE - 3), title, "black", font, anchor="ls")
            part = strip[:, column * image.shape[1] : (column + 1) * image.shape[1]]
            part = np.kron(part, np.ones((enlarge, enlarge, 1), np.uint8))
            sheet.paste(Image.fromarray(part), (left, top + _TITLE))
        top += height
    sheet.paste(legend, (0, top))
    return np.asarray(sheet)


def draw_title(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], title: str, width: int
) -> None:
    """Write a title into a picture.

    Args:
        pen: Of the picture.
        place: Left end of its base line, (x, y).
        title: The text; shortened where it is wider than `width`.
        width: Pixels.
    """
    font = _font()
    pen.text(place, _shorten(title, font, width), "black", font, anchor="ls")


def with_legend(
    picture: np.ndarray, classes: Sequence[str], palette: np.ndarray | None = None
) -> np.ndarray:
    """A picture with the names and colours of classes below it.

    Args:
        picture: uint8 RGB [H, W, 3]; a narrow one gets room beside it.
        classes: Names, in the order of the labels.
        palette: See `decode_labels`.

    Returns:
        uint8 RGB.
    """
    colours = decode_labels(np.arange(len(classes)), palette)
    width = max(picture.shape[1], _CELL)
    legend = _legend(list(zip(classes, colours, strict=True)), width)
    whole = np.full((picture.shape[0] + legend.height, width, 3), 255, np.uint8)
    whole[: picture.shape[0], : picture.shape[1]] = picture
    whole[picture.shape[0] :] = np.asarray(legend)
    return whole


def save_image(path: str | Path, image: np.ndarray, quick: bool = False) -> None:
    """Write a picture, whole or not at all.

    Args:
        path: The file; its ending says the format, PNG where it says nothing.
        image: uint8 RGB [H, W, 3].
        quick: Whether a PNG of a photograph is packed in a quarter of the time, which
            makes it some 15% larger.
    """
    options = {"compress_level": 1} if quick else {}
    _save(Image.fromarray(image), path, **options)


def save_label_png(
    path: str | Path, labels: np.ndarray, palette: np.ndarray | None = None
) -> None:
    """Write labels as a palette PNG, the form that the VOC server takes.

    Args:
        path: The file.
        labels: Integer [H, W], in [0, 255].
        palette: uint8 [256, 3]; None: that of PASCAL VOC.

    Raises:
        TypeError: If the labels are not integers.
        ValueError: If the labels are not [H, W], or one does not fit into 8 bits.
    """
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"save_label_png: labels are {labels.dtype}; expected integers (take the "
            f"argmax of logits first)."
        )
    if labels.ndim != 2:
        raise ValueError(
            f"save_label_png: labels of shape {labels.shape}; expected those of one "
            f"image, [H, W]."
        )
    if labels.size and (labels.min() < 0 or labels.max() > 255):
        raise ValueError(
            f"save_label_png: labels from {labels.min()} to {labels.max()} do not fit "
            f"into 8 bits; expected 0 to 255."
        )
    palette = voc_palette() if palette is None else palette
    image = Image.fromarray(labels.astype(np.uint8, copy=False))
    image.putpalette(np.asarray(palette, np.uint8).reshape(-1).tolist())
    _save(image, path)


def _save(image: Image.Image, path: str | Path, **options: int) -> None:
    form = Image.registered_extensions().get(Path(path).suffix.lower(), "PNG")
    files.write_whole(path, lambda part: image.save(part, form, **options))


def _check_shapes(function: str, image: np.ndarray, labels: np.ndarray) -> None:
    if image.ndim != 3 or image.shape != (*labels.shape, 3):
        raise ValueError(
            f"{function}: image {image.shape} and labels {labels.shape} do not fit; "
            f"expected [H, W, 3] and [H, W]."
        )


def _borders(labels: np.ndarray) -> np.ndarray:
    """The pixels whose right or lower neighbour has another label, bool [H, W]."""
    borders = np.zeros(labels.shape, bool)
    borders[:-1] |= labels[:-1] != labels[1:]
    borders[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return borders


@functools.cache
def _font() -> Font:
    """DejaVu Sans, which comes with matplotlib; the one that Pillow holds has ASCII."""
    import matplotlib  # Here, since what decodes labels needs none of it.

    path = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    return ImageFont.truetype(path, _FONT_SIZE)


@functools.cache
def _shape(letter: str) -> bytes:
    """What the font draws for a letter; a box for all that it lacks."""
    picture = Image.new("1", (2 * _FONT_SIZE, 2 * _FONT_SIZE))
    ImageDraw.Draw(picture).text((0, 0), letter, 1, _font())
    return picture.tobytes()


def _has(letter: str) -> bool:
    return _shape(letter) != _shape(_NO_LETTER)


def _drawable(text: str, instead: str = "·") -> str:
    """A text whose letters are all in the font."""
    return "".join(letter if _has(letter) else instead for letter in text)


def _named(label: int, name: str) -> str:
    """A class in a legend; by its number where the font lacks letters of its name."""
    if all(map(_has, name)):
        return name
    return f"{label} {' '.join(_drawable(name, ' ').split())}".strip()


def _legend(entries: Sequence[tuple[str, np.ndarray]], width: int) -> Image.Image:
    """Swatches and names, in as many lines as they take."""
    font, line = _font(), 22
    entries = [(_named(n, name), x) for n, (name, x) in enumerate(entries)]
    places, left, top = [], _MARGIN, 4
    for name, _ in entries:
        length = int(font.getlength(name)) + 36
        if left + length > width and left > _MARGIN:
            left, top = _MARGIN, top + line
        places.append((left, top))
        left += length
    legend = Image.new("RGB", (width, top + line + 4), "white")
    pen = ImageDraw.Draw(legend)
    for (name, colour), (x, y) in zip(entries, places, strict=True):
        fill = tuple(int(c) for c in colour)
        pen.rectangle((x, y + 3, x + 14, y + 17), fill, "grey")
        pen.text((x + 20, y + 15), name, "black", font, anchor="ls")
    return legend


def _shorten(text: str, font: Font, width: int) -> str:
    while len(text) > 3 and font.getlength(text) > width:
        text = text[:-2].rstrip(".") + "."
    return text
