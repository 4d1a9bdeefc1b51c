"""Images as they are given to a trained network: arrays, files, Pillow's."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps

from fcn_jax.data import image_files
from fcn_jax.preprocessing import Preprocessing

# An image: [H, W, channels], a file, or Pillow's.
Picture: TypeAlias = np.ndarray | str | Path | Image.Image
# One, several of any sizes, or a stack [N, H, W, channels].
Images: TypeAlias = Picture | Sequence[Picture]


def arrays(
    images: Images, channels: int, takes_photos: bool = True
) -> tuple[list[np.ndarray], bool, bool]:
    """Images as arrays.

    Args:
        images: See above.
        channels: Of the images that the network sees.
        takes_photos: Whether three of them are colours; else none is read from a file.

    Returns:
        Each image, [H, W, channels]; whether it was one image; and whether all were
        given as one stack.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If an array is not uint8 (where the network sees RGB), or what is
            given is no image.
        ValueError: If one has another shape, or a file cannot be read.
    """
    if isinstance(images, str | os.PathLike | Image.Image):
        return [_array(images, channels, takes_photos)], True, False
    stacked = not isinstance(images, Sequence)
    if stacked and np.ndim(images) == 3:
        return [_array(images, channels, takes_photos)], True, False
    if stacked and np.ndim(images) == 0:
        raise TypeError(
            f"predict: {type(images).__name__} is no image; give an array, a path, an "
            f"image of Pillow, or a list of these."
        )
    return [_array(each, channels, takes_photos) for each in images], False, stacked


def _array(image: Picture, channels: int, takes_photos: bool) -> np.ndarray:
    if isinstance(image, str | os.PathLike | Image.Image):
        if channels != 3 or not takes_photos:
            what = f"{channels} channels" + " that are no colours" * (channels == 3)
            raise TypeError(
                f"predict: this network sees {what}, and files are read as RGB; give "
                f"an array [H, W, {channels}]."
            )
        if isinstance(image, Image.Image):
            return _of_pillow(image)
        return image_files.read_photo(image, upright=True, deep=True)
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != channels or 0 in array.shape:
        raise ValueError(
            f"predict: an image has shape {array.shape}; expected [H, W, {channels}], "
            f"a stack [N, H, W, {channels}], or a list of images."
        )
    if array.dtype != np.uint8 and channels == 3:
        raise TypeError(
            f"predict: an image is {array.dtype}; expected uint8 RGB in [0, 255]; "
            f"the network preprocesses it itself."
        )
    return array


def _of_pillow(image: Image.Image) -> np.ndarray:
    """As a file is read: turned by its EXIF orientation, transparency dropped."""
    if image.mode == "F" or image.mode.startswith("I"):
        raise TypeError(
            f"predict: an image of Pillow has mode {image.mode!r}, of more than 8 bits "
            f"a channel; convert it, scaled as you mean it to be seen."
        )
    turned = image_files.orientation_of(image) != 1
    upright = ImageOps.exif_transpose(image) if turned else image
    if "transparency" in upright.info:  # Which Pillow warns of; it is dropped.
        upright = upright.convert("RGBA")
    return np.array(upright.convert("RGB"))


def check_photos(preprocessing: Preprocessing, workdir: str | Path) -> None:
    """Refuse a network that photographs do not suffice for.

    Args:
        preprocessing: Of the network.
        workdir: Of its run, for the message.

    Raises:
        ValueError: If it sees more than colours, or none; naming what to do.
    """
    if preprocessing.takes_photos:
        return
    given, count = preprocessing.channels_given, preprocessing.num_channels
    raise ValueError(
        f"{workdir} sees {given}, and images here are read as RGB; fcn_jax predict "
        f"takes depth beside photographs (--depth=DIR); in Python "
        f"fcn_jax.load({str(workdir)!r}).predict takes arrays [H, W, {count}] "
        f"(fcn_jax.data.rgbd makes them of colours and depth), and fcn_jax eval scores "
        f"a data set."
    )
