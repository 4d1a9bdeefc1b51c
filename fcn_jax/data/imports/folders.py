"""Two folders, one of images and one of masks, with names of any kind.

    SOURCE/IMAGES/..., SOURCE/MASKS/...
    SOURCE/SPLIT/IMAGES/..., SOURCE/SPLIT/MASKS/...

The folders are named (`--images`, `--masks`), or are the only two of the source that
hold images, of which the one of the masks is told by its name; where one is named, the
other is looked for. Where both have the same
sub-folders such as train and val, these are the splits.
"""

from pathlib import Path, PurePosixPath

from fcn_jax.data import label_files
from fcn_jax.data.image_files import MASK_ENDINGS, PHOTO_ENDINGS
from fcn_jax.data.imports import finding
from fcn_jax.data.imports import masks as masking
from fcn_jax.data.imports.contracts import (
    Collection,
    Places,
)

_SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing")
# What folders of masks are called, in part.
_MASKS = ("mask", "label", "annot", "seg", "gt", "ground", "target", "png")


def read(source: Path, places: Places) -> Collection:
    """See `contracts.Importer`.

    Args:
        source: The folder that holds both.
        places: Where images and masks are.

    Raises:
        FileNotFoundError: If a folder is missing, or no mask belongs to an image.
        ValueError: If it cannot be told which folders are meant, or indices mean
            another colour from mask to mask.
    """
    homes, notes = _homes(source, places)
    named = label_files.find(source)
    found: list[tuple[str, masking.Pair]] = []
    for home in homes:
        pairs, of_home = masking.pairs(*_both(home, places))
        split = "" if home == source else home.name.lower()
        found += [(split or _split_of(each.name), each) for each in pairs]
        notes += of_home
    colours = places.by_colour or (
        masking.holds_colours(found[0][1].mask)
        or (named is not None and named.palette is not None)
    )
    if not colours:
        masking.check_indices([each.mask for _, each in found])
    examples = [masking.example(each, split, colours) for split, each in found]
    return Collection(examples, masking.keys_of(named, colours), colours, notes)


def _homes(source: Path, places: Places) -> tuple[list[Path], list[str]]:
    """The folders that hold images and masks: the source, or its splits; and notes."""
    folders = _with_images(source)
    splits = [p for p in folders if p.name.lower() in _SPLITS]
    whole = [p for p in splits if len(_with_images(p)) > 1]
    given = [place for place in (places.images, places.masks) if place]
    of_source = any((source / place).is_dir() for place in given)
    of_splits = all(any((p / place).is_dir() for p in whole) for place in given)
    two = len(folders) == 2 and any(map(_is_masks, folders))
    if not whole or of_source or not of_splits or (two and not given):
        return [source], []
    homes = [p for p in splits if p in whole or not p.name.lower().startswith("test")]
    notes = [
        f"{p} is left out: {'it has no masks' if p in splits else 'it is no split'}"
        for p in folders
        if p not in homes
    ]
    return homes, notes


def _both(source: Path, places: Places) -> tuple[Path, Path]:
    """The folder of images, and that of masks."""
    what = "it is named by --images or --masks, from the source"
    named = {
        flag: finding.need_folder(source / given, what)
        for flag, given in (("images", places.images), ("masks", places.masks))
        if given
    }
    if len(named) == 2:
        return named["images"], named["masks"]
    folders = _with_images(source)
    if "images" in named:
        return named["images"], _other(source, folders, named["images"], "masks")
    if "masks" in named:
        return _other(source, folders, named["masks"], "images"), named["masks"]
    masks = [p for p in folders if _is_masks(p)]
    if len(folders) != 2 or len(masks) != 1:
        names = ", ".join(p.name for p in folders) or "none"
        raise ValueError(
            f"{source}: it cannot be told which folder holds images and which masks "
            f"(folders with images: {names}); name them with --images=DIR and "
            f"--masks=DIR."
        )
    (images,) = [p for p in folders if p != masks[0]]
    return images, masks[0]


def _other(source: Path, folders: list[Path], given: Path, wanted: str) -> Path:
    """The folder of images or of masks, where the other one is given."""
    left = [p for p in folders if not given.is_relative_to(p)]
    fitting = [p for p in left if _is_masks(p) == (wanted == "masks")]
    for found in (fitting, left):
        if len(found) == 1:
            return found[0]
    names = ", ".join(p.name for p in left) or "none"
    raise ValueError(
        f"{source}: beside {given} it cannot be told which folder "
        f"holds {wanted} (others with images: {names}); name it with --{wanted}=DIR."
    )


def _with_images(source: Path) -> list[Path]:
    """The folders of a source that hold images or masks."""
    endings = (*PHOTO_ENDINGS, *MASK_ENDINGS)
    folders = [p for p in sorted(source.iterdir()) if p.is_dir()]
    return [p for p in folders if finding.files_below(p, endings)]


def _is_masks(folder: Path) -> bool:
    return any(part in folder.name.lower() for part in _MASKS)


def _split_of(name: str) -> str:
    """The split that the first folder of a name says; "": none."""
    first = PurePosixPath(name).parts[0].lower()
    return first if "/" in name and first in _SPLITS else ""
