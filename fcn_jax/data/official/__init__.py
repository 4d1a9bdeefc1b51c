"""Data sets as their authors give them, from the archives or from the folder.

One data set a module, with a function `layout`; see `layouts.Layout`. Of archives a
TFDS builder is made (`prepared`), which works without TensorFlow; a folder is read as
it is.
"""

import importlib
from collections.abc import Callable
from typing import NamedTuple

from fcn_jax.data.contracts import Source
from fcn_jax.data.official.layouts import Layout
from fcn_jax.data.options import Options


class Official(NamedTuple):
    """A data set that can be opened by name.

    Attributes:
        text: What it is.
        module: Of this package.
        function: Of the module, that makes the layout.
        splits: What is trained on, and what is scored.
        classes: Its label sets, where there are several; the first is the usual one.
    """

    text: str
    module: str
    function: str = "layout"
    splits: tuple[str, str] = ("train", "val")
    classes: tuple[str, ...] = ()


NAMES = {
    "sift_flow": Official(
        "SIFT Flow: 33 semantic and 3 geometric classes, two heads",
        "sift_flow",
        splits=("train", "test"),
    ),
    "pascal_context": Official(
        "PASCAL-Context: 59 classes and background, or 59 alone",
        "pascal_context",
        classes=("60", "59"),
    ),
    "ade20k": Official("ADE20K, scene parsing challenge: 150 classes", "ade20k"),
    "cityscapes": Official("Cityscapes: 19 classes", "cityscapes"),
    "coco_stuff": Official("COCO-Stuff on COCO 2017: 171 classes", "coco_stuff"),
    "camvid": Official("CamVid as SegNet's tutorial has it: 11 classes", "camvid"),
    "camvid/full": Official(
        "CamVid's 701 images from Cambridge: 11 classes, or 31",
        "camvid",
        "full_layout",
        classes=("11", "31"),
    ),
}


def layout_of(name: str, classes: str = "") -> Layout:
    """The layout of a data set.

    Args:
        name: One of NAMES.
        classes: Which of its label sets; "": the usual one.

    Raises:
        ValueError: If it has no such label set.
    """
    entry = NAMES[name]
    module = importlib.import_module(f"fcn_jax.data.official.{entry.module}")
    make: Callable[[str], Layout] = getattr(module, entry.function)
    return make(classes)


def open_official(name: str, split: str, options: Options) -> Source:
    """Open a split: of the folder at `root`, else of archives.

    Args:
        name: One of NAMES.
        split: Such as "train".
        options: Where its files are, and which of its label sets is wanted.

    Returns:
        A source.

    Raises:
        FileNotFoundError: If the folder, an archive or a file is missing.
        OSError: If an archive cannot be downloaded.
        ValueError: If there is no such split or label set, or a file is damaged or
            another data set's.
    """
    layout = layout_of(name, options.tool.classes)
    if options.root:
        from fcn_jax.data.official import folder, trees

        tree = trees.Folder(options.root, layout.inside, name)
        return folder.OfficialFolder(layout, tree, split)
    from fcn_jax.data.official import prepared

    variants = NAMES[name].classes or (layout.variant,)
    return prepared.open_prepared(
        layout, variants, split, options.data_dir, options.manual_dir
    )
