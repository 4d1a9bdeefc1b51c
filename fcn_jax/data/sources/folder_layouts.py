"""What a folder that is not in VOC layout looks like, and what to do about it."""

from pathlib import Path

IMAGES = "JPEGImages"


def advice(root: Path) -> str:
    """What a folder may be that is not in VOC layout, and what to do."""
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
            f"This one is in the layout of Cityscapes: fcn_jax import cityscapes "
            f"{root} DST makes a folder of it."
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
