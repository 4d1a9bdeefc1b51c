"""Images that are decoded once: the same batches, less reading."""

import copy
import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fcn_jax.config import datasets
from fcn_jax.data import fingerprints, loader, shared_items
from fcn_jax.data.cached import CachedSource
from fcn_jax.data.contracts import OneHead
from fcn_jax.data.crops import ObjectCrops, ProposalCrops
from fcn_jax.data.cues import CueSource
from fcn_jax.data.regions import RegionExamples
from fcn_jax.data.segment_examples import SegmentExamples
from fcn_jax.data.sources.voc_folder import VocFolder
from fcn_jax.data.weak.source import WeakLabels
from fcn_jax.proposals.candidates import Candidates, from_masks
from fcn_jax.proposals.projection import Cells
from tests.support import folders
from tests.support.loading import ALL
from tests.support.object_sources import PLAIN, Source, pets, same
from tests.support.runs import make_folder, tiny_config

PIXELS = Cells(0, 1, tuple(range(30)), 0)
BYTES = 24 * 32 * 4  # Of an image of `make_folder` and its labels.
needs_shared_memory = pytest.mark.skipif(
    not shared_items.AVAILABLE, reason="needs memfd_create (Linux)"
)


class Counted:
    """A source that counts what is read."""

    def __init__(self, source):
        self._source, self.reads = source, []

    def __getattr__(self, name):
        return getattr(self._source, name)

    def __len__(self):
        return len(self._source)

    def __getitem__(self, index):
        self.reads.append(index)
        return self._source[index]


@pytest.fixture
def counted(tmp_path):
    return Counted(VocFolder(make_folder(tmp_path), "train"))


def test_an_image_is_read_once(counted):
    cached = CachedSource(counted, 1 << 20)
    first = [cached[index] for index in range(len(cached))]
    again = [cached[index] for index in range(len(cached))]
    assert counted.reads == [0, 1, 2, 3]
    assert all(a is b for a, b in zip(first, again, strict=True))
    assert cached.bytes == 4 * BYTES


def test_what_has_no_room_is_read_again(counted):
    cached = CachedSource(counted, 2 * BYTES + 10)
    for _ in range(2):
        for index in range(4):
            cached[index]
    assert counted.reads == [0, 1, 2, 3, 2, 3]
    assert cached.bytes == 2 * BYTES


def test_what_boxes_and_segments_hold_takes_room_too():
    """A segment over four regions of 5x6 pixels, beside an image and labels."""
    regions = np.arange(30, dtype=np.int32).reshape(5, 6) % 4
    of = Candidates(regions, np.array([[True, False, False, False]]))
    examples = SegmentExamples(Source(pets()), lambda _: of, PIXELS, min_area=1)
    cached = CachedSource(examples, 1 << 20)
    segments = cached[0]["segments"]
    held = segments.candidates.regions, segments.candidates.member, segments.labels
    assert cached.bytes == 30 * 3 + 30 + sum(array.nbytes for array in held)


def test_threads_share_it(counted):
    cached = CachedSource(counted, 1 << 20)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cached.__getitem__, [0, 1, 2, 3] * 50))
    assert cached.bytes == 4 * BYTES


@pytest.mark.parametrize("threads", (0, 2))
def test_batches_are_the_same(counted, threads):
    """Through three epochs: nothing is changed in what is kept."""

    def batches(source):
        made = loader.train_batches(
            source,
            batch_size=2,
            seed=3,
            num_classes=3,
            augmentation=loader.Augmentation(
                flip=True, scale=(0.5, 2.0), crop=(16, 20), jitter=3, brightness=0.2
            ),
            readers=loader.Readers(threads),
        )
        found = [next(made) for _ in range(6)]
        made.close()
        return found

    for plain, kept in zip(
        batches(counted), batches(CachedSource(counted, 1 << 20)), strict=True
    ):
        for name in plain:
            np.testing.assert_array_equal(plain[name], kept[name])


@pytest.fixture(params=(False, True), ids=("own", "shared"))
def shared(request):
    if request.param and not shared_items.AVAILABLE:
        pytest.skip("needs memfd_create (Linux)")
    return request.param


def test_the_rest_is_that_of_the_source(counted, shared):
    cached = CachedSource(counted, 1 << 20, shared)
    assert (cached.name, cached.split, len(cached)) == ("folder", "train", 4)
    assert cached.ids == counted.ids
    assert cached.classes == ("dark", "middle", "bright")
    np.testing.assert_array_equal(cached.image_sizes(), counted.image_sizes())
    assert fingerprints.of(cached) == fingerprints.of(counted)
    with pytest.raises(AttributeError, match="nothing"):
        _ = cached.nothing
    assert copy.copy(cached).ids == cached.ids


def test_a_copy_that_is_not_filled_yet_has_no_source():
    with pytest.raises(AttributeError, match="_source"):
        _ = CachedSource.__new__(CachedSource).ids


