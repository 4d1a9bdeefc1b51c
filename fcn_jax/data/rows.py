"""The rows of a batch: images, labels and what goes with them, laid on a canvas."""

from collections.abc import Mapping, Sequence

import numpy as np

from fcn_jax.data import batch as batches
from fcn_jax.data import checks, contracts, superpixels, transforms
from fcn_jax.data import windows as windows_of
from fcn_jax.data.batch import Batch, MutableBatch, scaled_key
from fcn_jax.data.channels import Channels
from fcn_jax.data.contracts import Item, Labels, Source
from fcn_jax.data.windows import Windows


def empty(
    source: Source,
    like: Item,
    canvas: tuple[int, int],
    rows: int,
    scales: Sequence[float],
    windows: Windows | None,
) -> MutableBatch:
    """A batch of void, for images like one of them.

    Args:
        source: Of the images.
        like: One of them.
        canvas: Height and width, pixels.
        rows: Of the batch.
        scales: At which images are wanted.
        windows: That are wanted of each; None: none are.
    """
    channels = contracts.num_channels(source)
    batch = batches.empty(rows, canvas, channels, scales, like["image"].dtype)
    batch["labels"] = contracts.map_labels(
        lambda _, ignored: np.full((rows, *canvas), ignored, np.uint8),
        like["labels"],
        contracts.ignore_labels(source),
    )
    if superpixels.divides(source) is not None:
        batch[superpixels.KEY] = np.full((rows, *canvas), superpixels.NONE, np.int32)
    if windows is not None:
        batch.update(windows_of.empty(windows, rows, canvas))
    return batch


def fill(
    batch: MutableBatch,
    source: Source,
    items: Mapping[int, Item],
    scales: Sequence[float],
    num_classes: int | Mapping[str, int],
    windows: Windows | None,
) -> Batch:
    """The batch, with images by their places in the source laid into it.

    Args:
        batch: As of `empty`.
        source: Of the images.
        items: By place, no more than rows.
        scales: At which images are wanted.
        num_classes: For the check of every label.
        windows: That are wanted of each; None: none are.

    Raises:
        ValueError: If a label is wrong, or an image is larger than the canvas; naming
            the image.
    """
    canvas, ignore_label = batch["image"].shape[1:3], contracts.ignore_labels(source)
    for row, (place, item) in enumerate(items.items()):
        where = where_of(source, item["id"])
        checks.check_item(item, num_classes, ignore_label, where)
        check_fits(item["image"].shape[:2], canvas, where)
        _fill_row(batch, row, item, scales, contracts.channels_in(source))
        batch["index"][row] = place
        divided = superpixels_of(source, item["image"], canvas, where)
        for name, found in divided.items():
            batch[name][row] = found
        if windows is not None:
            windows_of.lay(windows, batch, row, item["image"], item["id"])
    return batch


def _fill_row(
    batch: Batch, row: int, item: Item, scales: Sequence[float], channels: Channels
) -> None:
    """Lay an image, and its labels, into a row of a batch."""
    image, labels = item["image"], item["labels"]
    height, width = image.shape[:2]
    batch["image"][row, :height, :width] = image

    def lay(into: np.ndarray, found: np.ndarray):
        into[row, :height, :width] = found
        return into

    contracts.map_labels(lay, batch["labels"], labels)
    batch["sizes"][row] = height, width
    batch["example_valid"][row] = True
    batch["id"][row] = item["id"]
    for scale in scales:
        if scale != 1:
            h, w = transforms.scaled_size((height, width), scale)
            resized = transforms.resize_image(image, (h, w), channels=channels)
            batch[scaled_key("image", scale)][row, :h, :w] = resized
            batch[scaled_key("sizes", scale)][row] = h, w


def superpixels_of(
    source: Source, image: np.ndarray, canvas: tuple[int, int] | None, where: str
) -> dict[str, np.ndarray]:
    """The superpixels of an image on its canvas, if a source asks for them.

    Args:
        source: Of the image.
        image: uint8 [H, W, channels].
        canvas: Height and width, pixels; None: those of the image.
        where: What an error calls the image.

    Raises:
        ValueError: If the image is larger than the canvas; naming it.
    """
    divide = superpixels.divides(source)
    if divide is None:
        return {}
    size = canvas or (image.shape[0], image.shape[1])
    check_fits(image.shape[:2], size, where)
    return {superpixels.KEY: superpixels.padded(image, divide, size, where)}


def on_canvas(
    image: np.ndarray,
    labels: Labels,
    canvas: tuple[int, int],
    ignore_label: int | Mapping[str, int],
    where: str,
):
    """Whole images are padded with zeros: their true size masks what lies beyond.

    Args:
        image: uint8 [H, W, channels].
        labels: uint8 [H, W], by name where there are several.
        canvas: Height and width, pixels.
        ignore_label: Of what lies beyond; by name where there are several.
        where: What an error calls the image.

    Raises:
        ValueError: If the image is larger than the canvas; naming it.
    """
    height, width, channels = image.shape
    check_fits((height, width), canvas, where)
    padded = np.zeros((*canvas, channels), image.dtype)
    padded[:height, :width] = image

    def extend(x: np.ndarray, ignored: int):
        found = np.full(canvas, ignored, np.uint8)
        found[:height, :width] = x
        return found

    return padded, contracts.map_labels(extend, labels, ignore_label)


def check_fits(size: tuple[int, int], canvas: tuple[int, int], where: str) -> None:
    """Refuse an image that is larger than its canvas.

    Args:
        size: Of the image, height and width, pixels.
        canvas: Likewise.
        where: What an error calls the image.

    Raises:
        ValueError: If it is; naming it.
    """
    if size[0] > canvas[0] or size[1] > canvas[1]:
        raise ValueError(
            f"{where}: an image of {size[0]}x{size[1]} is larger than the canvas of "
            f"{canvas[0]}x{canvas[1]}; set --config.data.canvas to at least the "
            f"largest image, or to () to have it found."
        )


def where_of(source: Source, name: str) -> str:
    """What errors call an image: its data set, split and id.

    Args:
        source: Of the image.
        name: Its id.
    """
    return f"{source.name} {source.split}: {name}"
