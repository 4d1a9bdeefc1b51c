"""Labels are checked on the host: on the device a wrong one fails silently.

In JAX a label 255 that reaches the loss gives NaN, and a label -1 trains the last
class.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from fcn_jax.data import contracts, diagnosis
from fcn_jax.data.contracts import Item, Source
from fcn_jax.data.label_sets import IGNORE_LABEL


def check_labels(
    labels: np.ndarray, num_classes: int, ignore_label: int, where: str
) -> None:
    """Raise unless every label is a class or void.

    Args:
        labels: uint8 [H, W].
        num_classes: Number of classes, C.
        ignore_label: The label of void pixels, which are ignored.
        where: The image, for the message.

    Raises:
        TypeError: If the labels are not uint8.
        ValueError: Naming the first wrong label, its place and how many there are.
    """
    if labels.dtype != np.uint8:
        raise TypeError(f"{where}: labels are {labels.dtype}; expected uint8.")
    wrong = (labels >= num_classes) & (labels != ignore_label)
    if not wrong.any():
        return
    row, column = np.argwhere(wrong)[0]
    raise ValueError(
        f"{where}: label {int(labels[row, column])} at row {row}, column {column} "
        f"({np.count_nonzero(wrong)} such pixels); with {num_classes} classes labels "
        f"are 0 to {num_classes - 1}, or {ignore_label} for void. "
        f"{diagnosis.explain(np.bincount(labels.ravel(), minlength=256), num_classes)}"
    )


def check_pair(image: np.ndarray, labels: np.ndarray, where: str) -> None:
    """Raise unless an image and its mask are of one size.

    Args:
        image: [H, W, channels].
        labels: [H, W].
        where: The files, for the message.

    Raises:
        ValueError: Naming both sizes.
    """
    check_sizes(image.shape[:2], labels.shape[:2], where)


def check_sizes(
    image: Sequence[int], mask: Sequence[int], where: str, hint: str = ""
) -> None:
    """Raise unless an image and its mask are of one size.

    Args:
        image: Height and width of the image.
        mask: Those of the mask.
        where: The files, for the message.
        hint: Added to it.

    Raises:
        ValueError: Naming both sizes.
    """
    if tuple(image) != tuple(mask):
        raise ValueError(
            f"{where}: the image is {image[0]}x{image[1]} and its mask "
            f"{mask[0]}x{mask[1]} (height x width); they must be equal. Resize the "
            f"mask with nearest neighbour, or find the one that belongs to the image."
            f"{hint}"
        )


def check_item(
    item: Item,
    num_classes: int | Mapping[str, int],
    ignore_label: int | Mapping[str, int],
    where: str,
) -> None:
    """Raise unless an image and its labels, of each head, belong together.

    Args:
        item: Of a source.
        num_classes: Classes; by head where there are several.
        ignore_label: The label of void pixels; by head likewise.
        where: The image, for the message.

    Raises:
        TypeError: As `check_labels`.
        ValueError: As `check_pair` and `check_labels`; or if the labels have other
            heads.
    """
    labels = item["labels"]
    if not isinstance(labels, Mapping) or not isinstance(num_classes, Mapping):
        if isinstance(labels, Mapping) or isinstance(num_classes, Mapping):
            raise ValueError(
                f"{where}: labels are {_heads(labels)} and classes "
                f"{_heads(num_classes)}; a source with several heads gives a dict of "
                f"labels, and its network has num_classes by the same names."
            )
        check_pair(item["image"], labels, where)
        assert not isinstance(ignore_label, Mapping)
        check_labels(labels, num_classes, ignore_label, where)
        return
    if labels.keys() != num_classes.keys():
        raise ValueError(
            f"{where}: labels are {_heads(labels)} and classes {_heads(num_classes)}; "
            f"they must be of the same heads."
        )
    for head, found in labels.items():
        ignored = (
            ignore_label[head] if isinstance(ignore_label, Mapping) else ignore_label
        )
        check_pair(item["image"], found, f"{where}, {head}")
        check_labels(found, num_classes[head], ignored, f"{where}, {head}")


def _heads(found: int | Mapping[str, int]) -> str:
    """The heads of labels or numbers, for a message."""
    return f"of {', '.join(found)}" if isinstance(found, Mapping) else "of one head"


def check_num_classes(source: Source, num_classes: int | Mapping[str, int]) -> None:
    """Raise unless a network's classes are those of a source.

    Args:
        source: A source of `fcn_jax.data`.
        num_classes: Of the network; by head where it has several.

    Raises:
        ValueError: Naming both numbers and the source's classes.
    """
    expected = contracts.num_classes(source)
    given = dict(num_classes) if isinstance(num_classes, Mapping) else num_classes
    if expected == given:
        return
    if isinstance(expected, Mapping) or isinstance(given, Mapping):
        raise ValueError(
            f"num_classes={given}, but {source.name} has {expected}; set "
            f"--config.model.num_classes to these."
        )
    classes = contracts.heads_of(source)[0].classes
    note = getattr(source, "classes_note", "")  # Where the names are a guess.
    if note:
        raise ValueError(
            f"num_classes={num_classes}, but {source.name} has {len(classes)} classes: "
            f"{note}."
        )
    shown = ", ".join(classes[:6]) + ", ..." * (len(classes) > 6)
    raise ValueError(
        f"num_classes={num_classes}, but {source.name} has {len(classes)} "
        f"classes ({shown}); set --config.model.num_classes={len(classes)}."
    )


def check_not_binary_as_void(
    masks: Iterable[np.ndarray], where: str, mapped: str = ""
) -> None:
    """Raise if the foreground of binary masks is stored as 255.

    255 is void: such masks would train background alone, and score it. One image may
    well hold only 0 and 255; only all of them together tell.

    Args:
        masks: All masks of the data set, uint8 [H, W] each; they are read up to the
            first that holds another label, which in most data sets is the first.
        where: The data set, for the message.
        mapped: The options by which values became labels, for the message; "": the
            masks hold the labels themselves.

    Raises:
        ValueError: If no label but 0 and 255 occurs, and 255 does.
    """
    void = background = False
    for mask in masks:
        is_void = mask == IGNORE_LABEL
        if ((mask != 0) & ~is_void).any():
            return
        void, background = void or is_void.any(), background or (mask == 0).any()
    if void and mapped:
        held = "class 0 and void" if background else "void"
        raise ValueError(
            f"{where}: by {mapped} the masks hold nothing but {held}, so that nothing "
            f"can be learned; correct {mapped}, or leave it out if the masks hold "
            f"labels."
        )
    if void and not background:
        raise ValueError(
            f"{where}: every pixel of every mask is void (255), so that nothing can be "
            f"learned; write labels from 0 on into the masks."
        )
    if void:
        raise ValueError(
            f"{where}: the masks hold only 0 and 255. 255 means void here, so that "
            f"all pixels that count would be background: set "
            f'--config.data.mask_values="(0,255)", or store the foreground as 1 '
            f"(mask // 255) and keep 255 for pixels without a label."
        )


def overlap_text(
    shared: Iterable[str], num_scored: int, train: str, scored: str
) -> str:
    """What to say of images that are both trained on and scored.

    Args:
        shared: Their ids.
        num_scored: Images of the split that is scored.
        train: Name of the split that is trained on.
        scored: Name of the other.

    Returns:
        A sentence; "" where there are none.
    """
    names = sorted(shared)
    if not names:
        return ""
    some = ", ".join(names[:3]) + ", ..." * (len(names) > 3)
    return (
        f"{len(names)} of the {num_scored} images of {scored} are in {train} too "
        f"({some}): scores over them are of what was learned by heart"
    )


_MUCH_PADDING = 0.5  # Share of a batch's pixels from which on it is worth a word.


def padding(sizes: np.ndarray) -> float:
    """The share of batches of whole images that is padding, in [0, 1].

    Args:
        sizes: Heights and widths, integer [N, 2], one at least.
    """
    sizes = sizes.astype(np.int64)
    return float(1 - sizes.prod(axis=1).mean() / sizes.max(axis=0).prod())


def padding_text(sizes: np.ndarray, largest: str = "") -> str:
    """What to say of batches of whole images that are padding for the most part.

    Args:
        sizes: Heights and widths, integer [N, 2].
        largest: The id of the largest image; "": it is not known.

    Returns:
        A sentence; "" where images are near each other in size.
    """
    if not len(sizes) or padding(sizes) < _MUCH_PADDING:
        return ""
    height, width = (int(n) for n in sizes.max(axis=0))
    named = f" (the largest is {largest})" if largest else ""
    return (
        f"batches are padded to {height}x{width}, the largest image's size, and "
        f"{padding(sizes):.0%} of them is padding; --config.data.crop=(H,W) avoids "
        f"it{named}"
    )