def test_a_config_asks_for_it(tmp_path):
    config = tiny_config(make_folder(tmp_path), **{"data.cache": 0.5})
    assert isinstance(datasets.open_source(config, "train"), CachedSource)
    assert isinstance(datasets.open_source(config, "eval"), VocFolder)
    with config.unlocked():
        del config.data.cache
    assert isinstance(datasets.open_source(config, "train"), VocFolder)


def test_masks_of_instances_are_read_later(tmp_path, shared):
    folders.write(tmp_path)
    folders.save(tmp_path / "SegmentationObject/a.png", folders.labels())
    cached = CachedSource(VocFolder(tmp_path, "train"), 1 << 20, shared)
    for _ in range(2):
        item = cached[0]
        assert set(item) == {"image", "labels", "id", "objects"}
        assert len(item) == 4
        assert "objects" in item
        np.testing.assert_array_equal(item["objects"], folders.labels())
    with pytest.raises(KeyError, match="boxes"):
        _ = item["boxes"]


@needs_shared_memory
def test_processes_read_an_image_once(tmp_path):
    """Another process fills what this one has; then the files may be gone."""
    source = VocFolder(make_folder(tmp_path), "train")
    cached = CachedSource(source, 1 << 20, shared=True)

    def batches(source, workers):
        made = loader.train_batches(
            source,
            batch_size=2,
            seed=3,
            num_classes=3,
            augmentation=ALL,
            readers=loader.Readers(2, workers),
        )
        found = [next(made) for _ in range(6)]
        made.close()
        return found

    plain = batches(source, 0)
    assert cached.bytes < 4 * BYTES
    found = batches(cached, 1)
    assert cached.bytes > 4 * BYTES
    for path in (tmp_path / "JPEGImages").iterdir():
        path.unlink()
    for some in (found, batches(cached, 0)):
        for one, other in zip(plain, some, strict=True):
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])


@needs_shared_memory
def test_what_has_no_room_among_processes_is_read_again(counted):
    cached = CachedSource(counted, 2 * BYTES + 1000, shared=True)
    for _ in range(2):
        for index in range(4):
            cached[index]
    assert counted.reads == [0, 1, 2, 3, 2, 3]
    assert cached.bytes <= 2 * BYTES + 1000


@needs_shared_memory
def test_boxes_and_segments_are_kept_among_processes():
    regions = np.arange(30, dtype=np.int32).reshape(5, 6) % 4
    of = Candidates(regions, np.array([[True, False, False, False]]))
    examples = SegmentExamples(Source(pets()), lambda _: of, PIXELS, min_area=1)
    cached = CachedSource(examples, 1 << 20, shared=True)
    first, again = cached[0]["segments"], cached[0]["segments"]
    assert first is not again
    np.testing.assert_array_equal(first.labels, again.labels)
    of_both = [found.candidates.regions for found in (first, again)]
    np.testing.assert_array_equal(*of_both)


@needs_shared_memory
def test_a_config_with_workers_shares_it(tmp_path):
    changes = {"data.cache": 0.001, "data.num_workers": 1}
    config = tiny_config(make_folder(tmp_path), **changes)
    source = datasets.open_source(config, "train")
    source[0]
    assert pickle.loads(pickle.dumps(source)).bytes == source.bytes


def frozen(given):
    """An item, or a source of items, into which nothing can be written."""
    items = given.items if isinstance(given, Source) else [given]
    for array in (x for item in items for x in item.values()):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    return given


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ALL)])
def test_no_augmentation_writes_into_what_is_kept(name):
    source = frozen(Source(pets(), pets("im1")))
    alone = loader.Augmentation(**{name: getattr(ALL, name)})
    batches = loader.train_batches(
        source, batch_size=2, seed=1, num_classes=3, augmentation=alone
    )
    for _ in range(4):
        next(batches)
    batches.close()


class OfPets(OneHead, Source):
    """With the channels and heads that sources which wrap another ask for."""


PROPOSED = same([[1, 1, 3, 3], [0, 0, 5, 6]])


@pytest.mark.parametrize(
    "make",
    (
        lambda source: ObjectCrops(source, size=9, **PLAIN),
        lambda source: ProposalCrops(source, PROPOSED, size=9, **PLAIN),
        lambda source: RegionExamples(source, PROPOSED, min_area=1),
        lambda source: SegmentExamples(
            source, lambda _: from_masks(np.ones((1, 5, 6), bool)), PIXELS, min_area=1
        ),
        lambda source: CueSource(source, "shape"),
        *(
            lambda source, kind=kind: WeakLabels(source, kind)
            for kind in ("image_labels", "crop_labels", "boxes")
        ),
    ),
    ids=[
        "objects",
        "proposals",
        "regions",
        "segments",
        "cue",
        "image_labels",
        "crops",
        "boxes",
    ],
)
def test_no_source_writes_into_what_another_keeps(make):
    source = CachedSource(frozen(OfPets(pets())), 1 << 20)
    batches = loader.train_batches(make(source), batch_size=2, seed=1, num_classes=3)
    for _ in range(2):
        next(batches)
    batches.close()
