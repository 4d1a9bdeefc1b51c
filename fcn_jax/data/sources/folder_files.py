"""The images and masks of a folder's split: which there are, and where they lie.

ROOT/ImageSets/Segmentation/SPLIT.txt, or ROOT/SPLIT.txt, has an entry a line:

| line | stands for |
| --- | --- |
| ID | ROOT/JPEGImages/ID.jpg and its mask in the folder of masks |
| ID FLAG | the same; with -1, VOC's "does not hold this class", it is left out |
| IMAGE MASK | two files, by their paths from ROOT |

A leading slash, the folder and the ending of an image, and quotes are taken off an id.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias

import numpy as np

from fcn_jax import messages
from fcn_jax.data import label_files
from fcn_jax.data.image_files import MASK_ENDINGS, PHOTO_ENDINGS
from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources import folder_hints
from fcn_jax.data.sources.listing import Listing, check_link

IMAGES = folder_hints.IMAGES
LISTS = "ImageSets/Segmentation"
_MOST_HINTS = 20  # Comparing a name with all others takes a moment each.
_FLAGGED = re.compile(r"(.*\S)\s+(-1|\+?1|0)")
_COMMENT = re.compile(r"#.*")
_HEADER = re.compile(
    r"(images?|ids?|files?|file_?names?|image_?(ids?|files?|paths?|names?))"
    r"([,;\s]+(masks?|labels?|annotations?|(mask|label)_?(files?|paths?|names?)))?",
    re.IGNORECASE,
)


class Pair(NamedTuple):
    """An image and its mask.

    Attributes:
        name: The id.
        image: Its file.
        mask: The file of its mask; None: it has none, and need not.
    """

    name: str
    image: Path
    mask: Path | None


class _Entry(NamedTuple):
    """A line of a list: an id, and files where the line names them."""

    name: str
    image: Path | None
    mask: Path | None
    skipped: bool = False


Tell: TypeAlias = Callable[[str, Exception], None]  # Of an entry, and its fault.


def _stop(name: str, error: Exception) -> None:
    del name
    raise error


def read_split(
    root: Path,
    split: str,
    options: FolderOptions,
    tell: Tell = _stop,
) -> tuple[list[Pair], list[str]]:
    """The images of a split with their masks.

    Args:
        root: The folder.
        split: Name of a list, or "train" or "val" of `FolderOptions.split`.
        options: How the files are to be read.
        tell: Told of each entry that is wrong, which is left out if it returns; by
            default it raises.

    Returns:
        The pairs, and notes on what was left out or divided.

    Raises:
        FileNotFoundError: If the folder, the list, or a file of a pair is missing.
        ValueError: If the list is empty, repeats an id or leaves the folder.
    """
    if not split:
        raise ValueError(
            f"a split of {root} without a name; set --config.data.train_split and "
            f"--config.data.eval_split to the names of its lists."
        )
    images = Listing(root / IMAGES, PHOTO_ENDINGS)
    masks = Listing(root / options.mask_dir, MASK_ENDINGS)
    if options.split:
        entries, notes, where = _divided(images, root, split, options)
    else:
        path = _list_file(root, split)
        entries, notes = _listed(images, root, path, options.mask_dir, tell)
        where = str(path)
    pairs: list[Pair] = []
    without = wrong = 0
    for entry in _once(entries, where, tell):
        try:
            hint = wrong < _MOST_HINTS
            image = entry.image or _find_image(images, entry.name, where, hint)
            mask = entry.mask or masks.find(entry.name)
            if mask is None and options.missing_mask == "error":
                text = folder_hints.no_mask(masks, entry.name, where, hint)
                raise FileNotFoundError(text)
        except FileNotFoundError as error:
            tell(entry.name, error)
            wrong += 1
            continue
        without += mask is None
        pairs.append(Pair(entry.name, image, mask))
    if without:
        notes.append(
            f"{without} images without a mask are {options.missing_mask} throughout"
        )
    if pairs and without == len(pairs):
        raise FileNotFoundError(
            f"{masks.folder} holds the mask of no image of {split}; masks are there, "
            f"or in the folder that --config.data.mask_dir names."
        )
    return pairs, notes


def _list_file(root: Path, split: str) -> Path:
    """The file of a split's list."""
    if not root.is_dir():
        raise FileNotFoundError(
            f"{root} does not exist; set --config.data.root to a folder in VOC layout: "
            f"{IMAGES}/, SegmentationClass/ and {LISTS}/SPLIT.txt."
        )
    folders = [root / LISTS, root]
    for folder in folders:
        check_link(folder / f"{split}.txt")
        if (folder / f"{split}.txt").is_file():
            return folder / f"{split}.txt"
    if not folders[0].is_dir():
        raise FileNotFoundError(
            f"{folders[0]} does not exist; a folder in VOC layout has {IMAGES}/, "
            f"SegmentationClass/ and {LISTS}/SPLIT.txt. {folder_hints.layout(root)}"
        )
    known = sorted(p.stem for p in folders[0].glob("*.txt"))
    hint = messages.suggestion(split, known)
    raise FileNotFoundError(
        f"{folders[0] / split}.txt does not exist; {hint + ' ' if hint else ''}There "
        f"are: {', '.join(known) or 'no lists'}. Name one as --config.data.train_split "
        f"or --config.data.eval_split, or set --config.data.split=0.8 to divide all "
        f"images by chance."
    )


