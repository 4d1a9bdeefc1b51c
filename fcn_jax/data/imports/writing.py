"""A folder in VOC layout, made of what an importer has found: whole, or not at all."""

import collections
import dataclasses
import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import numpy as np
from PIL import Image

from fcn_jax.data import checks, image_files, label_files, label_sets
from fcn_jax.data.image_files import PHOTO_ENDINGS, Header
from fcn_jax.data.imports import label_table, labelling
from fcn_jax.data.imports.contracts import VOID, Collection, Example, Key
from fcn_jax.data.imports.label_table import LabelTable
from fcn_jax.data.imports.labelling import Labels, Row
from fcn_jax.data.sources import folder_files, voc_folder
from fcn_jax.storage import files

MASKS = "SegmentationClass"
CLASSES, TABLE, REPORT = "classes.txt", "labels.txt", "import.json"
_NAMES = {
    **{name: name for name in ("train", "val", "test", "trainval")},
    **{"training": "train", "validation": "val", "valid": "val", "testing": "test"},
}
_LISTED = 12  # Lines of a table that a note names.
_NO_SPLITS = ("", "all", "default")

# Makes a progress bar of what is iterated over; the number is how many come.
Track: TypeAlias = Callable[[Iterable[Example], int], Iterable[Example]]


@dataclasses.dataclass(frozen=True)
class Options:
    """How a folder is made.

    Attributes:
        split: Share of the images that "train" has, where a format has no splits.
        seed: Of their division.
        copy: Whether images are copied; else they are linked.
        anew: Whether images are divided though a format has splits.
    """

    split: float = 0.8
    seed: int = 0
    copy: bool = False
    anew: bool = False

    def __post_init__(self):
        if not 0 < self.split < 1:
            raise ValueError(
                f"--split={self.split:g} is no share; give the part of the images that "
                f"are trained on, such as 0.8."
            )
        if self.seed < 0:
            raise ValueError(f"--seed={self.seed} is negative; give one from 0 on.")


@dataclasses.dataclass
class Report:
    """What was made.

    Attributes:
        root: The folder.
        images: Of each split.
        classes: Names, in the order of the labels.
        rows: What became of each value.
        notes: What was left out, or has to be known.
        of_photos: Those of the notes that are about EXIF orientations.
        upright: Whether photos are to be turned by these (config.data.apply_exif).
    """

    root: str
    images: dict[str, int]
    classes: tuple[str, ...]
    rows: list[Row]
    notes: list[str]
    of_photos: list[str] = dataclasses.field(default_factory=lambda: [])
    upright: bool = False


def write(
    collection: Collection,
    root: str | Path,
    table: LabelTable | None = None,
    options: Options | None = None,
    track: Track = lambda examples, total: examples,
) -> Report:
    """Make a folder of what an importer has found.

    Args:
        collection: What it has.
        root: The folder; nothing may be there.
        table: Which class each value is; None: as the format has it.
        options: How it is made.
        track: Makes a progress bar.

    Returns:
        What was made; `import.json` in the folder holds it too, and `labels.txt` the
        table.

    Raises:
        FileExistsError: If something is there.
        FileNotFoundError: If there are no images, or one is missing.
        ValueError: If a file cannot be read, does not fit its image, or holds a value
            that no line is for, or the name of a class would be read as another.
    """
    options, by_format = options or Options(), table is None
    if not collection.examples:
        raise FileNotFoundError("no annotated image was found; nothing is written.")
    if table is None:
        labelling.check_named(collection)
        table = label_table.table_of(collection.keys, collection.colours)
    examples, notes = _divided(_told_apart(collection.examples), options)
    labels = Labels(collection, table)
    report = Report(
        str(root), {}, table.classes, labels.rows, [*collection.notes, *notes]
    )

    def fill(place: Path) -> None:
        _write_classes(place / CLASSES, table.classes)
        turned: collections.Counter[bool | None] = collections.Counter()
        for example in track(examples, len(examples)):
            size, header = _write_pair(place, example, labels, options.copy)
            turned[_drawn_upright(size, header, collection.upright)] += 1
            report.images.setdefault(example.split, 0)
            report.images[example.split] += 1
        if turned[True]:
            report.upright = True
            report.of_photos.append(
                f"{turned[True]} photos are turned by their EXIF orientation, over "
                f"which annotations were drawn upright: set "
                f"--config.data.apply_exif=True"
            )
        if turned[None]:
            report.of_photos.append(voc_folder.orientation_note(turned[None]))
        report.notes += report.of_photos
        unused = labels.finish()
        if by_format:
            _check_not_binary_as_void(collection, table.classes, report.rows)
        if unused:
            report.notes.append(
                f"{', '.join(unused[:_LISTED])}{', ...' * (len(unused) > _LISTED)}: in "
                f"the table, and in nothing that was read"
            )
        _write_texts(place, examples, report, table)

    files.make_whole(root, fill)
    return report


