"""One HTML page of what was found out about runs; it needs nothing but itself.

Pictures are data: URLs, plots are inline SVG, the page's own policy forbids to load
anything. What it shows stands in `templates/report.html`.
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fcn_jax import messages
from fcn_jax.storage.files import JsonObject

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BYTES = 20_000_000
# Classes up to which the whole confusion matrix is a table; above, its largest entries.
_WHOLE_MATRIX = 64
_CONFUSIONS = 20
_METRICS = (
    ("mean IU", "mean_iu"),
    ("pixel accuracy", "pixel_accuracy"),
    ("mean accuracy", "mean_accuracy"),
    ("frequency weighted IU", "frequency_weighted_iu"),
)


def check_installed() -> None:
    """Refuse to begin what could not be written at the end.

    Raises:
        ImportError: If Jinja2 is not there.
    """
    if messages.lacking(["jinja2"]):
        raise ImportError(
            "an HTML report needs jinja2: pip install jinja2 (the extra [report])"
        )


def render(page: JsonObject, most_bytes: int = MOST_BYTES) -> str:
    """The page as text; as many pictures as there is room for.

    Args:
        page: `runs`, what was found of each: `name`, `facts`, `scores`, `boundary`,
            `boundary_distance`, `sizes`, `size_bounds`, `calibration`, `printed`,
            `published`, `histogram`; `classes`, a `name` and a `colour` each;
            `examples`, a `name`, `layers` (titles and data: URLs) and `scores` by run.
        most_bytes: Of the page.

    Returns:
        HTML.

    Raises:
        ImportError: If Jinja2 is not there.
        ValueError: If there is no room even without pictures.
    """
    check_installed()
    template = _environment().get_template("report.html")
    runs = [_shown(run, page["classes"]) for run in page["runs"]]
    given = {
        "runs": runs,
        "classes": page["classes"],
        "metrics": _METRICS,
        "whole": len(page["classes"]) <= _WHOLE_MATRIX,
    }

    def text_of(examples: Sequence[JsonObject]) -> str:
        left_out = len(page["examples"]) - len(examples)
        return template.render(**given, examples=examples, left_out=left_out)

    room = most_bytes - len(text_of([]).encode())
    if room < 0:
        raise ValueError(
            f"the report takes {most_bytes - room:,} bytes without any picture, and "
            f"{most_bytes:,} is the most; compare fewer runs."
        )
    shown = _fitting(page["examples"], room)
    text = text_of(shown)
    while len(text.encode()) > most_bytes:  # Names that are longer than is likely.
        shown = shown[: len(shown) // 2]
        text = text_of(shown)
    return text


# What a picture's entry takes beside its URLs, as a rule: names, scores, markup.
_AROUND_A_LAYER, _AROUND_A_SCORE = 500, 120


def _fitting(examples: Sequence[JsonObject], room: int) -> list[JsonObject]:
    """The examples that have room: from both ends, for the worst and the best."""
    chosen: set[int] = set()
    ends = range(len(examples))
    order = [i for pair in zip(ends, reversed(ends), strict=True) for i in pair]
    for place in dict.fromkeys(order):
        example = examples[place]
        size = sum(len(url) + _AROUND_A_LAYER for _, url in example["layers"])
        size += _AROUND_A_SCORE * (len(example["scores"][0]["iu"]) + 1)
        if size <= room:
            chosen.add(place)
            room -= size
    return [examples[place] for place in sorted(chosen)]


def _shown(run: JsonObject, classes: Sequence[JsonObject]) -> JsonObject:
    """A run with what a template cannot compute."""
    confusion = np.asarray(run["scores"]["confusion"], np.int64)
    truth = confusion.sum(axis=1)
    shares = confusion / np.maximum(truth, 1)[:, None]
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    largest = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    names = [each["name"] for each in classes]
    total = max(int(truth.sum()), 1)
    return {
        **run,
        "truth": truth.tolist(),
        "truth_shares": (truth / total).tolist(),
        "shares": shares.tolist(),
        "confusions": [
            {
                "truth": names[row],
                "pred": names[column],
                "pixels": int(wrong[row, column]),
                "share": float(shares[row, column]),
                "share_of_errors": int(wrong[row, column]) / max(int(wrong.sum()), 1),
            }
            for row, column in (divmod(int(at), len(names)) for at in largest)
            if wrong[row, column]
        ],
    }


@functools.cache
def _environment() -> "Environment":
    import jinja2  # An extra.

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fcn_jax.viz"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    environment.filters["count"] = "{:,}".format
    return environment


def _percent(value: float | None, digits: int = 2) -> str:
    """A fraction in percent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f}"
