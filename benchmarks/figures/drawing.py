"""The figures as pictures: light cards, which are legible on pages light and dark."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from benchmarks.figures import shapes
from benchmarks.figures.shapes import Map

PAPER, INK, FAINT = "#f7f7f4", "#24292f", "#8a9199"
ENCODER, SCORES, SKIP, IMAGE = "#7aa6d8", "#e8a15c", "#8fbf7f", "#c9c9c2"
_SMALL, _TEXT, _TITLE = 8.5, 9.5, 11

# A map whose maxima lie in four different corners of their windows; two values tie.
EXAMPLE = ((1, 5, 2, 0), (3, 2, 1, 7), (4, 4, 0, 3), (0, 1, 6, 2))


def _card(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, a unit an inch, and a paper of its own."""
    figure = Figure((width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    figure.patch.set_alpha(0)
    box = FancyBboxPatch(
        (0.06, 0.06), width - 0.12, height - 0.12,
        boxstyle="round,pad=0,rounding_size=0.12", fc=PAPER, ec="#d0d0ca", lw=1,
    )  # fmt: skip
    axes.add_patch(box)
    return figure, axes


def _say(axes: Axes, x: float, y: float, text: str, **how: object) -> None:
    style: dict = {"ha": "center", "va": "center", "size": _TEXT, "color": INK}
    axes.text(x, y, text, **style | how)


def _box(axes: Axes, x: float, y: float, width: float, height: float, colour: str):
    """A rectangle around (x, y)."""
    lower = (x - width / 2, y - height / 2)
    axes.add_patch(Rectangle(lower, width, height, fc=colour, ec=INK, lw=0.8))


def _arrow(axes: Axes, start: tuple, end: tuple, colour: str = INK, **how: object):
    style = {"arrowstyle": "-|>", "color": colour, "lw": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style | how)


def fcn() -> Figure:
    """The maps of VGG-16, and how the three nets come from them to the image."""
    figure, axes = _card(9.6, 6.6)
    by_name = {each.name: each for each in shapes.encoder_maps()}
    shown = ["image", "conv1_1", *(f"pool{i}" for i in range(1, 6)), "fc7"]
    at = dict(zip(shown, np.linspace(0.9, 8.8, len(shown)), strict=True))
    _say(
        axes, 0.35, 6.3, f"VGG-16 on an image of {shapes.SIDE}x{shapes.SIDE}, "
        "padding \"caffe\"", ha="left", size=_TITLE,
    )  # fmt: skip
    for name in shown:
        side = 0.034 * by_name[name].side ** 0.5
        colour = IMAGE if name == "image" else ENCODER
        _box(axes, at[name], 5.55, side, side, colour)
        _say(axes, at[name], 4.9, name, weight="bold", size=_SMALL)
        _say(axes, at[name], 4.68, _size_of(by_name[name]), size=_SMALL)
    for before, after in itertools.pairwise(shown):
        _arrow(axes, (at[before] + 0.48, 5.55), (at[after] - 0.48, 5.55), FAINT)
    for row, (name, title) in enumerate(shapes.NETS.items()):
        _path_of_scores(axes, 3.85 - 1.35 * row, title, shapes.meetings(name))
    return figure


def _size_of(each: Map) -> str:
    return f"{each.side}x{each.side}x{each.channels}"


def _path_of_scores(
    axes: Axes, y: float, title: str, found: Sequence[shapes.Meeting]
) -> None:
    """A row: scores, upsampled, with a skip cropped to them, to the image."""
    axes.plot((0.3, 9.3), (y + 0.5, y + 0.5), color="#deded8", lw=1)
    _say(axes, 0.35, y + 0.28, title, ha="left", size=_TITLE)
    width, height, step, x = 1.05, 0.34, 1.8, 1.5
    y -= 0.05
    _box(axes, x, y, width, height, SCORES)
    side = found[0].before
    _say(axes, x, y, f"score_fr {side}x{side}", size=_SMALL)
    for each in found:
        start = x
        x += step
        _arrow(axes, (start + width / 2, y), (x - width / 2, y))
        middle = (start + x) / 2
        _say(axes, middle, y + 0.12, f"x{each.factor}", size=_SMALL)
        _say(axes, middle, y - 0.14, f"kernel {each.kernel_size}", size=_SMALL - 1)
        _box(axes, x, y, width, height, SCORES)
        _say(axes, x, y, f"{each.after}x{each.after}", size=_SMALL)
        if each.other:
            _box(axes, x, y - 0.5, width + 0.62, 0.3, SKIP)
            skipped = f"+ score_{each.other}, from {each.offset} of {each.other_side}"
            _say(axes, x, y - 0.5, skipped, size=_SMALL - 1.5)
            _arrow(axes, (x, y - 0.35), (x, y - height / 2))
    last = found[-1]
    _arrow(axes, (x + width / 2, y), (x + 1.1, y))
    _say(axes, x + 0.82, y + 0.12, f"from {last.offset}", size=_SMALL - 1)
    _box(axes, x + 1.5, y, 0.8, height, IMAGE)
    _say(axes, x + 1.5, y, f"{last.other_side}x{last.other_side}", size=_SMALL)


def crops() -> Figure:
    """How the padded image and the upsampled scores lie over the image, on one axis."""
    figure, axes = _card(9.6, 4.1)
    names = {field.name: field for field in shapes.fields()}
    sides = {each.name: each.side for each in shapes.encoder_maps()}
    first = names["conv1_1"]
    pad = int(1 - first.first)  # The first window's centre lies within its padding.
    scale, zero = 9.2 / (shapes.SIDE + 2 * pad + 130), 0.62
    far = scale * (130 / 2 + pad) + zero

    def bar(y: float, start: float, end: float, colour: str, label: str, text: str):
        _box(
            axes, far + scale * (start + end) / 2, y, scale * (end - start), 0.3, colour
        )
        _say(axes, far + scale * (start + end) / 2, y, text, size=_SMALL)
        _say(axes, 0.25, y + 0.27, label, ha="left", size=_SMALL, weight="bold")

    image = shapes.SIDE
    _say(axes, 0.25, 3.8, "Along one side of the image", ha="left", size=_TITLE)
    bar(
        3.15, -pad, image + pad, "#e4e4de", "padded image",
        f"{-pad} to {image + pad}",
    )  # fmt: skip
    bar(2.5, 0, image, IMAGE, "image", f"0 to {image}")
    for row, (name, title) in enumerate(shapes.NETS.items()):
        last = shapes.meetings(name)[-1]
        start, end = -last.offset, last.after - last.offset
        bar(
            1.85 - 0.65 * row, start, end, SCORES, f"{title}, {last.name}",
            f"{last.after}: {start} to {end}; the first {last.offset} and the last "
            f"{end - image} are cut off",
        )  # fmt: skip
    for x in (0, image):
        axes.plot((far + scale * x,) * 2, (0.3, 3.4), color=INK, lw=0.8, ls=":")
    cell = names["fc7"]
    count = sides["fc7"]
    centre = [far + scale * float(cell.first + i * cell.stride) for i in range(count)]
    axes.plot(centre, [2.82] * count, "|", color=ENCODER, ms=9, mew=2)
    _say(
        axes, far + scale * image / 2, 3.44, f"centres of fc7's {count} cells, one "
        f"every {cell.stride} pixels, as blue strokes", size=_SMALL, color="#3f6fa3",
    )  # fmt: skip
    return figure


def receptive_fields() -> Figure:
    """What a cell of each pooling, and of fc6, sees of the image."""
    found = [f for f in shapes.fields() if f.name.startswith(("pool", "fc6"))]
    figure, axes = _card(9.6, 0.75 + 0.46 * len(found))
    top = 0.3 + 0.46 * len(found)
    _say(
        axes, 0.25, top + 0.18, "What one cell sees of the image, and the step to the "
        "next", ha="left", size=_TITLE,
    )  # fmt: skip
    scale = 5.2 / found[-1].side
    for row, field in enumerate(found):
        y = top - 0.3 - 0.46 * row
        _say(axes, 0.25, y, field.name, ha="left", weight="bold")
        _box(axes, 3.7, y, scale * field.side, 0.3, ENCODER)
        _box(axes, 3.7, y, scale * field.stride, 0.3, SKIP)
        text = f"{field.side} pixels, every {field.stride}"
        _say(axes, 6.6, y, text, ha="left")
    return figure


def deconvnet() -> Figure:
    """The hourglass: sides as heights, and the switches that cross it."""
    figure, axes = _card(9.6, 4.5)
    encoder, decoder = shapes.deconvnet_maps()
    by_name = {each.name: each for each in encoder}
    before = [by_name["image"], *(by_name[f"pool{i}"] for i in range(1, 6))]
    after = [by_name["fc7"], decoder[0], *(m for m in decoder if "derelu" in m.name)]
    shown = [*before, *after, decoder[-1]]
    at = np.linspace(0.62, 8.98, len(shown))
    _say(
        axes, 0.25, 4.22, f"DeconvNet on {before[0].side}x{before[0].side}: pooling, "
        "and back by the switches", ha="left", size=_TITLE,
    )  # fmt: skip
    middle, place = 1.75, {}
    for x, each in zip(at, shown, strict=True):
        height = 0.12 + 1.75 * each.side / shown[0].side
        colour = ENCODER if each in encoder else SCORES
        colour = IMAGE if each in (shown[0], shown[-1]) else colour
        _box(axes, x, middle, 0.3, height, colour)
        short = each.name.removesuffix("-relu").replace("derelu", "deconv")
        place[short] = (x, middle + height / 2)
        _say(axes, x, 0.62, short, size=_SMALL - 1.5, weight="bold")
        _say(axes, x, 0.44, f"{each.side}x{each.side}", size=_SMALL - 1.5)
        _say(axes, x, 0.27, f"x{each.channels}", size=_SMALL - 1.5)
    for stage in range(1, 6):
        ends = [
            f"pool{stage}",
            next(p for p in place if p.startswith(f"deconv{stage}")),
        ]
        (left, low), (right, high) = (place[end] for end in ends)
        y = 3.95 - 0.22 * stage
        axes.plot((left, left, right), (low, y, y), color="#5f9350", lw=1)
        _arrow(axes, (right, y), (right, high), "#5f9350")
        _say(
            axes, (left + right) / 2, y + 0.09, f"switches of pool{stage} -> "
            f"unpool{stage}", size=_SMALL - 2, color="#40702f",
        )  # fmt: skip
    return figure


def unpooling() -> Figure:
    """A map pooled and unpooled, with its numbers."""
    figure, axes = _card(9.6, 2.75)
    found = shapes.unpooled(EXAMPLE)
    titles = {
        "map": "a map", "pooled": "its maxima", "switches": "where they were",
        "unpooled": "unpooled",
    }  # fmt: skip
    # Every window has a colour of its own, through all four.
    colours = ("#cfe0f3", "#f8dfc3", "#d6e9cf", "#eddcef")
    for (name, values), x in zip(found.items(), (1.3, 4.0, 5.9, 8.2), strict=True):
        side = len(values)
        cell = 0.44
        _say(axes, x, 2.48, titles[name], size=_TITLE)
        for row, column in np.ndindex(values.shape):
            cx = x + cell * (column - (side - 1) / 2)
            cy = 1.32 + cell * ((side - 1) / 2 - row)
            window = 2 * (row // (side // 2)) + column // (side // 2)
            _box(axes, cx, cy, cell, cell, colours[window])
            value = values[row, column]
            kept = name != "map" or value == found["unpooled"][row, column]
            _say(
                axes, cx, cy, f"{value:g}",
                weight="bold" if kept and value else "normal",
                color=INK if value or name == "switches" else FAINT,
            )  # fmt: skip
    _arrow(axes, (2.35, 1.32), (3.4, 1.32))
    _say(axes, 2.87, 1.5, "max_pool", size=_SMALL - 1)
    _arrow(axes, (6.5, 1.32), (7.15, 1.32))
    _say(axes, 6.82, 1.5, "max_unpool", size=_SMALL - 1)
    _say(
        axes, 4.95, 0.3, "a switch counts its window row by row: 0, 1 above, 2, 3 "
        "below", size=_SMALL,
    )  # fmt: skip
    return figure


FIGURES = {
    "fcn": fcn,
    "crops": crops,
    "receptive_fields": receptive_fields,
    "deconvnet": deconvnet,
    "unpooling": unpooling,
}
