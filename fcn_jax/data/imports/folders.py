"""Two folders, one of images and one of masks, with names of any kind.

    SOURCE/IMAGES/..., SOURCE/MASKS/...

The folders are named (`--images`, `--masks`), or are the only two of the source that
hold images, of which the one of the masks is told by its name. Where both have the same
sub-folders such as train and val, these are the splits.
"""

from pathlib import Path, PurePosixPath

from fcn_jax.data import image_files, label_files
from fcn_jax.data.image_files import MASK_ENDINGS
from fcn_jax.data.imports import finding
from fcn_jax.data.imports import masks as masking
from fcn_jax.data.imports.contracts import (
    VOID,
    Collection,
    Example,
    Key,
    Places,
    code_of,
)
from fcn_jax.data.label_files import LabelFile
from fcn_jax.data.label_sets import IGNORE_LABEL

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
        ValueError: If it cannot be told which folders are meant.
    """
    images_at, masks_at = _both(source, places)
    images = finding.stems(finding.files_below(images_at), images_at)
    masks = finding.stems(finding.files_below(masks_at, MASK_ENDINGS), masks_at)
    pairs = finding.matched(list(images), list(masks))
    if not pairs:
        raise FileNotFoundError(
            f"no mask of {masks_at} ({len(masks)} files) belongs to an image of "
            f"{images_at} ({len(images)} files); name masks as their images, or alike "
            f"but for what stands before or after."
        )
    named = label_files.find(source)
    colours = places.by_colour or (
        masking.holds_colours(masks[next(iter(pairs.values()))])
        or (named is not None and named.palette is not None)
    )
    examples = [
        Example(
            name,
            images[name],
            _split_of(name),
            lambda header, path=masks[mask]: image_files.read_values(
                path, by_colour=colours
            ),
        )
        for name, mask in pairs.items()
    ]
    notes: list[str] = []
    for what, names, folder, used in (
        ("images", images, images_at, pairs.keys()),
        ("masks", masks, masks_at, pairs.values()),
    ):
        left = sorted(set(names) - set(used))
        if left:
            notes.append(
                f"{len(left)} {what} of {folder} are left out, without a counterpart: "
                f"{', '.join(left[:3])}{', ...' * (len(left) > 3)}"
            )
    return Collection(examples, keys_of(named, colours), colours, notes)


def keys_of(named: LabelFile | None, colours: bool) -> list[Key]:
    """What values mean by a file of names, such as classes.txt.

    Args:
        named: The file; None: there is none.
        colours: Whether values are colours; then they are those of the file.
    """
    if named is None:
        return []
    palette = named.palette
    labels = [*range(len(named.classes)), IGNORE_LABEL]
    names = [*named.classes, VOID]
    if not colours:
        return [Key(i, n, default=n) for i, n in zip(labels, names, strict=True)]
    if palette is None:
        return []
    found = [
        (tuple(int(c) for c in palette[i]), n)
        for i, n in zip(labels, names, strict=True)
    ]
    return [Key(code_of(c), n, (c[0], c[1], c[2]), n) for c, n in found]


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
