"""PASCAL VOC segmentation as TFDS builders: 2012, 2011, and with SBD's masks.

| config | splits (images) |
| --- | --- |
| 2012 | train (1,464), val (1,449), trainval (2,913) |
| 2011 | train (1,112), val (1,111), trainval (2,223), seg11valid (736) |
| sbd | train (8,498), val (2,857), seg11valid (736), train_aug (10,582) |

seg11valid, on which FCN is scored, are the images of VOC 2011 val that are not in SBD
train; it is derived from the two lists, or read from manual_dir/seg11valid.txt. For
config 2011 without SBD at hand the latter is needed. train_aug is SBD's train and val
and VOC 2012's train, without VOC 2012's val; where VOC has a mask, VOC's is taken.

SBD's archive is compressed; while it is read, a decompressed copy without a name takes
another 1.5 GB or so.
"""

import functools
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fcn_jax.data import label_files, label_sets
from fcn_jax.data.sources import archives, sbd, tfds_source
from fcn_jax.data.sources.archive_reader import ArchiveReader

CONFIGS = ("2011", "2012", "sbd")

# The folder of a year's data inside its archive.
_ROOTS = {
    "voc2012": "VOCdevkit/VOC2012",
    "voc2011": "TrainVal/VOCdevkit/VOC2011",
    "sbd": "benchmark_RELEASE/dataset",
}
_NEEDED = {
    "2012": ("voc2012",),
    "2011": ("voc2011",),
    "sbd": ("voc2012", "voc2011", "sbd"),
}
_LISTS = "ImageSets/Segmentation"


class Archives:
    """The archives of one preparation, opened when they are first needed.

    Args:
        download_dir: Where downloads are kept.
        manual_dir: Where archives are that were put there by hand; then nothing is
            downloaded.
    """

    def __init__(self, download_dir: Path, manual_dir: str | Path | None):
        self._download_dir = download_dir
        self.manual_dir = None if manual_dir is None else Path(manual_dir).expanduser()
        self._readers: dict[str, ArchiveReader] = {}

    def __getitem__(self, name: str) -> ArchiveReader:
        if name not in self._readers:
            path = archives.find(name, self._download_dir, self.manual_dir)
            self._readers[name] = ArchiveReader(path, _ROOTS[name], self._download_dir)
        return self._readers[name]

    @property
    def given_seg11valid(self) -> Path | None:
        """The list of seg11valid that was put into manual_dir, if it was."""
        path = self.manual_dir and self.manual_dir / "seg11valid.txt"
        return path if path and path.exists() else None

    def open_all(self, config: str) -> None:
        """Open what a config is made from, so that what is missing is found at once.

        Raises:
            FileNotFoundError: If an archive is not in `manual_dir`.
        """
        for name in _NEEDED[config]:
            self[name]
        if config == "2011" and not self.given_seg11valid:
            try:
                self["sbd"]
            except FileNotFoundError as error:
                raise FileNotFoundError(
                    f"{error} It is needed for the list of seg11valid only; to do "
                    f"without it put that list there, as seg11valid.txt."
                ) from error

    def close(self) -> None:
        """Close all that were opened."""
        for reader in self._readers.values():
            reader.close()


def voc_list(archives: Archives, year: str, split: str) -> list[str]:
    """The ids of one of VOC's own splits.

    Args:
        archives: That hold it.
        year: "2011" or "2012".
        split: "train", "val" or "trainval".
    """
    return archives[f"voc{year}"].read_list(f"{_LISTS}/{split}.txt")


def seg11valid(archives: Archives) -> list[str]:
    """The ids that FCN is scored on: VOC 2011 val without SBD train.

    Raises:
        ValueError: If a list is given that is empty.
    """
    given = archives.given_seg11valid
    if given:
        ids = label_files.read_lines(given)
        if not ids:
            raise ValueError(
                f"{given} names no image; write one id a line, or delete it to have "
                f"the list derived from the archives."
            )
        return ids
    held_out = set(archives["sbd"].read_list("train.txt"))
    return [i for i in voc_list(archives, "2011", "val") if i not in held_out]


def train_aug(archives: Archives) -> list[str]:
    """The ids of the augmented training set, sorted."""
    ids = set(archives["sbd"].read_list("train.txt"))
    ids |= set(archives["sbd"].read_list("val.txt"))
    ids |= set(voc_list(archives, "2012", "train"))
    return sorted(ids - set(voc_list(archives, "2012", "val")))


def read_voc(archives: Archives, year: str, name: str) -> dict[str, object]:
    """An example of VOC itself.

    Args:
        archives: That hold it.
        year: "2011" or "2012".
        name: Its id.
    """
    archive = archives[f"voc{year}"]
    return _features(
        name,
        archive.read(f"JPEGImages/{name}.jpg"),
        _indices(archive.read(f"SegmentationClass/{name}.png")),
        _indices(archive.read(f"SegmentationObject/{name}.png")),
    )


