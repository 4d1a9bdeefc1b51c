"""The splits of NYUDv2: lists of ids, as FCN's release has them."""

from pathlib import Path

from fcn_jax.data import label_files

SPLITS = ("trainval", "train", "val", "test")


def listed_ids(folder: Path, split: str, where: str) -> list[str]:
    """The ids of a split, from the lists in a folder; those of trainval may be two.

    Args:
        folder: That holds the lists.
        split: Of `SPLITS`.
        where: Whose lists they are, for the message.

    Returns:
        As they are written.

    Raises:
        FileNotFoundError: If a list is not there.
        ValueError: If a list is empty.
    """
    names = [split]
    if split == "trainval" and not (folder / "trainval.txt").is_file():
        names = ["train", "val"]
    found: list[str] = []
    for name in names:
        path = folder / f"{name}.txt"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} does not exist; split {split!r} of {where} is the ids of "
                f"{' and '.join(f'{each}.txt' for each in names)}, one a line, as in "
                f"FCN's nyud.tar.gz."
            )
        ids = label_files.read_lines(path)
        if not ids:
            raise ValueError(f"{path} names no image; write ids there, one a line.")
        found += ids
    return found
