"""Prepared TFDS data sets as sources, without TensorFlow."""

import contextlib
import io
import logging
import warnings
from collections.abc import Generator, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import filelock
import numpy as np

from fcn_jax.data import fingerprints, label_sets
from fcn_jax.data.contracts import Item, OneHead
from fcn_jax.data.fingerprints import FileDigests, Fingerprint
from fcn_jax.storage import files

Builder: TypeAlias = Any  # TFDS's own types lack keywords that its methods take.
_PICTURES = ("image", "labels", "objects")


@contextlib.contextmanager
def quiet_tfds() -> Generator[ModuleType, None, None]:
    """TensorFlow Datasets, kept from the network, its own bars and mere warnings."""

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    with contextlib.ExitStack() as stack:
        # It warns that a data set is not prepared, which is about to be.
        log = logging.getLogger("absl")
        log.addFilter(is_error)
        stack.callback(log.removeFilter, is_error)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.utils import gcs_utils

        # Without it TFDS asks a bucket of Google for every builder, and waits for an
        # answer where there is no network; it has no public switch for this.
        gcs_utils._is_gcs_disabled = True  # pyright: ignore[reportPrivateUsage]
        tfds.disable_progress_bar()
        yield tfds


def picture_features(tfds: ModuleType) -> object:
    """The features that every builder here has."""
    mask = {"shape": (None, None, 1), "encoding_format": "png"}
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "labels": tfds.features.Image(**mask),
            "objects": tfds.features.Image(**mask),
            "id": tfds.features.Text(),
            "height": np.int32,
            "width": np.int32,
        }
    )


class TfdsSource(OneHead):
    """A split of a prepared builder, read at random.

    Args:
        builder: A prepared builder whose features are `picture_features`.
        split: A split of it, or a slice: "train[:10%]".
        classes: Names of the classes.

    Raises:
        ValueError: If there is no such split, or it is empty.
    """

    def __init__(self, builder: Builder, split: str, classes: tuple[str, ...]):
        self.name, self.split, self.classes = builder.info.full_name, split, classes
        self.palette = label_sets.VOC.palette
        self.ignore_label = label_sets.IGNORE_LABEL
        self._builder = builder
        count_of(builder, split)
        self._items = builder.as_data_source(split=split)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Item:
        if not 0 <= index < len(self):
            raise IndexError(
                f"{self.name} {self.split}: no image {index}; there are {len(self)}, "
                f"from 0 on."
            )
        item = self._items[int(index)]
        return {
            "image": np.asarray(item["image"]),
            "labels": np.asarray(item["labels"])[:, :, 0],
            "objects": np.asarray(item["objects"])[:, :, 0],
            "id": item["id"].decode(),
        }

    def __reduce__(self):
        # Builders are not picklable everywhere; what they prepared can be opened.
        return _reopen, (str(self._builder.data_dir), self.split, self.classes)

    def fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """What was prepared: data set, version and split; nothing is read for it.

        Args:
            digests: Of files; none are needed.
        """
        del digests
        count = str(len(self))
        return {"name": fingerprints.digits([self.name, self.split, count])}

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]; no picture is decoded for them."""
        sizes = [(item["height"], item["width"]) for item in self._undecoded()]
        return np.array(sizes, np.int32)

    def image_ids(self) -> list[str]:
        """The ids of all images; no picture is decoded for them."""
        return [item["id"].decode() for item in self._undecoded()]

    def _undecoded(self) -> Iterable[Item]:
        """The items, with pictures as they are stored."""
        with quiet_tfds() as tfds:
            skip = {name: tfds.decode.SkipDecoding() for name in _PICTURES}
            return self._builder.as_data_source(split=self.split, decoders=skip)


def count_of(builder: Builder, split: str) -> int:
    """How many examples a split of a prepared builder has.

    Args:
        builder: Of TFDS.
        split: A split of it, or a slice.

    Raises:
        ValueError: If there is no such split, or it is empty.
    """
    name = builder.info.full_name
    try:
        count = builder.info.splits[split].num_examples
    except (ValueError, KeyError) as error:
        known = ", ".join(builder.info.splits)
        raise ValueError(
            f"{name} has no split {split!r} ({error}); there are {known}, and "
            f"slices of them such as train[:10%]."
        ) from error
    if not count:
        raise ValueError(f"{name}: split {split!r} holds no image.")
    return count


def _reopen(data_dir: str, split: str, classes: tuple[str, ...]) -> TfdsSource:
    with quiet_tfds() as tfds:
        return TfdsSource(tfds.builder_from_directory(data_dir), split, classes)


def prepare(builder: Builder, tfds: ModuleType, what: str) -> None:
    """Prepare a builder if it is not; the files appear whole or not at all.

    Of several processes that want it at once, also on several hosts, one does.

    Args:
        builder: Of TFDS.
        tfds: The package, as `quiet_tfds` gives it.
        what: The data set, for the log.

    Raises:
        OSError: If its directory may not be written to, or is full.
    """
    if builder.is_prepared():
        return
    log = logging.getLogger(__name__)
    log.warning("preparing %s in %s ...", what, Path(builder.data_dir))
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    quiet = contextlib.redirect_stdout(io.StringIO())  # It speaks of downloading.
    with (
        quiet,
        files.writing(builder.data_dir, "config.data.data_dir"),
        _one_at_a_time(Path(builder.data_dir)),
    ):
        if builder.is_prepared():  # By another, meanwhile.
            builder.info.read_from_directory(builder.data_dir)
        else:
            builder.download_and_prepare(download_config=config)
    log.warning("prepared %s", what)


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Generator[None]:
    """Hold what becomes a folder; the lock is not in it, nor among its versions."""
    place = folder.parent.parent
    place.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(place / f".{folder.parent.name}-{folder.name}.lock"):
        yield
