"""The built-in data sets of shapes, the same bytes for the same seed.

1,200 training and 200 validation images of 80-112 x 96-144 pixels, seven classes with
the background, void outlines, object masks; see `fcn_jax.data.sources.drawing`.
"""

import functools
import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from fcn_jax.data.sources import drawing, tfds_source

SIZES = {"train": 1200, "val": 200}
SHAPES, ANY_SIZE = "shapes", "shapes_any_size"
_DRAW: dict[str, Callable[[np.random.Generator], drawing.Drawing]] = {
    SHAPES: drawing.draw,
    ANY_SIZE: drawing.draw_any_size,
}
_SEED = 2015


@functools.cache
def builder_class(name: str) -> tfds_source.Builder:
    """The TFDS builder; made on first use, because importing TFDS takes a second.

    Args:
        name: SHAPES or ANY_SIZE.
    """
    registered = name
    with tfds_source.quiet_tfds() as tfds:

        class Shapes(tfds.core.GeneratorBasedBuilder):
            """Textured, shaded, overlapping shapes with class and object masks."""

            VERSION = tfds.core.Version("1.0.0")
            name = registered

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self,
                    description="Generated shapes for semantic segmentation.",
                    features=tfds_source.picture_features(tfds),
                )

            def _split_generators(self, dl_manager: object):
                del dl_manager
                return {split: self._generate_examples(split) for split in SIZES}

            def _generate_examples(self, split: str):
                yield from examples(split, name=registered)

        return Shapes


def examples(split: str, count: int | None = None, name: str = SHAPES):
    """The examples of a split as TFDS takes them: (key, features).

    Args:
        split: "train" or "val".
        count: How many; None: all.
        name: SHAPES or ANY_SIZE.
    """
    number_of_split = list(SIZES).index(split)
    for number in range(SIZES[split] if count is None else count):
        drawn = _DRAW[name](np.random.default_rng([_SEED, number_of_split, number]))
        key = f"{split}_{number:05}"
        height, width = drawn.labels.shape
        yield (
            key,
            {
                "image": _png(drawn.image),
                "labels": _png(drawn.labels),
                "objects": _png(drawn.objects),
                "id": key,
                "height": height,
                "width": width,
            },
        )


def open_shapes(
    split: str, data_dir: str | None = None, name: str = SHAPES
) -> tfds_source.TfdsSource:
    """Open a split, "train" or "val"; generated on first use, in under half a minute.

    Args:
        split: The split, or a slice of it.
        data_dir: Where prepared data sets are kept; None: the default of TFDS.
        name: SHAPES or ANY_SIZE.

    Returns:
        A source of `fcn_jax.data`.
    """
    make = builder_class(name)
    with tfds_source.quiet_tfds() as tfds:
        builder = make(data_dir=data_dir, file_format="array_record")
        tfds_source.prepare(builder, tfds, f"the {name} data set (generated once)")
        return tfds_source.TfdsSource(builder, split, drawing.CLASSES)


def _png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "png", compress_level=1)
    return stream.getvalue()
