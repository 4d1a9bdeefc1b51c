"""Any folder in the layout of PASCAL VOC as a data set, without writing code.

ROOT/JPEGImages/ID.jpg (.jpeg, .png), ROOT/SegmentationClass/ID.png and
ROOT/ImageSets/Segmentation/SPLIT.txt (an id a line); optional:
ROOT/SegmentationObject/ID.png (instance ids) and ROOT/classes.txt (a name a line; the
21 classes of VOC without it).
"""

import difflib
import logging
from pathlib import Path
from typing import Any

import numpy as np

from fcn_jax.data import checks, label_sets, masks

_IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")
_BINARY_SAMPLE = 50  # Masks looked at to tell {0, 255} masks from {0, 1, 255} ones.


class VocFolder:
    """A split of a folder; `source[i]` is a dict of image, labels and id.

    All files of the split are looked for when it is opened, so that a missing one is
    found before a run begins. Items: `image` uint8 RGB [H, W, 3], `labels` uint8
    [H, W], `id` str and, with SegmentationObject, `objects` uint8 [H, W].

    Args:
        root: The folder.
        split: Name of a list in ImageSets/Segmentation.

    Raises:
        FileNotFoundError: If the folder, the list, or a file of a pair is missing.
        ValueError: If the list is empty or repeats an id, or masks of two classes are
            stored as {0, 255}.
    """

    name = "folder"

    def __init__(self, root: str | Path, split: str):
        self.root, self.split = Path(root), split
        self.ids = _read_split(self.root, split)
        self._images = [self._find_image(name) for name in self.ids]
        self._masks = [self._find_mask(name) for name in self.ids]
        objects = self.root / "SegmentationObject"
        self._objects = objects if objects.is_dir() else None
        path = self.root / "classes.txt"
        if path.exists():
            self.classes = label_sets.read_classes(path)
        else:
            self.classes = label_sets.VOC.classes
        self.ignore_label = label_sets.IGNORE_LABEL
        self.palette = self._palette()
        _, self.mask_format = masks.read_mask(self._masks[0], self.palette)
        logging.getLogger(__name__).info(
            "%s: %d images of %s, masks stored as %s",
            self.root,
            len(self),
            split,
            self.mask_format,
        )
        if len(self.classes) == 2:
            some = self._masks[:: max(1, len(self) // _BINARY_SAMPLE)]
            checks.check_not_binary_as_void(
                [masks.read_mask(mask, self.palette)[0] for mask in some],
                str(self.root / "SegmentationClass"),
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path = self._masks[index]
        image = masks.read_photo(self._images[index])
        labels, _ = masks.read_mask(path, self.palette)
        checks.check_pair(image, labels, f"{self._images[index]} and {path}")
        item = {"image": image, "labels": labels, "id": self.ids[index]}
        if self._objects is not None:
            objects = self._objects / f"{self.ids[index]}.png"
            item["objects"], _ = masks.read_mask(objects, self.palette)
            checks.check_pair(
                image, item["objects"], f"{self._images[index]}, {objects}"
            )
        return item

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2], from the files' headers."""
        return np.array([masks.image_size(path) for path in self._images], np.int32)

    def _find_image(self, name: str) -> Path:
        folder = self.root / "JPEGImages"
        for ending in _IMAGE_ENDINGS:
            path = folder / (name + ending)
            if path.exists():
                return path
        raise FileNotFoundError(
            f"{folder} holds no image {name} (.jpg, .jpeg or .png), which "
            f"ImageSets/Segmentation/{self.split}.txt lists; add it or take the id off "
            f"the list."
        )

    def _find_mask(self, name: str) -> Path:
        path = self.root / "SegmentationClass" / f"{name}.png"
        if not path.exists():
            raise FileNotFoundError(
                f"{path} does not exist, but ImageSets/Segmentation/{self.split}.txt "
                f"lists {name} and its image is there; add the mask or take the id off "
                f"the list."
            )
        return path

    def _palette(self) -> np.ndarray:
        """VOC's colours, with those of the first mask's own palette in their place."""
        palette = label_sets.VOC.palette.copy()
        with masks.open_image(self._masks[0]) as image:
            if image.mode == "P":
                own = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
                palette[: len(own)] = own[:256]
        return palette


def _read_split(root: Path, split: str) -> tuple[str, ...]:
    lists = root / "ImageSets" / "Segmentation"
    if not lists.is_dir():
        raise FileNotFoundError(
            f"{lists} does not exist; a folder in VOC layout has JPEGImages/, "
            f"SegmentationClass/ and ImageSets/Segmentation/SPLIT.txt. Set "
            f"--config.data.root to the folder that holds these."
        )
    path = lists / f"{split}.txt"
    if not path.exists():
        known = sorted(p.stem for p in lists.glob("*.txt"))
        close = difflib.get_close_matches(split, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise FileNotFoundError(
            f"{path} does not exist; {hint}There are: {', '.join(known) or 'no lists'}."
        )
    ids = tuple(
        line.split()[0] for line in path.read_text().splitlines() if line.split()
    )
    if not ids:
        raise ValueError(f"{path} lists no image; write an id a line.")
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise ValueError(f"{path} lists {twice} more than once; list each id once.")
    return ids
