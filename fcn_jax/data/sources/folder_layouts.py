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
            "This one is in the layout of Cityscapes: write lists ROOT/SPLIT.txt with "
            "'IMAGE MASK' a line, paths from ROOT, and ROOT/classes.txt."
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
