"""Any folder in the layout of PASCAL VOC as a data set, without writing code.

ROOT/JPEGImages/ID.jpg (.png, .bmp, .tif, .webp), ROOT/SegmentationClass/ID.png and
ROOT/ImageSets/Segmentation/SPLIT.txt (`folder_files`); optional:
ROOT/SegmentationObject/ID.png (instance ids) and the names of the classes, in one of
the files of `label_files` (VOC's 21 without any). Masks are palette, grey or RGB PNGs
(`image_files.read_mask`); those in RGB have the colours of the file of names, of the
`palette` given, or of VOC.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from fcn_jax.data import (
    checks,
    fingerprints,
    image_files,
    label_sets,
    sample_depths,
)
from fcn_jax.data.contracts import OneHead
from fcn_jax.data.fingerprints import FileDigests, Fingerprint
from fcn_jax.data.image_files import Header
from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources import folder_files
from fcn_jax.data.sources.folder_files import Pair
from fcn_jax.data.sources.folder_labels import FolderLabels
from fcn_jax.data.sources.listing import Listing

Value: TypeAlias = np.ndarray | str
_OBJECTS = "SegmentationObject"
_BACKGROUND = 0


class FolderItem(Mapping[str, Value]):
    """An image, its labels and id; its object mask is read when it is asked for.

    Args:
        values: What has been read.
        read_objects: Reads the mask of objects; None: there is none.
    """

    def __init__(
        self,
        values: Mapping[str, Value],
        read_objects: Callable[[], np.ndarray] | None = None,
    ):
        self._values, self._read_objects = dict(values), read_objects

    def __getitem__(self, name: str) -> Value:
        if name == "objects" and self._read_objects and name not in self._values:
            self._values[name] = self._read_objects()
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in tuple(self)

    def __iter__(self) -> Iterator[str]:
        yield from {*self._values, *(("objects",) if self._read_objects else ())}

    def __len__(self) -> int:
        return len(list(iter(self)))


class VocFolder(OneHead):
    """A split of a folder; `source[i]` is a mapping of image, labels and id.

    All files of the split are looked for, and their headers compared, when it is
    opened, so that what is missing or does not fit is found before a run begins. Items:
    `image` uint8 RGB [H, W, 3], `labels` uint8 [H, W], `id` str and, with
    SegmentationObject, `objects` uint8 [H, W].

    Args:
        root: The folder.
        split: Name of a list in ImageSets/Segmentation.
        classes: Names of the classes; None: those that the folder comes with.
        palette: Colours of the labels in RGB masks and in pictures, uint8 [256, 3], or
            the path of a text file of them (`label_files.read_palette`); None: those
            of the folder's file of names, of the first mask if it has a palette, or of
            VOC.
        options: How the files are to be read.

    Attributes:
        mask_format: How the first mask is stored: "palette", "grey" or "rgb".
        by_colour: Whether it is colours that say which class a pixel of a mask is.
        notes: What a user should know of how it was read, a sentence each.

    Raises:
        FileNotFoundError: If the folder, the list, the palette, or a file of a pair is
            missing.
        ValueError: If the list is empty or repeats an id, a line of the palette is
            wrong, an image and its mask differ in size, an image has more than 8 bits
            a channel, there is a single class, or the masks hold no labels that could
            be learned. `source[i]` raises it if a
            file cannot be read whole or a label is no class.
    """

    name = "folder"

    def __init__(
        self,
        root: str | Path,
        split: str,
        classes: Sequence[str] | None = None,
        palette: np.ndarray | str | Path | None = None,
        options: FolderOptions | None = None,
    ):
        self.root, self.split = Path(root).expanduser(), split
        self.options = options or FolderOptions()
        self._pairs, self.notes = folder_files.read_split(
            self.root, split, self.options
        )
        self.ids = tuple(pair.name for pair in self._pairs)
        self._headers = _read_headers(self._pairs, self.options)
        self.notes += self._headers.notes
        masks = [pair.mask for pair in self._pairs if pair.mask]
        self._masks = FolderLabels(self.root, classes, palette, self.options, masks)
        self.notes += [self._masks.note] if self._masks.note else []
        self.classes, self.palette = self._masks.classes, self._masks.palette
        self.classes_note = self._masks.note
        self.ignore_label = label_sets.IGNORE_LABEL
        self.mask_format = self._masks.check(masks)
        self.notes += self._masks.notes
        self.by_colour = bool(self._masks.colours(self._headers.modes))
        objects = self.root / _OBJECTS
        self._objects = (
            Listing(objects, image_files.MASK_ENDINGS) if objects.is_dir() else None
        )
        logging.getLogger(__name__).info(
            "%s: %d images of %s, masks stored as %s",
            self.root,
            len(self),
            split,
            self.mask_format,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> FolderItem:
        pair = self._pairs[index]
        image = image_files.read_photo(pair.image, upright=self.options.apply_exif)
        if pair.mask is None:
            table = self.options.table  # In masks the background is 0.
            label = _BACKGROUND if table is None else table[_BACKGROUND]
            if self.options.missing_mask == "void":
                label = self.ignore_label
            labels = np.full(image.shape[:2], label, np.uint8)
        else:
            labels, _ = self._masks.read(pair.mask)
            checks.check_pair(image, labels, f"{pair.image} and {pair.mask}")
            self._masks.check_labels(labels, pair.mask)

        def read_objects() -> np.ndarray:
            return self._read_objects(pair, image)

        return FolderItem(
            {"image": image, "labels": labels, "id": pair.name},
            read_objects if self._objects else None,
        )

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2], from the files' headers."""
        sizes = [_size(header, self.options) for header in self._headers.images]
        return np.array(sizes, np.int32)

    def fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """What the split is, and how its masks are read.

        Its ids; of images the sizes and the lengths of the files, which an edited photo
        hardly keeps; of masks all content; options and names; and, where it is by
        colours that masks are read, the colours.

        Args:
            digests: Of masks, where some are known; None: all are read.
        """
        lengths = [str(pair.image.stat().st_size) for pair in self._pairs]
        masks = (pair.mask for pair in self._pairs)
        colours = self._masks.colours(self._headers.modes)
        return {
            "ids": fingerprints.digits(self.ids),
            "images": fingerprints.digits([str(self.image_sizes().tolist()), *lengths]),
            "masks": fingerprints.digits_of_files(masks, digests or FileDigests()),
            "options": fingerprints.digits([str(self.options), *self.classes]),
            "colours": fingerprints.digits([colours]),
        }

    def object_fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """The content of the masks of objects; nothing where there are none.

        Args:
            digests: Of masks, where some are known; None: all are read.
        """
        if self._objects is None:
            return {}
        paths = [self._objects.find(pair.name) for pair in self._pairs]
        known = digests or FileDigests()
        return {"objects": fingerprints.digits_of_files(paths, known)}

    def _read_objects(self, pair: Pair, image: np.ndarray) -> np.ndarray:
        """Instance ids, whose colours are VOC's whatever those of the classes are."""
        assert self._objects is not None
        path = self._objects.find(pair.name)
        if path is None:
            if pair.mask is None:
                return np.zeros(image.shape[:2], np.uint8)
            raise FileNotFoundError(
                f"{self._objects.folder / pair.name}.png does not exist, though "
                f"{pair.name} has a mask of classes; add it, or remove {_OBJECTS} to "
                f"take connected parts for objects."
            )
        objects, _ = image_files.read_mask(path, label_sets.VOC.palette)
        checks.check_pair(image, objects, f"{pair.image} and {path}")
        return objects


