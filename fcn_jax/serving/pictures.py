"""Pictures as text: base64, which JSON can hold."""

import base64
import io

import numpy as np
from PIL import Image

_LONGER_SIDE, _QUALITY = 1600, 90  # Of a photograph that is sent back, as a JPEG.


def png(labels: np.ndarray, palette: np.ndarray) -> str:
    """Labels as a palette PNG.

    Args:
        labels: uint8 [H, W].
        palette: uint8 [256, 3].
    """
    picture = Image.fromarray(labels)
    picture.putpalette(np.asarray(palette, np.uint8).reshape(-1).tolist())
    return _encoded(picture, "PNG")


def jpeg(image: np.ndarray) -> str:
    """A photograph as a JPEG, made smaller where it is large.

    Args:
        image: uint8 RGB [H, W, 3].
    """
    picture = Image.fromarray(image)
    picture.thumbnail((_LONGER_SIDE, _LONGER_SIDE))
    return _encoded(picture, "JPEG")


def _encoded(picture: Image.Image, form: str) -> str:
    stream = io.BytesIO()
    picture.save(stream, form, quality=_QUALITY)
    return base64.b64encode(stream.getvalue()).decode("ascii")
