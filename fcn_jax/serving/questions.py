"""What is asked about an image: the parameters of a request."""

import dataclasses
from collections.abc import Iterable

from fcn_jax import messages
from fcn_jax.serving.refusals import BAD, Refusal

MOST_POINTS = 100
_SWITCHES = {"0": False, "false": False, "1": True, "true": True}
_FLAGS, _NUMBERS, _COORDINATES = ("crf", "labels", "picture"), ("size",), ("x", "y")


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked about an image.

    Attributes:
        crf: Whether the dense CRF comes after the network; None: as the server has it.
        size: Longer side at which the network sees the image, pixels; 0: its own;
            None: as the server has it.
        labels: Whether labels are wanted, as a PNG.
        picture: Whether the image is wanted, as the network saw it.
        points: Pixels whose probabilities are wanted, (x, y) from the upper left.
    """

    crf: bool | None = None
    size: int | None = None
    labels: bool = False
    picture: bool = False
    points: tuple[tuple[int, int], ...] = ()


def parsed(given: Iterable[tuple[str, str]]) -> Question:
    """A question from the names and values of a request.

    Args:
        given: Pairs; x and y may come several times, the others once.

    Raises:
        Refusal: If a name is not known or given twice, or a value has no sense.
    """
    flags: dict[str, bool] = {}
    size: int | None = None
    places: dict[str, list[int]] = {"x": [], "y": []}
    for name, value in given:
        if name in _COORDINATES:
            places[name].append(_number(name, value))
        elif name in _NUMBERS and size is None:
            size = _number(name, value)
        elif name in _FLAGS and name not in flags:
            flags[name] = _switch(name, value)
        elif name in (*_FLAGS, *_NUMBERS):
            raise Refusal(BAD, f"{name} is given twice; give it once")
        else:
            known = (*_FLAGS, *_NUMBERS, *_COORDINATES)
            text = messages.unknown_name("the parameter", name[:40], known)
            raise Refusal(BAD, text)
    xs, ys = places["x"], places["y"]
    if len(xs) != len(ys) or len(xs) > MOST_POINTS:
        raise Refusal(
            BAD,
            f"there are {len(xs)} of x and {len(ys)} of y; give both of each pixel, "
            f"of at most {MOST_POINTS}",
        )
    return Question(
        flags.get("crf"),
        size,
        flags.get("labels", False),
        flags.get("picture", False),
        tuple(zip(xs, ys, strict=True)),
    )


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise Refusal(
            BAD,
            f"{name}={value[:40]} is not understood; give a whole number, 0 or more",
        )
    return int(value)


def _switch(name: str, value: str) -> bool:
    if value.lower() not in _SWITCHES:
        raise Refusal(BAD, f"{name}={value[:40]} is not understood; give 0 or 1")
    return _SWITCHES[value.lower()]
