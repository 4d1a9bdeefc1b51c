"""A data set from its archives, prepared by TFDS and read without TensorFlow."""

import functools
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fcn_jax.data import checks, fingerprints, image_files
from fcn_jax.data.content import Content
from fcn_jax.data.contracts import Head, Item, Labels
from fcn_jax.data.fingerprints import FileDigests, Fingerprint
from fcn_jax.data.official import layouts
from fcn_jax.data.official.layouts import Layout
from fcn_jax.data.official.trees import Packed, Tree
from fcn_jax.data.sources import tfds_source
from fcn_jax.data.sources.tfds_source import Builder


@functools.cache
def builder_class(
    name: str, variants: tuple[str, ...], heads: tuple[str, ...]
) -> Builder:
    """The TFDS builder of a layout; made on first use.

    Args:
        name: Of the data set.
        variants: Its label sets.
        heads: Names of its heads.
    """
    with tfds_source.quiet_tfds() as tfds:
        # TFDS has data sets of some of these names, from archives of its own.
        of_builder = f"official_{name.replace('/', '_')}"

        class Official(tfds.core.GeneratorBasedBuilder):
            """Images as they came, and PNGs of labels."""

            VERSION = tfds.core.Version("1.0.0")
            BUILDER_CONFIGS = tuple(
                tfds.core.BuilderConfig(name=each, description=each)
                for each in variants
            )
            name = of_builder
            layout: Layout  # Both are set before the builder is prepared.
            tree: Tree

            def _info(self):
                mask = {"shape": (None, None, 1), "encoding_format": "png"}
                features = {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "id": tfds.features.Text(),
                    "height": np.int32,
                    "width": np.int32,
                }
                for head in heads:
                    features[_feature(head)] = tfds.features.Image(**mask)
                return tfds.core.DatasetInfo(
                    builder=self,
                    description="Images and labels of every pixel.",
                    features=tfds.features.FeaturesDict(features),
                )

            def _split_generators(self, dl_manager: object):
                del dl_manager
                splits = self.layout.splits
                # All are looked at before the first example is written.
                for split in splits:
                    layouts.checked_members(self.layout, self.tree, split)
                return {split: self._generate_examples(split) for split in splits}

            def _generate_examples(self, split: str):
                yield from examples(self.layout, self.tree, split)

        return Official


def examples(
    layout: Layout, tree: Tree, split: str
) -> Iterator[tuple[str, dict[str, object]]]:
    """The examples of a split as TFDS takes them: (id, features).

    Args:
        layout: Of the data set.
        tree: Its files.
        split: The split.

    Raises:
        ValueError: If a file cannot be read, or an image and its labels differ in size.
    """
    for member in layouts.checked_members(layout, tree, split):
        where = f"{tree.place(member.image)}"
        photo = tree.read(member.image)
        content = Content(where, photo)
        header = image_files.read_header(content)
        is_rgb = header.mode == "RGB"  # A few photos of COCO are grey.
        # TFDS stores what comes; of a torn file its decoder gives None, in training.
        seen = image_files.read_photo(content, draft=is_rgb)
        if not is_rgb:
            photo = _png(seen)
        found = layouts.read_labels(layout, tree, member)
        by_head: dict[str, np.ndarray] = (
            dict(found) if not isinstance(found, np.ndarray) else {"": found}
        )
        for head, labels in by_head.items():
            place = tree.place(member.labels[head])
            size = (header.height, header.width)
            checks.check_sizes(size, labels.shape, f"{where} and {place}")
        yield (
            member.name,
            {
                "image": photo,
                "id": member.name,
                "height": header.height,
                "width": header.width,
                **{_feature(head): _png(found) for head, found in by_head.items()},
            },
        )


class PreparedSplit:
    """A split of a prepared builder, read at random.

    Args:
        builder: A prepared builder of `builder_class`.
        split: A split of it, or a slice: "train[:10%]".
        heads: What its labels say.

    Raises:
        ValueError: If there is no such split, or it is empty.
    """

    channels = "rgb"

    def __init__(self, builder: Builder, split: str, heads: tuple[Head, ...]):
        self.name, self.split, self.heads = builder.info.full_name, split, heads
        self._builder = builder
        count = tfds_source.count_of(builder, split)
        self._items = builder.as_data_source(split=split)
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Item:
        if not 0 <= index < len(self):
            raise IndexError(
                f"{self.name} {self.split}: no image {index}; there are {len(self)}, "
                f"from 0 on."
            )
        item = self._items[int(index)]
        found = {
            head.name: np.asarray(item[_feature(head.name)])[:, :, 0]
            for head in self.heads
        }
        labels: Labels = found if tuple(found) != ("",) else found[""]
        return {
            "image": np.asarray(item["image"]),
            "labels": labels,
            "id": item["id"].decode(),
        }

    def __reduce__(self):
        # Builders are not picklable everywhere; what they prepared can be opened.
        return _reopen, (str(self._builder.data_dir), self.split, self.heads)

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
        with tfds_source.quiet_tfds() as tfds:
            pictures = ["image", *(_feature(head.name) for head in self.heads)]
            skip = {name: tfds.decode.SkipDecoding() for name in pictures}
            items = self._builder.as_data_source(split=self.split, decoders=skip)
        sizes = [(item["height"], item["width"]) for item in items]
        return np.array(sizes, np.int32)


def open_prepared(
    layout: Layout,
    variants: tuple[str, ...],
    split: str,
    data_dir: str | None,
    manual_dir: str | None,
) -> PreparedSplit:
    """Open a split; on first use all splits are prepared from the archives.

    Args:
        layout: Of the data set.
        variants: All label sets that it may have.
        split: A split of it, or a slice.
        data_dir: Where prepared data sets are kept; None: the default of TFDS.
        manual_dir: Where the archives are; None: they are downloaded.

    Returns:
        A source of `fcn_jax.data`.

    Raises:
        FileNotFoundError: If an archive, or a file in it, is missing.
        OSError: If an archive cannot be downloaded.
        ValueError: If an archive is damaged or another, or the split unknown.
    """
    names = tuple(head.name for head in layout.heads)
    make = builder_class(layout.name, variants, names)
    with tfds_source.quiet_tfds() as tfds:
        builder = make(
            config=layout.variant, data_dir=data_dir, file_format="array_record"
        )
        if not builder.is_prepared():
            kept = Path(builder.data_dir).parents[2] / "downloads"
            tree = Packed(layout.parts, kept, manual_dir)
            builder.layout, builder.tree = layout, tree
            try:
                tfds_source.prepare(builder, tfds, f"{layout.name}, {layout.variant}")
            finally:
                tree.close()
        return PreparedSplit(builder, split, layout.heads)


def _reopen(data_dir: str, split: str, heads: tuple[Head, ...]) -> PreparedSplit:
    with tfds_source.quiet_tfds() as tfds:
        return PreparedSplit(tfds.builder_from_directory(data_dir), split, heads)


def _feature(head: str) -> str:
    return f"labels_{head}" if head else "labels"


def _png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "png")
    return stream.getvalue()
