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
    if (root / "gtFine").is_dir() or (root / "leftImg8bit").is_dir():
        return (
            "This one is in the layout of Cityscapes: write lists ROOT/SPLIT.txt with "
            "'IMAGE MASK' a line, paths from ROOT, and ROOT/classes.txt."
        )
    if list(root.glob("panoptic_*.json")) or list(root.glob("*/panoptic_*.json")):
        return (
            "This one has COCO's panoptic annotations: PNGs whose colours are numbers "
            "of segments, R + 256 G + 65536 B, and beside them a JSON whose "
            "segments_info gives the category of each. Write masks of the categories "
            "first (panopticapi), labels from 0 on."
        )
    if list(root.glob("annotations/*.json")):
        return (
            "This one has COCO's annotations, which are outlines: draw them into masks "
            "first (pycocotools, annToMask)."
        )
    if list(root.glob("*.json")):
        return (
            "This one has annotations in JSON, such as labelme's, which are outlines: "
            "draw them into masks first (labelme's repository has labelme2voc.py)."
        )
    return "Set --config.data.root to the folder that holds these."


def no_mask(masks: Listing, name: str, where: str) -> str:
    """The message for an image without a mask, with what lies nearby.

    Args:
        masks: The folder of masks.
        name: The id of the image.
        where: What lists it.
    """
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
    found = f"; {'; '.join(hints)}" if hints else ""
    return (
        f"{masks.folder / name}.png does not exist, but {where} lists {name} and its "
        f"image is there{found}; add the mask, take the id off the list, or say what "
        f"such images are: --config.data.missing_mask=background (or void)."
    )
