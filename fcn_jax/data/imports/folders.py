"""Two folders, one of images and one of masks, with names of any kind.

    SOURCE/IMAGES/..., SOURCE/MASKS/...

The folders are named (`--images`, `--masks`), or are the only two of the source that
hold images, of which the one of the masks is told by its name. Where both have the same
sub-folders such as train and val, these are the splits.
"""

from pathlib import Path, PurePosixPath

from fcn_jax.data import label_files
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
    images_at, masks_at = _both(source, places)
    named = label_files.find(source)
    pairs, notes = masking.pairs(images_at, masks_at)
    colours = places.by_colour or (
        masking.holds_colours(pairs[0].mask)
        or (named is not None and named.palette is not None)
    )
    if not colours:
        masking.check_indices([each.mask for each in pairs])
    examples = [masking.example(each, _split_of(each.name), colours) for each in pairs]
    return Collection(examples, masking.keys_of(named, colours), colours, notes)


def _both(source: Path, places: Places) -> tuple[Path, Path]:
    """The folder of images, and that of masks."""
    finding.need_folder(source, "name the folder that holds images and masks")
    if places.images and places.masks:
        what = "it is named by --images or --masks, from the source"
        return (
            finding.need_folder(source / places.images, what),
            finding.need_folder(source / places.masks, what),
        )
    folders = [p for p in sorted(source.iterdir()) if p.is_dir()]
    folders = [p for p in folders if finding.files_below(p)]
    masks = [p for p in folders if any(part in p.name.lower() for part in _MASKS)]
    if len(folders) != 2 or len(masks) != 1:
        names = ", ".join(p.name for p in folders) or "none"
        raise ValueError(
            f"{source}: it cannot be told which folder holds images and which masks "
            f"(folders with images: {names}); name them with --images=DIR and "
            f"--masks=DIR."
        )
    (images,) = [p for p in folders if p != masks[0]]
    return images, masks[0]


def _split_of(name: str) -> str:
    """The split that the first folder of a name says; "": none."""
    first = PurePosixPath(name).parts[0].lower()
    return first if "/" in name and first in _SPLITS else ""
