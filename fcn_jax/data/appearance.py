"""How an image looks, changed: brightness, contrast, saturation, hue, blur.

Labels know nothing of it. Channels beyond the third are no colours and stay; so do
images of floats, whose range nobody knows.
"""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's "L".


def brighten(image: np.ndarray, factor: float) -> np.ndarray:
    """Multiply the colours, rounded down and clipped to uint8.

    Args:
        image: uint8 [H, W, channels], of which those beyond the third are no colours
            and stay; or float32, which stays as it is.
        factor: Not negative.

    Returns:
        The image.
    """
    if image.dtype != np.uint8:
        return image
    table = np.clip(np.arange(256) * factor, 0, 255).astype(np.uint8)
    return _on_colours(image, lambda colours: _looked_up(table, colours))


def change_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Spread the colours about the mean of the image's luminance, or gather them.

    Args:
        image: uint8 [H, W, channels]; float32 stays as it is.
        factor: Not negative; 0: all of the mean, 1: as it is.

    Returns:
        The image, rounded and clipped to uint8.
    """

    def change(colours: np.ndarray):
        mean = _mean_luminance(colours)
        values = np.rint(mean + factor * (np.arange(256) - mean))
        return _looked_up(np.clip(values, 0, 255).astype(np.uint8), colours)

    return _on_colours(image, change)


def _looked_up(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The entry of a table for each value, uint8; NumPy makes indices of 8 bytes."""
    rows = Image.fromarray(values.reshape(len(values), -1))
    return np.asarray(rows.point(table.tolist())).reshape(values.shape)


def _mean_luminance(colours: np.ndarray) -> float:
    if colours.shape[2] != 3:
        return float(colours.mean())
    # Of counts: three times as quick as a mean of strided pixels, and as exact.
    counts = np.reshape(Image.fromarray(colours).histogram(), (3, 256))
    means = counts @ np.arange(256) / counts[0].sum()
    return float(means @ _LUMA)


def change_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Move the colours away from grey of their luminance, or towards it.

    Args:
        image: uint8 [H, W, channels]; float32 stays as it is, and so does an image of
            fewer than 3 channels.
        factor: Not negative; 0: grey, 1: as it is.

    Returns:
        The image, rounded and clipped to uint8.
    """
    return _mixed(image, factor * np.eye(3) + (1 - factor) * np.tile(_LUMA, (3, 1)))


def turn_hue(image: np.ndarray, degrees: float) -> np.ndarray:
    """Turn the colours about the axis of greys: by 120 degrees red becomes green.

    The mean of red, green and blue stays. Libraries that turn the hue of HSV agree at
    multiples of 120 degrees, and between them differ in lightness.

    Args:
        image: uint8 [H, W, channels]; float32 stays as it is, and so does an image of
            fewer than 3 channels.
        degrees: From red towards green.

    Returns:
        The image, rounded and clipped to uint8.
    """
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    first, last = (1 - cosine) / 3, sine / math.sqrt(3)
    row = np.array([cosine + first, first - last, first + last])
    return _mixed(image, np.stack([np.roll(row, shift) for shift in range(3)]))


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur the colours by a Gaussian, as Pillow does (three boxes).

    Args:
        image: uint8 [H, W, channels]; float32 stays as it is.
        sigma: Standard deviation, pixels; 0: as it is.

    Returns:
        The image.
    """
    how = ImageFilter.GaussianBlur(sigma)

    def change(colours: np.ndarray):
        if colours.shape[2] == 3:
            return np.asarray(Image.fromarray(colours).filter(how))
        planes = np.ascontiguousarray(colours.transpose(2, 0, 1))
        blurred = [np.asarray(Image.fromarray(x).filter(how)) for x in planes]
        return np.stack(blurred, axis=-1)

    return _on_colours(image, change)


def _mixed(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Each colour a mixture of all three: a row of the matrix."""
    if image.shape[2] < 3:
        return image
    rows = np.concatenate([matrix, np.zeros((3, 1))], axis=1)

    def change(colours: np.ndarray):
        return np.asarray(Image.fromarray(colours).convert("RGB", tuple(rows.ravel())))

    return _on_colours(image, change)


def _on_colours(
    image: np.ndarray, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """The first three channels changed; an image of floats stays."""
    if image.dtype != np.uint8:
        return image
    if image.shape[2] <= 3:
        return change(np.ascontiguousarray(image))
    colours = change(np.ascontiguousarray(image[..., :3]))
    return np.concatenate([colours, image[..., 3:]], axis=-1)