def _check_not_binary_as_void(
    collection: Collection, classes: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Raise where masks are the first class and 255 alone, taken for void."""
    void = Key(label_sets.IGNORE_LABEL, VOID, default=VOID)
    held = {row.name for row in rows if row.pixels}
    if void in collection.keys and VOID in held and held <= {classes[0], VOID}:
        raise ValueError(
            f"all masks are {classes[0]!r} and void (255) alone, so that nothing can "
            f"be learned: if 255 is {classes[1]!r} in them, give a table with "
            f"--labels=FILE, in which '0 -> {classes[0]}' and '255 -> {classes[1]}' "
            f"are lines."
        )


def _write_pair(
    place: Path, example: Example, labels: Labels, copy: bool
) -> tuple[tuple[int, int], Header]:
    """Write an image and its mask: the size of the mask, and what the image is."""
    ending = example.image.suffix.lower()
    if ending not in PHOTO_ENDINGS:
        raise ValueError(
            f"{example.image}: images are {', '.join(PHOTO_ENDINGS)}; convert it to "
            f"one of these."
        )
    image = place / folder_files.IMAGES / f"{example.name}{ending}"
    image.parent.mkdir(parents=True, exist_ok=True)
    if example.content:
        image.write_bytes(example.content)
    header = image_files.read_header(image if example.content else example.image)
    if not example.content:
        _link(example.image, image, copy)
    values = example.read(header)
    height, width = values.shape
    if (height, width) != header.upright_size:
        size = (header.height, header.width)
        checks.check_sizes(size, values.shape, f"{example.image} and its annotation")
    mask = Image.fromarray(labels.of(values, f"{example.image}, its annotation"))
    mask.putpalette(label_sets.VOC.palette.reshape(-1).tolist())
    path = place / MASKS / f"{example.name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    mask.save(path, "png")
    return (height, width), header


def _drawn_upright(
    size: tuple[int, int], header: Header, by_format: bool
) -> bool | None:
    """Whether a mask is of the photo as EXIF turns it; None: its size does not tell."""
    if header.is_upright or size != header.upright_size:
        return False
    return True if by_format or size != (header.height, header.width) else None


def _link(image: Path, place: Path, copy: bool) -> None:
    if not copy:
        try:
            os.symlink(image.resolve(), place)
        except OSError:  # A file system, or a right, that has no links.
            copy = True
    if copy:
        shutil.copyfile(image, place)


def _write_texts(
    place: Path, examples: Sequence[Example], report: Report, table: LabelTable
) -> None:
    """The lists, the names, the table and the report."""
    members: dict[str, list[str]] = collections.defaultdict(list)
    for example in examples:
        members[example.split].append(example.name)
    for split, names in members.items():
        path = place / folder_files.LISTS / f"{split}.txt"
        files.write_text(path, "\n".join([*sorted(names), ""]))
    files.write_text(place / TABLE, label_table.written(table.rows))
    files.write_json(place / REPORT, dataclasses.asdict(report))


def _write_classes(path: Path, classes: tuple[str, ...]) -> None:
    """The names of the classes, where they will be read as they are."""
    files.write_text(path, "\n".join([*classes, ""]))
    read = label_files.read_classes(path)
    if read != classes:
        pairs = itertools.zip_longest(classes, read)
        name, other = next(pair for pair in pairs if pair[0] != pair[1])
        raise ValueError(
            f"{path.name} would have {other!r} in the place of the class {name!r}, by "
            f"the forms that its lines may have; give a table with --labels=FILE that "
            f"names it otherwise."
        )


def _told_apart(examples: Sequence[Example]) -> list[Example]:
    """Examples whose ids differ, by their splits where they must.

    Ids are lines of lists, and so have no breaks, nor blanks at their ends.
    """
    examples = [
        dataclasses.replace(each, name=" ".join(each.name.splitlines()).strip())
        for each in examples
    ]
    counts = collections.Counter(example.name for example in examples)
    found: list[Example] = []
    for example in examples:
        name = example.name
        if counts[name] > 1 and example.split:
            name = f"{example.split}/{name}"
        found.append(dataclasses.replace(example, name=name))
    seen: dict[str, Path] = {}
    for example in found:
        parts = PurePosixPath(example.name).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise ValueError(
                f"{example.image}: its id {example.name!r} leaves the folder; annotate "
                f"images below the source."
            )
        if example.name.encode(errors="replace").decode() != example.name:
            raise ValueError(
                f"{str(example.image)!r}: its name is not in UTF-8, as lists of images "
                f"are; rename it, with its annotation."
            )
        if example.name in seen:
            raise ValueError(
                f"{example.image} and {seen[example.name]} have one id, "
                f"{example.name!r}; rename one of them, with its annotation."
            )
        seen[example.name] = example.image
    return found


def _split_of(name: str) -> str:
    """The name of a split here, by that of a format, in any letters; "": none."""
    small = name.lower()
    return "" if small in _NO_SPLITS else _NAMES.get(small, name)


def _divided(
    examples: Sequence[Example], options: Options
) -> tuple[list[Example], list[str]]:
    """Examples with a split each, and a note where chance has made them."""
    splits = [_split_of(example.split) for example in examples]
    if not options.anew and any(splits):
        none = splits.count("")
        return [
            dataclasses.replace(each, split=split or "train")
            for each, split in zip(examples, splits, strict=True)
        ], [f"{none} images of no split are in train"] * (none > 0)
    if len(examples) < 2:
        return [dataclasses.replace(each, split="train") for each in examples], [
            "one image alone cannot be divided; it is in train"
        ]
    order = np.random.default_rng(options.seed).permutation(len(examples))
    count = min(max(round(options.split * len(examples)), 1), len(examples) - 1)
    train = set(order[:count].tolist())
    note = (
        f"divided by chance: {count} of {len(examples)} images are in train, the "
        f"others in val (--split={options.split:g}, --seed={options.seed})"
    )
    return [
        dataclasses.replace(each, split="train" if i in train else "val")
        for i, each in enumerate(examples)
    ], [note]
