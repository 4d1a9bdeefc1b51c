"""Archives: where they come from, and that they are what they should be.

Sources of the addresses and checksums: torchvision (VOC 2011 and 2012, SBD), the
Chainer port of FCN (SBD, decompressed), fcn.berkeleyvision.org (seg11valid).
"""

import dataclasses
import hashlib
import http.client
import os
import urllib.request
from pathlib import Path

from tqdm import tqdm

_CHUNK = 1 << 20
_TIMEOUT = 30  # Seconds without a byte.


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

    Raises:
        ValueError: Naming the file, its checksum and the right ones.
    """
    digest = hashlib.md5(usedforsecurity=False)
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() not in md5:
        raise ValueError(
            f"{path} has the MD5 checksum {digest.hexdigest()}; expected "
            f"{' or '.join(md5)}. It is incomplete or another file: delete it and get "
            f"it again."
        )


def fetch(archive: Archive, path: str | Path) -> None:
    """Download an archive, from the first address that gives the right file.

    The file appears under its name only when it is whole and right.

    Raises:
        OSError: If no address did; saying what each of them answered.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    failures = []
    for address in archive.addresses:
        try:
            _download(address, part)
            check(part, archive.md5)
            os.replace(part, path)
        except (OSError, ValueError, http.client.HTTPException) as error:
            failures.append(f"{address}: {error}")
        else:
            return
        finally:
            part.unlink(missing_ok=True)  # Not left by an interruption either.
    raise OSError(
        f"{archive.name} could not be downloaded ({'; '.join(failures)}). Get it by "
        f"another way, put it into a directory and pass that as manual_dir "
        f"(--config.data.manual_dir=DIR)."
    )


def _download(address: str, part: Path) -> None:
    with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:
        length = answer.headers.get("Content-Length")
        total = None if length is None else int(length)
        bar = tqdm(total=total, unit="B", unit_scale=True, desc=part.stem, disable=None)
        with bar, part.open("wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size != total:
        raise OSError(f"{part.stat().st_size} bytes of {total} came")
