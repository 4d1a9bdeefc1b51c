"""The lists of a folder as they are examined: what they name, and what none names."""

import dataclasses
from collections import Counter
from pathlib import Path

from fcn_jax.data.doctor_findings import HINT, STOPS, Findings
from fcn_jax.data.image_files import MASK_ENDINGS, PHOTO_ENDINGS
from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources import folder_files
from fcn_jax.data.sources.folder_files import Pair
from fcn_jax.data.sources.listing import Listing

ALL = "all"  # The split of a folder without lists.


@dataclasses.dataclass
class Lists:
    """What the lists of a folder name.

    Attributes:
        pairs: Images and masks by split; all images as `ALL` where no list can be read.
        notes: On how they were read.
        named: Ids of entries without an image or a mask.
    """

    pairs: dict[str, list[Pair]]
    notes: list[str]
    named: set[str]


def read(
    root: Path, splits: tuple[str, str], options: FolderOptions, found: Findings
) -> Lists:
    """The images of each split and their masks.

    Args:
        root: The folder.
        splits: The lists that are trained on and scored.
        options: How the files are to be read.
        found: Faults of lists are added to it.

    Returns:
        What they name.
    """
    lists = Lists({}, [], set())

    def tell(name: str, error: Exception) -> None:
        found.add("list", STOPS, error, name)
        lists.named.add(name)

    for split in dict.fromkeys(splits):
        try:
            pairs, notes = folder_files.read_split(root, split, options, tell)
            lists.pairs[split] = pairs
            lists.notes += notes
        except (OSError, ValueError) as error:
            found.add("list", STOPS, error)
    if lists.pairs or not (root / folder_files.IMAGES).is_dir():
        return lists
    masks = Listing(root / options.mask_dir, MASK_ENDINGS)
    images = Listing(root / folder_files.IMAGES, PHOTO_ENDINGS)
    pairs = [(name, images.find(name), masks.find(name)) for name in images.ids()]
    lists.pairs[ALL] = [Pair(n, image, mask) for n, image, mask in pairs if image]
    return lists


def find_leftovers(
    root: Path, lists: Lists, options: FolderOptions, found: Findings
) -> None:
    """Add images and masks that no list names, and ids with several files.

    Args:
        root: The folder.
        lists: What `read` returned.
        options: How the files are to be read.
        found: Is added to.
    """
    listed = {pair.name for each in lists.pairs.values() for pair in each}
    listed |= lists.named
    for path in (root / folder_files.LISTS).glob("*.txt"):
        if path.stem not in lists.pairs:  # Such as trainval: what it lists is of use.
            listed |= _names_of(root, path.stem, options)
    for folder, endings, what in (
        (folder_files.IMAGES, PHOTO_ENDINGS, "images"),
        (options.mask_dir, MASK_ENDINGS, "masks"),
    ):
        below = root / folder
        if not below.is_dir():
            continue
        names = Listing(below, endings).ids()
        text = f"{what} that no list names and no run sees: list or remove them"
        unused = [name for name in names if name not in listed]
        found.add_all("list", HINT, text, unused if listed else [])
        files = [p.stem for p in below.iterdir() if p.suffix.lower() in endings]
        text = (
            f"ids with several files in {folder}, of which the first of "
            f"{', '.join(endings)} is read: remove the others"
        )
        several = {name for name, count in Counter(files).items() if count > 1}
        found.add_all("list", HINT, text, sorted(several & listed))


def _names_of(root: Path, split: str, options: FolderOptions) -> set[str]:
    """The ids of a list that is not examined."""
    names: set[str] = set()
    try:
        pairs, _ = folder_files.read_split(
            root, split, options, lambda name, error: names.add(name)
        )
    except (OSError, ValueError):
        return names
    return names | {pair.name for pair in pairs}