def read_sbd(archives: Archives, name: str) -> dict[str, object]:
    """An example of SBD.

    Args:
        archives: That hold it.
        name: Its id.
    """
    archive = archives["sbd"]
    found = []
    for kind in ("cls", "inst"):
        member = f"{kind}/{name}.mat"
        stream = io.BytesIO(archive.read(member))
        found.append(sbd.read_mat(stream, kind, f"{archive.path}, {member}"))
    return _features(name, archive.read(f"img/{name}.jpg"), *found)


def examples(archives: Archives, config: str, split: str) -> Iterator[tuple[str, dict]]:
    """The examples of a split as TFDS takes them: (id, features).

    Args:
        archives: That hold them.
        config: "2011", "2012" or "sbd".
        split: A split of it.
    """
    if config != "sbd":
        ids = (
            seg11valid(archives)
            if split == "seg11valid"
            else voc_list(archives, config, split)
        )
        for name in ids:
            yield name, read_voc(archives, config, name)
    elif split == "seg11valid":
        for name in seg11valid(archives):
            yield name, read_voc(archives, "2011", name)
    elif split == "train_aug":
        for name in train_aug(archives):
            own = archives["voc2012"].has(f"SegmentationClass/{name}.png")
            yield (
                name,
                (read_voc(archives, "2012", name) if own else read_sbd(archives, name)),
            )
    else:
        for name in archives["sbd"].read_list(f"{split}.txt"):
            yield name, read_sbd(archives, name)


SPLITS = {
    "2012": ("train", "val", "trainval"),
    "2011": ("train", "val", "trainval", "seg11valid"),
    "sbd": ("train", "val", "seg11valid", "train_aug"),
}


@functools.cache
def builder_class() -> tfds_source.Builder:
    """The TFDS builder; made on first use, because importing TFDS takes a second."""
    with tfds_source.quiet_tfds() as tfds:

        class VocSegmentation(tfds.core.GeneratorBasedBuilder):
            """PASCAL VOC with class and object masks."""

            VERSION = tfds.core.Version("1.0.0")
            BUILDER_CONFIGS = tuple(
                tfds.core.BuilderConfig(name=name, description=name) for name in CONFIGS
            )
            name = "voc_segmentation"
            archives: Archives  # Set before the builder is prepared.

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self,
                    description="PASCAL VOC semantic segmentation.",
                    features=tfds_source.picture_features(tfds),
                )

            def _split_generators(self, dl_manager: object):
                del dl_manager
                self.archives.open_all(self.builder_config.name)
                splits = SPLITS[self.builder_config.name]
                return {split: self._generate_examples(split) for split in splits}

            def _generate_examples(self, split: str):
                yield from examples(self.archives, self.builder_config.name, split)

        return VocSegmentation


def open_voc(
    config: str,
    split: str,
    data_dir: str | None = None,
    manual_dir: str | None = None,
) -> tfds_source.TfdsSource:
    """Open a split; on first use all splits of the config are prepared.

    Args:
        config: "2011", "2012" or "sbd".
        split: A split of it, or a slice.
        data_dir: Where prepared data sets are kept; None: the default of TFDS.
        manual_dir: Where the archives are; None: they are downloaded.

    Returns:
        A source of `fcn_jax.data`.

    Raises:
        FileNotFoundError: If an archive is not in `manual_dir`.
        OSError: If an archive cannot be downloaded.
        ValueError: If an archive is damaged or the split unknown.
    """
    make = builder_class()
    with tfds_source.quiet_tfds() as tfds:
        builder = make(config=config, data_dir=data_dir, file_format="array_record")
        kept = Path(builder.data_dir).parents[2] / "downloads"
        builder.archives = Archives(kept, manual_dir or None)
        try:
            tfds_source.prepare(builder, tfds, f"PASCAL VOC, {config}")
        finally:
            builder.archives.close()
        return tfds_source.TfdsSource(builder, split, label_sets.VOC.classes)


def _features(
    name: str, photo: bytes, labels: np.ndarray, objects: np.ndarray
) -> dict[str, object]:
    height, width = labels.shape
    return {
        "image": photo,
        "labels": _png(labels),
        "objects": _png(objects),
        "id": name,
        "height": height,
        "width": width,
    }


def _indices(png: bytes) -> np.ndarray:
    """The indices of a palette PNG; decoders disagree on what else it could mean."""
    with Image.open(io.BytesIO(png)) as image:
        return np.array(image)


def _png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "png")
    return stream.getvalue()
