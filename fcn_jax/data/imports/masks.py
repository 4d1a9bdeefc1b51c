"""Masks of values or colours, as importers read them."""

from pathlib import Path

from fcn_jax.data import image_files


def holds_colours(path: Path) -> bool:
    """Whether a mask has colours, and no indices or grey values.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image.
    """
    with image_files.open_image(path) as image:
        return image.mode in ("RGB", "RGBA")
