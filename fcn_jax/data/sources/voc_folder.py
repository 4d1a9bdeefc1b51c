"""Any folder in the layout of PASCAL VOC as a data set, without writing code.

ROOT/JPEGImages/ID.jpg (.jpeg, .png), ROOT/SegmentationClass/ID.png and
ROOT/ImageSets/Segmentation/SPLIT.txt (an id a line); optional:
ROOT/SegmentationObject/ID.png (instance ids) and ROOT/classes.txt (a name a line; the
21 classes of VOC without it). Masks are palette, grey or RGB PNGs (`masks.read_mask`);
those in RGB have the colours of VOC, label by label, or of the `palette` given.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fcn_jax import messages
from fcn_jax.data import checks, image_files, label_sets
from fcn_jax.data.contracts import Item, OneHead

_IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")


class VocFolder(OneHead):
    """A split of a folder; `source[i]` is a dict of image, labels and id.

    All files of the split are looked for when it is opened, so that a missing one is
    found before a run begins. Items: `image` uint8 RGB [H, W, 3], `labels` uint8
    [H, W], `id` str and, with SegmentationObject, `objects` uint8 [H, W].

    Args:
        root: The folder.
        split: Name of a list in ImageSets/Segmentation.
        classes: Names of the classes; None: those of classes.txt, or of VOC.
        palette: Colours of the labels in RGB masks and in pictures, uint8 [256, 3], or
            the path of a text file of them (`label_sets.read_palette`); None: those of
            the first mask if it has a palette, else of VOC.

    Attributes:
        mask_format: How the first mask is stored: "palette", "grey" or "rgb".

    Raises:
        FileNotFoundError: If the folder, the list, the palette, or a file of a pair is
            missing.
        ValueError: If the list is empty or repeats an id, a line of the palette is
            wrong, or the foreground of binary masks is stored as 255. `source[i]`
            raises it if a file cannot be read whole, an image and its mask differ in
            size, or a label is no class.
    """

    name = "folder"

    def __init__(
        self,
        root: str | Path,
        split: str,
        classes: Sequence[str] | None = None,
        palette: np.ndarray | str | Path | None = None,
    ):
        self.root, self.split = Path(root).expanduser(), split
        self.ids = _read_split(self.root, split)
        self._images = [_find_image(self.root, split, name) for name in self.ids]
        self._masks = self._masks_in("SegmentationClass")
        self._objects = None
        if (self.root / "SegmentationObject").is_dir():
            self._objects = self._masks_in("SegmentationObject")
        path = self.root / "classes.txt"
        if classes is not None:
            self.classes = tuple(classes)
        elif path.exists():
            self.classes = label_sets.read_classes(path)
        else:
            self.classes = label_sets.VOC.classes
        self.ignore_label = label_sets.IGNORE_LABEL
        if palette is None:
            palette = _palette_of(self._masks[0])
        elif isinstance(palette, str | Path):
            path = Path(palette).expanduser()
            palette = label_sets.read_palette(path, self.classes)
        self.palette = palette
        _, self.mask_format = image_files.read_mask(self._masks[0], self.palette)
        self._sizes: np.ndarray | None = None
        logging.getLogger(__name__).info(
            "%s: %d images of %s, masks stored as %s",
            self.root,
            len(self),
            split,
            self.mask_format,
        )
        if len(self.classes) > 1:
            checks.check_not_binary_as_void(
                (image_files.read_mask(mask, self.palette)[0] for mask in self._masks),
                str(self.root / "SegmentationClass"),
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Item:
        path = self._masks[index]
        image = image_files.read_photo(self._images[index])
        labels, _ = image_files.read_mask(path, self.palette)
        checks.check_pair(image, labels, f"{self._images[index]} and {path}")
        checks.check_labels(labels, len(self.classes), self.ignore_label, str(path))
        item = {"image": image, "labels": labels, "id": self.ids[index]}
        if self._objects is not None:
            objects = self._objects[index]
            item["objects"], _ = image_files.read_mask(objects, self.palette)
            checks.check_pair(
                image, item["objects"], f"{self._images[index]} and {objects}"
            )
        return item

    def _masks_in(self, folder: str) -> list[Path]:
        return [_find_mask(self.root, self.split, folder, name) for name in self.ids]

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2], from the files' headers."""
        if self._sizes is None:
            sizes = [image_files.image_size(path) for path in self._images]
            self._sizes = np.array(sizes, np.int32)
        return self._sizes.copy()


def _read_split(root: Path, split: str) -> tuple[str, ...]:
    """The ids of a split's list, each once."""
    lists = root / "ImageSets" / "Segmentation"
    if not lists.is_dir():
        missing = lists if root.is_dir() else root
        raise FileNotFoundError(
            f"{missing} does not exist; a folder in VOC layout has JPEGImages/, "
            f"SegmentationClass/ and ImageSets/Segmentation/SPLIT.txt. Set "
            f"--config.data.root to the folder that holds these."
        )
    path = lists / f"{split}.txt"
    if not path.exists():
        known = sorted(p.stem for p in lists.glob("*.txt"))
        raise FileNotFoundError(
            f"{path} does not exist; {_suggestion(split, known)}There are: "
            f"{', '.join(known) or 'no lists'}."
        )
    ids = tuple(_id(root, line) for line in label_sets.read_lines(path))
    if not ids:
        raise ValueError(f"{path} lists no image; write an id a line.")
    if len(set(ids)) < len(ids):
        seen = set()
        twice = next(name for name in ids if name in seen or seen.add(name))
        raise ValueError(f"{path} lists {twice} more than once; list each id once.")
    return ids


def _id(root: Path, line: str) -> str:
    """The id of a line: all of it, or its first word where a flag follows."""
    words = line.split()
    return line if len(words) == 1 or _image(root, line) else words[0]


def _image(root: Path, name: str) -> Path | None:
    paths = (root / "JPEGImages" / (name + ending) for ending in _IMAGE_ENDINGS)
    return next((path for path in paths if path.exists()), None)


def _find_image(root: Path, split: str, name: str) -> Path:
    path = _image(root, name)
    if path is None:
        folder = root / "JPEGImages"
        known = [p.stem for p in folder.glob("*.*")]
        raise FileNotFoundError(
            f"{folder} holds no image {name} (.jpg, .jpeg or .png), which "
            f"ImageSets/Segmentation/{split}.txt lists; {_suggestion(name, known)}"
            f"Add it or take the id off the list."
        )
    return path


def _find_mask(root: Path, split: str, folder: str, name: str) -> Path:
    path = root / folder / f"{name}.png"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist, but ImageSets/Segmentation/{split}.txt lists "
            f"{name} and its image is there; add the mask or take the id off the list."
        )
    return path


def _palette_of(mask: Path) -> np.ndarray:
    """VOC's colours, with those of a mask's own palette in their place."""
    palette = label_sets.VOC.palette.copy()
    with image_files.open_image(mask) as image:
        if image.mode == "P":
            own = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
            palette[: len(own)] = own[:256]
    return palette


def _suggestion(name: str, known: Sequence[str]) -> str:
    found = messages.suggestion(name, known)
    return f"{found} " if found else ""
