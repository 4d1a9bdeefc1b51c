"""Data sets and the pipeline that feeds the steps. NumPy and image files; no JAX.

A source is a sequence: `source[i]` is a dict of `image` (uint8 RGB [H, W, 3]), `labels`
(uint8 [H, W]), `id` (str) and perhaps `objects` (uint8 [H, W]). It has `classes`,
`palette`, `ignore_label`, `name`, `split` and `image_sizes()`.
"""

import difflib
from typing import Any

from fcn_jax.data import label_sets
from fcn_jax.data.sources import drawing

# What can be opened, and where its images come from.
DATASETS = {
    "folder": "any folder in VOC layout, at root",
    "shapes": "generated textured shapes, built in",
    "voc_segmentation/2011": "PASCAL VOC 2011",
    "voc_segmentation/2012": "PASCAL VOC 2012",
    "voc_segmentation/sbd": "PASCAL VOC with the SBD annotations",
}


def open_source(
    name: str,
    split: str,
    *,
    root: str | None = None,
    palette: str | None = None,
    data_dir: str | None = None,
    manual_dir: str | None = None,
) -> Any:
    """Open a split of a data set; one that is not prepared yet is prepared first.

    Args:
        name: One of DATASETS.
        split: Such as "train" or "val"; data sets of TFDS take slices ("train[:10%]").
        root: "folder": where it is.
        palette: "folder": text file of the colours of RGB masks, such as
            `label_sets.read_palette` reads; None: VOC's.
        data_dir: Where prepared data sets are kept; None: the default of TFDS.
        manual_dir: Where archives are that were downloaded by hand.

    Returns:
        The source.

    Raises:
        ValueError: If the name is unknown, "folder" comes without `root`, or another
            with `palette`.
    """
    if name not in DATASETS:
        close = difflib.get_close_matches(name, DATASETS, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(
            f"data set {name!r} is not known; {hint}There are: {', '.join(DATASETS)}."
        )
    if palette and name != "folder":
        raise ValueError(
            f"data set {name!r} has colours of its own, but palette={palette!r} is "
            f"given; leave --config.data.palette empty, or name the data set 'folder'."
        )
    if name == "folder":
        from fcn_jax.data.sources.voc_folder import VocFolder

        if not root:
            raise ValueError(
                "data set 'folder' needs the path of its folder; set "
                "--config.data.root=DIR (or root=DIR)."
            )
        return VocFolder(root, split, palette=palette or None)
    if name == "shapes":
        from fcn_jax.data.sources.shapes import open_shapes

        return open_shapes(split, data_dir)
    from fcn_jax.data.sources.voc import open_voc

    return open_voc(name.partition("/")[2], split, data_dir, manual_dir)


def label_set(
    name: str, split: str, *, root: str | None = None, palette: str | None = None
) -> label_sets.LabelSet:
    """Names and colours of the classes of a data set; none is prepared for it.

    Args:
        name: One of DATASETS.
        split: "folder": a split that it has.
        root: "folder": where it is.
        palette: "folder": as of `open_source`.

    Returns:
        The label set.

    Raises:
        FileNotFoundError: If the folder is not there.
        ValueError: As `open_source`.
    """
    if name.startswith("voc_segmentation/"):
        return label_sets.VOC
    if name == "shapes":
        return label_sets.LabelSet(name, drawing.CLASSES, label_sets.VOC.palette)
    source = open_source(name, split, root=root, palette=palette)
    return label_sets.LabelSet(source.name, source.classes, source.palette)
