"""What a folder may be that is not as it should: the hints of error messages."""

from pathlib import Path

from fcn_jax.data.image_files import MASK_ENDINGS
from fcn_jax.data.sources.listing import Listing

IMAGES = "JPEGImages"


def layout(root: Path) -> str:
    """What a folder may be that is not in VOC layout, and what to do.

    Args:
        root: The folder.
    """
    if (root / IMAGES).is_dir():
        main = root / "ImageSets/Main"
        beside = f"{main} lists images for other tasks. " if main.is_dir() else ""
        return (
            f"{beside}Without lists --config.data.split=0.8 divides all images by "
            f"chance."
        )
    if (root / "VOC2012").is_dir() or (root / "VOCdevkit").is_dir():
        return "Set --config.data.root to the year's folder in it, such as VOC2012."
    made = "makes a folder of it"
    if (root / "gtFine").is_dir() or (root / "leftImg8bit").is_dir():
        return (
            f"This one is in the layout of Cityscapes: fcn_jax import cityscapes "
            f"{root} DST {made}."
        )
    if list(root.glob("panoptic_*.json")) or list(root.glob("*/panoptic_*.json")):
        return (
            f"This one has COCO's panoptic annotations, PNGs whose colours are numbers "
            f"of segments: fcn_jax import coco_panoptic {root} DST {made}."
        )
    if list(root.glob("annotations/*.json")):
        return (
            f"This one has COCO's annotations, which are outlines: fcn_jax import coco "
            f"{root} DST draws them."
        )
    if list(root.glob("*.json")):
        return (
            f"This one has annotations in JSON, which are outlines: fcn_jax import "
            f"labelme {root} DST draws labelme's."
        )
    return "Set --config.data.root to the folder that holds these."


def no_mask(masks: Listing, name: str, where: str, hint: bool = True) -> str:
    """The message for an image without a mask, with what lies nearby.

    Args:
        masks: The folder of masks.
        name: The id of the image.
        where: What lists it.
        hint: Whether to look for it nearby, which takes a moment.
    """
    hints = _nearby(masks, name) if hint else []
    found = f"; {'; '.join(hints)}" if hints else ""
    return (
        f"{masks.folder / name}.png does not exist, but {where} lists {name} and its "
        f"image is there{found}; add the mask, take the id off the list, or say what "
        f"such images are: --config.data.missing_mask=background (or void)."
    )


def _nearby(masks: Listing, name: str) -> list[str]:
    """What lies where the mask of an image is missing."""
    hints: list[str] = []
    beside = [n for n in masks.beside(name) if Path(n).stem != name]
    lossy = [n for n in masks.beside(name) if Path(n).stem == Path(name).name]
    if lossy:
        hints.append(
            f"there is {lossy[0]}: masks are {', '.join(MASK_ENDINGS)}, which keep "
            f"labels as they are"
        )
    elif beside:
        hints.append(f"there is {beside[0]}: name masks as their images")
    root = masks.folder.parent
    for folder in sorted(root.glob("Segmentation*")):
        other = Listing(folder, MASK_ENDINGS)
        if folder != masks.folder and "Object" not in folder.name and other.find(name):
            hints.append(
                f"{folder.name} has it: --config.data.mask_dir={folder.name} reads "
                f"masks there"
            )
    return hints
