"""Data sets and the pipeline that feeds the steps. NumPy and image files; no JAX.

A source is a sequence, `source[i]` a dict of `image` (uint8 RGB [H, W, 3]), `labels`
(uint8 [H, W]), `id` (str) and perhaps `objects` (uint8 [H, W]); see
`fcn_jax.data.contracts`. To add a data set, write a source and give it a line here.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from fcn_jax import messages
from fcn_jax.data import imports, label_sets, official, rgbd
from fcn_jax.data.contracts import Head, Source, heads_of
from fcn_jax.data.options import (
    AS_FOUND,
    AS_STORED,
    FolderOptions,
    Options,
    ToolOptions,
)
from fcn_jax.storage import mirrors

if TYPE_CHECKING:
    from fcn_jax.data.sources.voc_folder import VocFolder


@dataclasses.dataclass(frozen=True)
class DataSet:
    """What can be opened by name.

    Attributes:
        description: Where its images come from.
        open: (split, options) -> the source; what it needs is imported then.
        heads: What its labels say, where that is known without opening it.
        takes_palette: Whether `Options.palette` has a meaning.
        inputs: What `Options.channels` may be.
        splits: What is trained on, and what is scored, as it calls them.
        classes: Its label sets, where there are several; the first is the usual one.
    """

    description: str
    open: Callable[[str, Options], Source]
    heads: tuple[Head, ...] | None = None
    takes_palette: bool = False
    inputs: tuple[str, ...] = ("rgb",)
    splits: tuple[str, str] = ("train", "val")
    classes: tuple[str, ...] = ()


def _open_folder(split: str, options: Options) -> Source:
    from fcn_jax.data.sources import voc_folder

    if not options.root:
        raise ValueError(
            "data set 'folder' needs the path of its folder; set "
            "--config.data.root=DIR (or root=DIR)."
        )
    return voc_folder.VocFolder(
        options.root,
        split,
        palette=options.palette or None,
        options=options.folder,
    )


def _shapes(name: str, description: str) -> DataSet:
    def open_one(split: str, options: Options) -> Source:
        from fcn_jax.data.sources import shapes

        return shapes.open_shapes(split, options.data_dir, name)

    head = Head("", label_sets.SHAPES, label_sets.VOC.palette)
    return DataSet(description, open_one, (head,))


def _open_indoor(split: str, options: Options) -> Source:
    from fcn_jax.data.sources import indoor

    return indoor.Indoor(split, options.channels or "rgb")


def _open_nyud(split: str, options: Options) -> Source:
    from fcn_jax.data.sources import nyud

    return nyud.open_nyud(split, options)


def _open_landscapes(split: str, options: Options) -> Source:
    from fcn_jax.data.sources import landscapes

    del options
    return landscapes.Landscapes(split)


def _open_imported(form: str, split: str, options: Options) -> "VocFolder":
    from fcn_jax.data.sources import imported

    return imported.open_imported(form, split, options)


def _official(name: str) -> DataSet:
    known = official.NAMES[name]

    def open_one(split: str, options: Options) -> Source:
        if options.root and name in imports.FORMATS:
            source = _open_imported(name, split, options)
            (head,) = official.layout_of(name).heads
            if heads_of(source)[0].classes == head.classes:
                source.palette = head.palette
            return source
        return official.open_official(name, split, options)

    return DataSet(known.text, open_one, splits=known.splits, classes=known.classes)


def _voc(year: str, description: str) -> DataSet:
    def open_year(split: str, options: Options) -> Source:
        from fcn_jax.data.sources import voc

        return voc.open_voc(year, split, options.data_dir, options.manual_dir)

    head = Head("", label_sets.VOC.classes, label_sets.VOC.palette)
    return DataSet(description, open_year, (head,))


DATASETS: dict[str, DataSet] = {
    "folder": DataSet(
        "any folder in VOC layout, at root", _open_folder, takes_palette=True
    ),
    "shapes": _shapes("shapes", "generated textured shapes, built in"),
    "shapes_any_size": _shapes(
        "shapes_any_size", "the same from 2 % to 90 % of an image, built in"
    ),
    "indoor": DataSet(
        "generated rooms with depth, built in",
        _open_indoor,
        (Head("", label_sets.INDOOR, label_sets.VOC.palette),),
        inputs=rgbd.INPUTS,
    ),
    "nyud": DataSet(
        "NYUDv2 with depth, 40 classes, at root",
        _open_nyud,
        (Head("", label_sets.NYUD.classes, label_sets.NYUD.palette),),
        inputs=rgbd.INPUTS,
        splits=("trainval", "test"),
    ),
    "landscapes": DataSet(
        "drawn landscapes with two heads, built in",
        _open_landscapes,
        splits=("train", "test"),
    ),
    "voc_segmentation/2011": _voc("2011", "PASCAL VOC 2011"),
    "voc_segmentation/2012": _voc("2012", "PASCAL VOC 2012"),
    "voc_segmentation/sbd": _voc("sbd", "PASCAL VOC with the SBD annotations"),
    # What `fcn_jax import` makes a folder of, opened where it lies.
    **{
        form: DataSet(text, functools.partial(_open_imported, form))
        for form, text in imports.FORMATS.items()
    },
    # From their authors' archives; three of them also as `imports` reads a folder.
    **{name: _official(name) for name in official.NAMES},
}


def open_source(
    name: str,
    split: str,
    *,
    root: str | None = None,
    palette: str | None = None,
    data_dir: str | None = None,
    manual_dir: str | None = None,
    folder: FolderOptions = AS_STORED,
    tool: ToolOptions = AS_FOUND,
    channels: str = "",
) -> Source:
    """Open a split of a data set; one that is not prepared yet is prepared first.

    Args:
        name: One of DATASETS.
        split: Such as "train" or "val"; data sets of TFDS take slices ("train[:10%]").
        root: As of `Options`, and so are the others; or as of `at_hand`.
        palette: "folder": text file of the colours of RGB masks.
        data_dir: Where prepared data sets are kept.
        manual_dir: Where archives are that were downloaded by hand.
        folder: "folder": how its files are to be read.
        tool: The formats of tools: what their files leave open.
        channels: Of a set with depth, one of `rgbd.INPUTS`; "": colours.

    Returns:
        The source.

    Raises:
        ValueError: If the name is unknown, a "folder" or a tool's format comes without
            `root`, another than "folder" with `palette`, a label set where there is
            one, or the set has no such channels.
    """
    known = _known(name, palette)
    if tool.classes and not known.classes:
        raise ValueError(
            f"config.data.classes={tool.classes!r} is given, but data set {name!r} has "
            f"one label set; leave it out."
        )
    _check_local(palette=palette, data_dir=data_dir, manual_dir=manual_dir)
    _check_local(**dataclasses.asdict(tool))
    place = at_hand(root, data_dir)
    options = Options(place, palette, data_dir, manual_dir, folder, tool, channels)
    if channels and channels not in known.inputs:
        raise ValueError(
            f"data set {name!r} has no channels {channels!r}; set "
            f"--config.data.channels to one of {', '.join(known.inputs)}, or leave it "
            f"empty."
        )
    return known.open(split, options)


def at_hand(root: str | None, data_dir: str | None = None) -> str | None:
    """Where the files of `root` can be read: of an object store a copy of them.

    Args:
        root: A folder, or an address such as "s3://bucket/voc".
        data_dir: Where copies are kept; None: ~/.cache/fcn_jax/mirrored.

    Raises:
        FileNotFoundError: If nothing is there.
        OSError: If it cannot be copied.
        ValueError: If the kind of address is not known, or a package is missing.
    """
    if not root or not mirrors.is_address(root):
        return root
    return str(mirrors.mirrored(root, data_dir or "~/.cache/fcn_jax/mirrored"))


def _check_local(**places: str | None) -> None:
    for name, place in places.items():
        mirrors.check_local(
            place or "",
            f"config.data.{name}",
            "of data config.data.root alone is read from there. Give a local path",
        )


def heads(
    name: str,
    split: str,
    *,
    root: str | None = None,
    palette: str | None = None,
    data_dir: str | None = None,
    folder: FolderOptions = AS_STORED,
    tool: ToolOptions = AS_FOUND,
) -> tuple[Head, ...]:
    """Names and colours of the classes of a data set; none is prepared for it.

    Args:
        name: One of DATASETS.
        split: "folder": a split that it has.
        root: "folder" and the formats of tools: where it is.
        palette: "folder": as of `open_source`.
        data_dir: As of `open_source`, and so are the others.
        folder: How the files of a folder are to be read.
        tool: What the files of a tool leave open.

    Returns:
        Its heads.

    Raises:
        FileNotFoundError: If the folder is not there.
        ValueError: As `open_source`.
    """
    found = _known(name, palette).heads
    if name in official.NAMES and not root:
        return official.layout_of(name, tool.classes).heads
    if found is None:
        source = open_source(
            name,
            split,
            root=root,
            palette=palette,
            data_dir=data_dir,
            folder=folder,
            tool=tool,
        )
        found = heads_of(source)
    return found


def _known(name: str, palette: str | None) -> DataSet:
    """The data set of a name.

    Raises:
        ValueError: If there is none, or it has colours of its own.
    """
    if name not in DATASETS:
        own = [known for known in DATASETS if known not in imports.FORMATS]
        hint = messages.suggestion(name, DATASETS, cutoff=0.7)
        hint = hint or messages.suggestion(name, own, cutoff=0.4)
        raise ValueError(
            f"data set {name!r} is not known; {hint + ' ' if hint else ''}There are: "
            f"{', '.join(DATASETS)}."
        )
    found = DATASETS[name]
    if palette and not found.takes_palette:
        raise ValueError(
            f"data set {name!r} has colours of its own, but palette={palette!r} is "
            f"given; leave --config.data.palette empty, or name the data set 'folder'."
        )
    return found