class _Headers(NamedTuple):
    """What the headers of a split's files say.

    Attributes:
        images: Of every image.
        modes: Pillow's, of the masks.
        notes: What a user should know, a sentence each.
    """

    images: list[Header]
    modes: set[str]
    notes: list[str]


def _read_headers(pairs: Sequence[Pair], options: FolderOptions) -> _Headers:
    """Compare sizes, look for orientations, and refuse samples above 8 bits."""
    found = _Headers([], set(), [])
    for pair in pairs:
        header = image_files.read_header(pair.image)
        sample_depths.check_8_bits(header.bits, header.mode, pair.image)
        found.images.append(header)
        if pair.mask is None:
            continue
        mask = image_files.read_header(pair.mask)
        found.modes.add(mask.mode)
        check_size(pair, header, (mask.height, mask.width), options)
    turned = sum(not header.is_upright for header in found.images)
    if turned and not options.apply_exif:
        found.notes.append(orientation_note(turned))
    return found


def check_size(
    pair: Pair, header: Header, mask: tuple[int, int], options: FolderOptions
) -> None:
    """Raise unless an image and its mask are of one size.

    Args:
        pair: The files, for the message.
        header: Of the image.
        mask: Height and width of the mask.
        options: Whether the image is turned as its EXIF orientation says.

    Raises:
        ValueError: Naming both sizes, and what an orientation may have to do with it.
    """
    checks.check_sizes(
        _size(header, options),
        mask,
        f"{pair.image} and {pair.mask}",
        "" if header.is_upright else _ORIENTATION[options.apply_exif],
    )


def orientation_note(count: int) -> str:
    """What to say of photos that have an orientation which is not applied."""
    return (
        f"{count} photos have an EXIF orientation, which is not applied: where masks "
        f"were drawn over them upright, set --config.data.apply_exif=True"
    )


def _size(header: Header, options: FolderOptions) -> tuple[int, int]:
    """Height and width of an image as it is read."""
    return header.upright_size if options.apply_exif else (header.height, header.width)


_ORIENTATION = {
    False: " The image has an EXIF orientation, by which viewers turn it: if the mask "
    "was drawn over it as it is seen, set --config.data.apply_exif=True.",
    True: " The image is turned by its EXIF orientation (config.data.apply_exif=True): "
    "if the mask was drawn over it as it is stored, leave that out.",
}
