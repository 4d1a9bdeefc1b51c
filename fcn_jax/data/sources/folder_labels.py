"""The masks of a folder read as labels: names and colours of the classes, values.

What a mask holds is checked where a data set is opened: programs write much that looks
right to the eye and is no label.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from fcn_jax.data import checks, colours, image_files, label_files, label_sets
from fcn_jax.data.label_files import LabelFile
from fcn_jax.data.options import AS_STORED, FolderOptions

_SOME = 8  # Masks in which the first class should occur.


class FolderLabels:
    """Reads the masks of a folder.

    Args:
        root: The folder.
        classes: Names of the classes; None: those that the folder comes with.
        palette: Colours of the labels, uint8 [256, 3], or the path of a file of them;
            None: those of the file of names, of the first mask, or of VOC.
        options: How the files are to be read.
        masks: All files, one at least.

    Attributes:
        classes: Names, in the order of the labels.
        palette: Colour of every label, uint8 RGB [256, 3].
        note: Where the names are a guess, what to do; "" where the folder gives them.
        notes: What a user should know of the masks that were checked, a sentence each.

    Raises:
        FileNotFoundError: If the palette is not there.
        ValueError: If a file of names or colours is wrong, there is a single class, or
            the values of masks are not one a class.
    """

    def __init__(
        self,
        root: Path,
        classes: Sequence[str] | None,
        palette: np.ndarray | str | Path | None,
        options: FolderOptions,
        masks: Sequence[Path],
    ):
        self._root, self._options = root, options
        found = label_files.find(root)
        self.classes, self.note = _names(classes, found, root)
        self.notes: list[str] = []
        self._unnamed = classes is None and label_files.omits_background(found)
        _check_several(self.classes, root)
        _check_values(options.mask_values, self.classes)
        # Whether it is colours that count in palette masks too.
        self._by_colour = isinstance(palette, str | Path)
        self._colours_from = ""
        if isinstance(palette, str | Path):
            path = Path(palette).expanduser()
            self.palette = label_files.read_palette(path, self.classes)
            self._colours_from = str(path)
        elif palette is not None:
            self.palette = palette
        elif found and found.palette is not None and found.classes == self.classes:
            self.palette, self._by_colour = found.palette, True
            self._colours_from = str(found.colours)
        else:
            self.palette = _palette_of(masks[0])

    def read(self, mask: Path) -> tuple[np.ndarray, str]:
        """The labels of a mask.

        Args:
            mask: The file.

        Returns:
            Labels, uint8 [H, W], and how it stores them: "palette", "grey" or "rgb".

        Raises:
            ValueError: If it cannot be read, or holds what is no label.
        """
        labels, kind = image_files.read_mask(
            mask,
            self.palette,
            by_colour=self._by_colour,
            colours_from=self._colours_from,
        )
        table = self._options.table
        if table is None:
            return labels, kind
        if kind == image_files.RGB:
            raise ValueError(
                f"{mask}: a mask in colours, of which the palette gives the labels; "
                f"mask_values, void_label and reduce_zero_label are for masks of "
                f"values: leave them out (void is a line 'void R G B')."
            )
        values = self._options.mask_values
        if 255 in values and 1 not in values and image_files.is_bilevel(mask):
            labels = labels * np.uint8(255)  # Black and white, as other masks have it.
        return table[labels], kind

    def check(self, masks: Sequence[Path]) -> str:
        """Look at the masks of a data set, as far as it takes to know what they are.

        Args:
            masks: All files, one at least.

        Returns:
            How the first one stores its labels.

        Raises:
            ValueError: If they hold no labels that could be learned.
        """
        labels, kind = self.read(masks[0])
        others = (self.read(mask)[0] for mask in masks[1:])
        checks.check_not_binary_as_void(
            itertools.chain([labels], others),
            str(self._root / self._options.mask_dir),
            mapped=_changed(self._options),
        )
        self.check_labels(labels, masks[0])
        if not self._by_colour:
            check_same_palettes(masks, _NAME_COLOURS)
        valued = kind == image_files.GREY or (
            not self._by_colour and kind == image_files.PALETTE
        )
        if valued and not _changed(self._options):
            found = itertools.chain([labels], (self.read(m)[0] for m in masks[1:]))
            self.notes += _notes_of_values(found, self.classes[0], self._unnamed)
        return kind

    def check_labels(self, labels: np.ndarray, mask: Path) -> None:
        """Raise unless every label is a class or void.

        Args:
            labels: uint8 [H, W].
            mask: Their file, for the message.

        Raises:
            ValueError: Naming the first that is none, and what may be the cause.
        """
        try:
            checks.check_labels(
                labels, len(self.classes), label_sets.IGNORE_LABEL, str(mask)
            )
        except ValueError as error:
            _check_channels(labels, self.palette, len(self.classes), mask)
            if not self.note:
                raise
            raise ValueError(f"{error} ({self.note}.)") from error

    def colours(self, modes: Collection[str]) -> str:
        """The colours by which masks are read.

        Args:
            modes: Pillow's, of all masks.

        Returns:
            Hexadecimal digits; "" where no mask is read by colours.
        """
        coloured = "P" in modes and self._by_colour
        if not coloured and not {"RGB", "RGBA"} & set(modes):
            return ""
        return self.palette.tobytes().hex() + " palettes too" * self._by_colour


_NO_BACKGROUND = (
    "label_colors.txt names no background, and the masks are values: if 0 is what lies "
    "between the objects, as Datumaro has it, each name is one class off: write them "
    "into classes.txt, 'background' first"
)


def _names(
    classes: Sequence[str] | None, found: LabelFile | None, root: Path
) -> tuple[tuple[str, ...], str]:
    """The names of the classes, and what to do where they are a guess."""
    if classes is not None:
        return tuple(classes), ""
    if found:
        return found.classes, ""
    return label_sets.VOC.classes, (
        f"{root} has no classes.txt, so that VOC's 21 names are taken; write the names "
        f"of your classes there, one a line"
    )


def _notes_of_values(
    masks: Iterable[np.ndarray], first: str, unnamed: bool
) -> list[str]:
    """What to say of masks of values by their label 0.

    Args:
        masks: Of which a few are read, up to the first that has it.
        first: The name of class 0.
        unnamed: Whether the file of names may have left the background out.
    """
    looked_at, one = 0, False
    for labels in itertools.islice(masks, _SOME):
        if (labels == 0).any():
            return [_NO_BACKGROUND] * unnamed
        looked_at, one = looked_at + 1, one or bool((labels == 1).any())
    if not one:
        return []
    return [
        f"label 0 ({first!r}) occurs in none of the first {looked_at} masks: if they "
        f"count classes from 1, set --config.data.reduce_zero_label=True"
    ]


def _check_values(values: Sequence[int], classes: Sequence[str]) -> None:
    """Raise unless each class has a value, where values are given."""
    if values and len(values) != len(classes):
        raise ValueError(
            f"config.data.mask_values={values} has {len(values)} values for "
            f"{len(classes)} classes ({', '.join(classes[:6])}); give each class its "
            f"value, in their order."
        )


def _check_channels(
    labels: np.ndarray, palette: np.ndarray, num_classes: int, mask: Path
) -> None:
    """Tell of a mask in colours that holds classes alone once channels are exchanged.

    VOC's palette has a label for most colours of the other order.
    """
    if image_files.read_header(mask).mode not in ("RGB", "RGBA"):
        return
    exchanged = colours.exchanged_labels(labels, palette)
    void = label_sets.IGNORE_LABEL
    if np.isin(exchanged, [*range(num_classes), void]).all():
        wrong = labels[(labels >= num_classes) & (labels != void)]
        raise ValueError(
            f"{mask}: by its colours it holds label {int(wrong[0])}, and there are "
            f"{num_classes} classes; all colours are theirs once "
            f"{colours.EXCHANGED}."
        )


def _changed(options: FolderOptions) -> str:
    """The options by which values of masks become labels, as on a command line."""
    keys = ("mask_values", "void_label", "reduce_zero_label")
    changed = [n for n in keys if getattr(options, n) != getattr(AS_STORED, n)]
    return " and ".join(f"config.data.{n}={getattr(options, n)}" for n in changed)


def _check_several(classes: Sequence[str], root: Path) -> None:
    if len(classes) < 2:
        raise ValueError(
            f"{root} names one class, {classes[0]!r}; a network chooses between "
            f"classes, so that one needs another beside it: name 'background' first, "
            f"and store it as 0 and {classes[0]!r} as 1."
        )


_NAME_COLOURS = (
    "Name the colours: a text file with 'name R G B' a line, as --config.data.palette."
)


def check_same_palettes(masks: Sequence[Path], remedy: str) -> None:
    """Refuse palette masks whose indices mean another colour from file to file.

    Programs that reduce colours number them anew in every file.

    Args:
        masks: The files; those without a palette are passed over.
        remedy: What to do, a sentence for the message.

    Raises:
        ValueError: Naming the first index that has two colours.
    """
    meaning: dict[int, tuple[tuple[int, ...], Path]] = {}
    first: bytes | None = None
    for mask in masks:
        with image_files.open_image(mask) as image:
            if image.mode != "P":
                continue
            own = image_files.own_palette(image)
            if first is None:
                first = own.tobytes()
            elif own.tobytes() == first:
                continue  # As in the first mask, which most are.
            used = np.unique(np.asarray(image))
        for index in map(int, used):
            if index >= len(own):
                continue
            colour = tuple(int(c) for c in own[index])
            known, path = meaning.setdefault(index, (colour, mask))
            if known != colour and index != label_sets.IGNORE_LABEL:
                raise ValueError(
                    f"{mask}: index {index} has the colour {colour}, but {known} in "
                    f"{path}; the program that saved them numbered the colours anew in "
                    f"each file, so that indices are no labels. {remedy}"
                )


def _palette_of(mask: Path) -> np.ndarray:
    """VOC's colours, with those of a mask's own palette in their place."""
    palette = label_sets.VOC.palette.copy()
    with image_files.open_image(mask) as image:
        if image.mode == "P":
            own = image_files.own_palette(image)
            palette[: len(own)] = own
    return palette