def _divided(
    images: Listing, root: Path, split: str, options: FolderOptions
) -> tuple[list[_Entry], list[str], str]:
    """All images of a folder, divided by chance; those of one part."""
    where = f"--config.data.split={options.split:g}"
    if split not in ("train", "val"):
        raise ValueError(
            f"{where} divides a folder into 'train' and 'val', not {split!r}; set "
            f"--config.data.train_split and --config.data.eval_split to these."
        )
    ids = images.ids()
    if len(ids) < 2:
        raise FileNotFoundError(
            f"{images.folder} holds {len(ids)} images; {where} needs two or more, "
            f"with one of {', '.join(PHOTO_ENDINGS)}, in {root}/{IMAGES}."
        )
    order = np.random.default_rng(options.split_seed).permutation(len(ids))
    count = min(max(round(options.split * len(ids)), 1), len(ids) - 1)
    chosen = order[:count] if split == "train" else order[count:]
    note = f"{len(chosen)} of {len(ids)} images by chance, {where}"
    return [_Entry(ids[i], None, None) for i in sorted(chosen)], [note], where


def _listed(
    images: Listing,
    root: Path,
    path: Path,
    mask_dir: str,
    tell: Tell,
) -> tuple[list[_Entry], list[str]]:
    """The entries of a list."""
    lines = label_files.read_lines(path)
    lines = [n for n in lines if not _COMMENT.fullmatch(n) or images.find(n)]
    if lines and _HEADER.fullmatch(lines[0]) and not images.find(lines[0]):
        lines = lines[1:]
    if not lines:
        raise ValueError(f"{path} lists no image; write an id a line.")
    entries: list[_Entry] = []
    for line in lines:
        try:
            entries.append(_entry(images, root, line, path, mask_dir))
        except (FileNotFoundError, ValueError) as error:
            tell(line, error)
    kept = [entry for entry in entries if not entry.skipped]
    left_out = len(entries) - len(kept)
    if entries and not kept:
        raise ValueError(
            f"{path} has -1 in its second column throughout, VOC's mark of images "
            f"without a class; take the column off to have them."
        )
    notes = [f"{left_out} of {path.name} are left out, marked -1"] if left_out else []
    return kept, notes


