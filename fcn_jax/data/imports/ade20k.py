"""ADE20K as the scene parsing challenge has it (ADEChallengeData2016).

    images/training, images/validation, annotations/training, annotations/validation,
    objectInfo150.txt

0 in the masks, what is none of the 150 classes, is void; names are the first of those
in objectInfo150.txt. (The whole data set of 2021, a folder an image, is another thing.)
"""

import csv
from collections import Counter
from pathlib import Path

from fcn_jax.data import label_files
from fcn_jax.data.imports import finding, masks
from fcn_jax.data.imports.contracts import VOID, Collection, Example, Key, Places

_NAMES = "objectInfo150.txt"
_ARCHIVE = "ADEChallengeData2016.zip"  # Names lie beside images/ in it.
_SPLITS = ("training", "validation")


def read(source: Path, places: Places) -> Collection:
    """See `contracts.Importer`.

    Args:
        source: The folder that holds images and annotations.
        places: Where these are, if they have other names.

    Raises:
        FileNotFoundError: If one is missing, or holds no pairs.
        ValueError: If the file of names is not understood.
    """
    what = "ADE20K has images/ and annotations/, with training/ and validation/ in them"
    images = finding.need_folder(source / (places.images or "images"), what)
    annotations = finding.need_folder(source / (places.masks or "annotations"), what)
    examples: list[Example] = []
    notes: list[str] = []
    for split in _SPLITS:
        if not (images / split).is_dir():
            continue
        found, of_split = masks.pairs(images / split, annotations / split)
        examples += [masks.example(pair, split, colours=False) for pair in found]
        notes += of_split
    void, path = Key(0, "other", default=VOID), source / _NAMES
    if not path.is_file():
        missing = f"{path} does not exist: copy it from {_ARCHIVE}"
        return Collection(examples, [void], notes=notes, names_missing=missing)
    return Collection(examples, [void, *_named(path)], notes=notes)


def _named(path: Path) -> list[Key]:
    lines = label_files.read_lines(path)
    try:
        names = {
            int(row["Idx"]): row["Name"]
            for row in csv.DictReader(lines, delimiter="\t")
        }
        if not names:
            raise KeyError("Idx")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not understood ({error!r}); expected columns Idx and Name, "
            f"with tabs between."
        ) from error
    first = {number: name.split(",")[0].strip() for number, name in names.items()}
    counts = Counter(first.values())
    short = {n: name if counts[name] == 1 else names[n] for n, name in first.items()}
    return [Key(n, name, default=name) for n, name in short.items()]
