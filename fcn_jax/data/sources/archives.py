"""Archives: where they come from, and that they are what they should be.

Sources of the addresses and checksums: torchvision (VOC 2011 and 2012, SBD), the
Chainer port of FCN (SBD, decompressed), fcn.berkeleyvision.org (seg11valid).
"""

import dataclasses
from pathlib import Path

from fcn_jax.storage import downloading


@dataclasses.dataclass(frozen=True)
class Archive:
    """A file that a data set is made from.

    Attributes:
        name: Of the file.
        md5: Checksums, any of which is right.
        addresses: Where to get it, tried in order.
        other_names: That a file put there by hand may have too.
    """

    name: str
    md5: tuple[str, ...]
    addresses: tuple[str, ...]
    other_names: tuple[str, ...] = ()


_OXFORD = "http://host.robots.ox.ac.uk/pascal/VOC"
_CONTOURS = "Research/Projects/CS/vision/grouping/semantic_contours"

ARCHIVES = {
    "voc2012": Archive(
        "VOCtrainval_11-May-2012.tar",
        ("6cd6e144f989b92b3379bac3b3de84fd",),
        (
            f"{_OXFORD}/voc2012/VOCtrainval_11-May-2012.tar",
            "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            "https://pjreddie.com/media/files/VOCtrainval_11-May-2012.tar",
        ),
    ),
    "voc2011": Archive(
        "VOCtrainval_25-May-2011.tar",
        ("6c3384ef61512963050cb5d687e5bf1e",),
        # The host that has VOC 2012 too is not known to have this one.
        (f"{_OXFORD}/voc2011/VOCtrainval_25-May-2011.tar",),
    ),
    # As it is served, and as some programs save it: decompressed on the way.
    "sbd": Archive(
        "benchmark.tgz",
        ("82b4d87ceb2ed10f6038a1cba92111cb", "2b2af8a6cff7365684e002c08be823a6"),
        (
            f"https://www2.eecs.berkeley.edu/{_CONTOURS}/benchmark.tgz",
            f"http://www.eecs.berkeley.edu/{_CONTOURS}/benchmark.tgz",
        ),
        other_names=("benchmark.tar",),
    ),
}


def find(archive: str, download_dir: str | Path, manual_dir: str | Path | None) -> Path:
    """An archive on disk, checked; downloaded if it is nowhere yet.

    Args:
        archive: A name of ARCHIVES.
        download_dir: Where downloads are kept.
        manual_dir: Where it may have been put by hand; then nothing is downloaded.

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: If `manual_dir` is given and holds no such file.
        OSError: If no address gave the file.
        ValueError: If the file is not the right one.
    """
    wanted = ARCHIVES[archive]
    if manual_dir is not None:
        folder = Path(manual_dir).expanduser()
        names = (wanted.name, *wanted.other_names)
        paths = [folder / name for name in names if (folder / name).exists()]
        if not paths:
            path = folder / wanted.name
            raise FileNotFoundError(
                f"{path} does not exist; get it from {wanted.addresses[0]} and put it "
                f"there, or leave manual_dir empty to have it downloaded."
                f"{_extracted(folder)}"
            )
        check(paths[0], wanted.md5)
        return paths[0]
    path = Path(download_dir) / wanted.name
    if not path.exists():
        fetch(wanted, path)
    else:
        check(path, wanted.md5)
    return path


def check(path: str | Path, md5: tuple[str, ...]) -> None:
    """Raise unless a file has one of the checksums.

    Args:
        path: The file.
        md5: The checksums that it may have, in hex.

    Raises:
        ValueError: Naming the file, its checksum and the right ones.
    """
    downloading.check(path, _checksums(md5))


def fetch(archive: Archive, path: str | Path) -> None:
    """Download an archive, from the first address that gives the right file.

    The file appears under its name only when it is whole and right; what came of it
    before a failure is kept beside it for the next call to go on from.

    Args:
        archive: What is wanted.
        path: Where it goes.

    Raises:
        OSError: If no address did; saying what each of them answered.
    """
    try:
        downloading.download(archive.addresses, path, checksums=_checksums(archive.md5))
    except downloading.DownloadError as error:
        raise OSError(
            f"{error} Get it by another way, put it into a directory and pass that as "
            f"manual_dir (--config.data.manual_dir=DIR)."
        ) from error


def _checksums(md5: tuple[str, ...]) -> list[str]:
    return [f"md5:{checksum}" for checksum in md5]


def _extracted(folder: Path) -> str:
    """What to do with an archive that has been unpacked already."""
    for place in (folder, *sorted(folder.glob("*")), *sorted(folder.glob("*/VOC*"))):
        if (place / "ImageSets/Segmentation").is_dir():
            return (
                f" {place} is unpacked already: --config.data.name=folder "
                f"--config.data.root={place} reads it as it is."
            )
    return ""
