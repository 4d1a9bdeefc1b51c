"""Pictures as data: URLs, which a page holds in itself."""

import base64
import io

import numpy as np
from PIL import Image

from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.viz.labels import decode_labels

LONGEST_SIDE = 448  # Pixels; larger pictures are made smaller.
_QUALITY = 85


def photograph(image: np.ndarray) -> str:
    """A photograph as a JPEG.

    Args:
        image: uint8 RGB [H, W, 3].
    """
    return _url(_smaller(Image.fromarray(image), Image.Resampling.BOX), "JPEG")


def label_map(
    labels: np.ndarray,
    palette: np.ndarray | None = None,
    ignore_label: int = IGNORE_LABEL,
) -> str:
    """Labels as a palette PNG.

    Args:
        labels: uint8 [H, W].
        palette: Of all 256 labels; see `decode_labels`.
        ignore_label: The label of void.
    """
    picture = Image.fromarray(labels)
    colours = decode_labels(np.arange(256), palette, ignore_label)
    picture.putpalette(colours.reshape(-1).tolist())
    return _url(_smaller(picture, Image.Resampling.NEAREST), "PNG")


def drawing(picture: np.ndarray) -> str:
    """A picture of few colours as a PNG.

    Args:
        picture: uint8 RGB [H, W, 3].
    """
    return _url(_smaller(Image.fromarray(picture), Image.Resampling.NEAREST), "PNG")


def _smaller(picture: Image.Image, how: Image.Resampling) -> Image.Image:
    factor = LONGEST_SIDE / max(picture.size)
    if factor >= 1:
        return picture
    width, height = (max(1, round(n * factor)) for n in picture.size)
    return picture.resize((width, height), how)


def _url(picture: Image.Image, form: str) -> str:
    stream = io.BytesIO()
    picture.save(stream, form, optimize=True, quality=_QUALITY)
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{form.lower()};base64,{text}"
