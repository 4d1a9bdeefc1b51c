"""The lists of a folder as they are examined: what they name, and what none names."""

from collections import Counter
from pathlib import Path

from fcn_jax.data.doctor_findings import HINT, STOPS, Findings
from fcn_jax.data.image_files import MASK_ENDINGS, PHOTO_ENDINGS
from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources import folder_files
from fcn_jax.data.sources.folder_files import Pair
from fcn_jax.data.sources.listings import Listing

ALL = "all"  # The split of a folder without lists.


def read(
    root: Path, splits: tuple[str, str], options: FolderOptions, found: Findings
) -> tuple[dict[str, list[Pair]], list[str]]:
    """The images of each split and their masks.

    Args:
        root: The folder.
        splits: The lists that are trained on and scored.
        options: How the files are to be read.
        found: Faults of lists are added to it.

    Returns:
        The pairs by split, all images as `ALL` where no list can be read; and notes.
    """
    listed: dict[str, list[Pair]] = {}
    notes: list[str] = []
    for split in dict.fromkeys(splits):
        try:
            listed[split], of_split = folder_files.read_split(
                root,
                split,
                options,
                lambda name, error: found.add("list", STOPS, error, name),
            )
            notes += of_split
        except (OSError, ValueError) as error:
            found.add("list", STOPS, error)
    if listed or not (root / folder_files.IMAGES).is_dir():
        return listed, notes
    masks = Listing(root / options.mask_dir, MASK_ENDINGS)
    images = Listing(root / folder_files.IMAGES, PHOTO_ENDINGS)
    pairs = [(name, images.find(name), masks.find(name)) for name in images.ids()]
    return {ALL: [Pair(n, image, mask) for n, image, mask in pairs if image]}, notes


def find_leftovers(
    root: Path, pairs: dict[str, list[Pair]], options: FolderOptions, found: Findings
) -> None:
    """Add images and masks that no list names, and ids with several files.

    Args:
        root: The folder.
        pairs: What `read` returned.
        options: How the files are to be read.
        found: Is added to.
    """
    listed = {pair.name for each in pairs.values() for pair in each}
    lists = root / folder_files.LISTS
    for path in lists.glob("*.txt") if lists.is_dir() else ():
        if path.stem not in pairs:  # Such as trainval: what it lists is of use.
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