def _entry(images: Listing, root: Path, line: str, path: Path, mask_dir: str) -> _Entry:
    """What a line of a list stands for; see the head of this module."""
    line = _from_root(root, line)
    if images.find(line):
        return _Entry(_checked(line, path), None, None)
    flagged = _FLAGGED.fullmatch(line)
    if flagged:
        name = _name(images, flagged[1])
        return _Entry(_checked(name, path), None, None, flagged[2] == "-1")
    words = [word for word in re.split(r"[\s,;]+", line) if word]
    if len(words) == 2 and Path(words[1]).suffix.lower() in MASK_ENDINGS:
        name = _name(images, words[0])
        files = [_below(root, word) for word in words]
        files[1] = files[1] or _below(root / mask_dir, words[1])
        if files[1] is None and Path(words[1]).stem != Path(name).name:
            raise FileNotFoundError(
                f"{root / words[1].lstrip('/')} does not exist, which {path} lists as "
                f"the mask of {name}; paths are from {root}: correct the list, or add "
                f"it."
            )
        return _Entry(_checked(name, path), files[0], files[1])
    return _Entry(_checked(_name(images, line), path), None, None)


def _from_root(root: Path, line: str) -> str:
    """A line whose paths are from the root, where they were absolute."""
    for place in {root.as_posix(), root.absolute().as_posix(), str(root.resolve())}:
        if Path(place).is_absolute():
            start = r"(^|[\s,;\"'])" + re.escape(f"{place.rstrip('/')}/")
            line = re.sub(start, r"\1/", line)
    return line


def _below(root: Path, text: str) -> Path | None:
    """The file that a list gives as a path from the root, if it is there."""
    path = root / _tidied(text)
    check_link(path)
    return path if path.is_file() else None


def _name(images: Listing, text: str) -> str:
    """The id in a word of a list: without folder and ending of the image."""
    name = _tidied(text)
    if images.find(name):
        return name
    name = name.removeprefix(f"{IMAGES}/")
    if Path(name).suffix.lower() in PHOTO_ENDINGS:
        name = name[: -len(Path(name).suffix)]
    return name


def _tidied(text: str) -> str:
    text = re.sub(r"[\\/]+", "/", text.strip("\"'"))
    return text.removeprefix("./").lstrip("/")


def _checked(name: str, path: Path) -> str:
    """An id that stays below the folder, and so does what is written under it."""
    if ".." in PurePosixPath(name).parts:
        raise ValueError(
            f"{path} lists {name!r}, which leaves the folder; list ids below it."
        )
    return PurePosixPath(name).as_posix()  # Without a slash at its end.


def _once(entries: Iterable[_Entry], where: str, tell: Tell) -> Iterator[_Entry]:
    seen: set[str] = set()
    for entry in entries:
        if entry.name in seen:
            text = f"{where} lists {entry.name} more than once; list each id once."
            tell(entry.name, ValueError(text))
        else:
            yield entry
        seen.add(entry.name)


def _find_image(images: Listing, name: str, where: str, hint: bool) -> Path:
    path = images.find(name)
    if path is not None:
        return path
    advice = _alike(images, name) if hint else ""
    raise FileNotFoundError(
        f"{images.folder} holds no image {name} ({', '.join(PHOTO_ENDINGS)}), which "
        f"{where} lists; {advice + ' ' if advice else ''}Add it or take the id off the "
        f"list."
    )


def _alike(images: Listing, name: str) -> str:
    """What may have been meant by an image that is not there; "" where nothing is."""
    beside = images.beside(name)
    for found in beside:
        check_link((images.folder / name).parent / found)
    if beside:
        return f"there is {', '.join(beside)}."
    known = [i for i in images.ids() if i != name]
    alike = [i for i in known if i.lower() == name.lower()]
    if alike:
        return f"there is {alike[0]}, and upper and lower case differ."
    composed = unicodedata.normalize("NFC", name)
    if any(unicodedata.normalize("NFC", i) == composed for i in known):
        return (
            "there is one whose name looks alike, with letters and accents apart (as "
            "macOS stores them, Unicode NFD): write both names in one form."
        )
    return messages.suggestion(name, known)
