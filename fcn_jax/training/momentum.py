"""Which momentum and rate with one batch size do what others do with another.

Unrolled, SGD with momentum u, rate r and the mean gradient of k images a step moves the
parameters j images later by r / k * u ** floor(j / k) times the gradient of an image.
Two settings forget an image alike where u ** (1 / k) is the same, and an image moves
the parameters as far in all where r / (k * (1 - u)) is.

References:
    Shelhamer et al. 2017, TPAMI 39(4), arXiv:1605.06211, on momentum 0.99 with one
    image ("heavy" learning) beside 0.9 with 20 of them (Long et al. 2015, sec. 4.3).
"""


def equivalent_momentum(momentum: float, batch_size: int, other: int) -> float:
    """The momentum that forgets an image as fast, with another batch size.

    Args:
        momentum: From 0 to below 1, with `batch_size`: 0.9 with 20.
        batch_size: Images of an update.
        other: Images of an update whose momentum is asked for: 1.

    Returns:
        momentum ** (other / batch_size): 0.9947.

    Raises:
        ValueError: If the momentum is not in [0, 1), or a batch has no image.
    """
    _check(momentum, batch_size, other)
    return momentum ** (other / batch_size)


def equivalent_rate(
    learning_rate: float, momentum: float, batch_size: int, other: int
) -> float:
    """The rate at which an image moves the parameters as far, with another batch size.

    That is with `equivalent_momentum` of the other, and the mean of the images of a
    batch as its loss.

    Args:
        learning_rate: With `batch_size` and `momentum`.
        momentum: From 0 to below 1.
        batch_size: Images of an update.
        other: Images of an update whose rate is asked for.

    Raises:
        ValueError: If the momentum is not in [0, 1), or a batch has no image.
    """
    theirs = equivalent_momentum(momentum, batch_size, other)
    return learning_rate * other * (1 - theirs) / (batch_size * (1 - momentum))


def _check(momentum: float, batch_size: int, other: int) -> None:
    if not 0 <= momentum < 1:
        raise ValueError(
            f"momentum={momentum} is not in [0, 1): at 1 no image is ever forgotten."
        )
    if min(batch_size, other) < 1:
        raise ValueError(
            f"batch sizes {batch_size} and {other}: an update has at least one image."
        )
