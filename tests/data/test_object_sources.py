"""Crops of both stages as sources: sizes, order, kept indices, the pipeline."""

import pickle

import numpy as np
import pytest

from fcn_jax.data import fingerprints, loader
from fcn_jax.data.crops import ObjectCrops, ProposalCrops
from fcn_jax.data.sources import drawing
from fcn_jax.data.sources.voc_folder import VocFolder
from fcn_jax.storage import files
from tests.support import folders
from tests.support.object_sources import PLAIN, Source, pets, same


@pytest.mark.parametrize("kind", (ObjectCrops, ProposalCrops))
class TestSource:
    """What every source of `fcn_jax.data` must be."""

    def crops(self, kind, **options):
        proposed = () if kind is ObjectCrops else (same([[1, 1, 3, 3], [1, 3, 3, 5]]),)
        source = Source(pets("a"), pets("b"))
        return kind(source, *proposed, **{"min_area": 4, **options})

    def test_what_it_says_of_itself(self, kind):
        crops = self.crops(kind)
        word = "objects" if kind is ObjectCrops else "proposals"
        assert (crops.name, crops.split) == (f"tiny ({word})", "train")
        assert (crops.classes, crops.ignore_label) == (Source.classes, 255)
        np.testing.assert_array_equal(crops.palette, Source.palette)
        assert len(crops) == 4
        assert [crops[i]["id"][0] for i in range(4)] == ["a", "a", "b", "b"]

    def test_all_examples_have_one_size(self, kind):
        crops = self.crops(kind)
        assert crops[3]["image"].shape == (250, 250, 3)
        assert crops[3]["labels"].shape == (250, 250)
        np.testing.assert_array_equal(crops.image_sizes(), np.full((4, 2), 250))
        assert crops.image_sizes().dtype == np.int32
        small = self.crops(kind, size=7)
        assert small[0]["labels"].shape == tuple(small.image_sizes()[0]) == (7, 7)

    def test_it_is_the_same_every_time(self, kind):
        one, other = self.crops(kind), self.crops(kind)
        np.testing.assert_array_equal(one.index, other.index)
        for place in range(4):
            for name in ("image", "labels"):
                np.testing.assert_array_equal(one[place][name], other[place][name])

    @pytest.mark.parametrize("place", (-1, 4))
    def test_an_index_lies_in_it(self, kind, place):
        with pytest.raises(IndexError, match=f"no example {place}; there are 4, from"):
            self.crops(kind)[place]

    def test_the_index_is_made_once(self, kind, tmp_path, caplog):
        named = {} if kind is ObjectCrops else {"boxes_name": "these"}
        options = {"cache_dir": tmp_path, **named}
        first = self.crops(kind, **options)
        again = self.crops(kind, **options)
        # Reads three at most to tell the source, not to look for objects.
        assert caplog.text.count("looking for the") == 1
        np.testing.assert_array_equal(first.index, again.index)
        # What does not change the index finds it too.
        self.crops(kind, **options, size=9, extension=2.0, balance=3)
        assert len(list(tmp_path.iterdir())) == 1
        self.crops(kind, **options, tolerance=0.2)
        assert len(list(tmp_path.iterdir())) == 2
        self.crops(kind, **{**options, "min_area": 3})
        assert len(list(tmp_path.iterdir())) == 3

    def test_another_source_has_another_index(self, kind, tmp_path):
        proposed = () if kind is ObjectCrops else (same([[1, 1, 3, 3]]),)
        named = {} if kind is ObjectCrops else {"boxes_name": "these"}
        options = {"min_area": 4, "cache_dir": tmp_path, **named}
        one = kind(Source(pets("a")), *proposed, **options)
        changed = pets("a")
        changed["labels"][1:3, 1:3] = 2
        other = kind(Source(changed), *proposed, **options)
        assert one.index[0, 2] == 1
        assert other.index[0, 2] == 2

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"size": 0}, "size=0, balance=10: crops have at least a pixel"),
            ({"balance": 0}, "size=250, balance=0: crops .* at least once"),
            ({"extension": 0.5}, "extension=0.5 shrinks boxes"),
            ({"min_area": 9}, "no (objects|proposals) found in 2 images; lower min_"),
        ],
    )
    def test_wrong_parameters(self, kind, options, message):
        with pytest.raises(ValueError, match=message):
            self.crops(kind, **options)

    def test_the_pipeline_crops_and_flips(self, kind):
        crops = self.crops(kind)
        batches = loader.train_batches(
            crops,
            batch_size=3,
            seed=0,
            num_classes=3,
            augmentation=loader.Augmentation(crop=(224, 224), flip=True),
        )
        batch = next(batches)
        batches.close()
        assert batch["image"].shape == (3, 224, 224, 3)
        assert batch["labels"].shape == (3, 224, 224)
        assert (batch["sizes"] == 224).all()
        # Whole pixels of the example, perhaps mirrored; nothing is resized again.
        whole, part = crops[int(batch["index"][0])]["image"], batch["image"][0]
        windows = np.lib.stride_tricks.sliding_window_view(whole, (224, 224), (0, 1))
        found = [
            (windows == np.moveaxis(view, -1, 0)).all(axis=(2, 3, 4)).sum()
            for view in (part, part[:, ::-1])
        ]
        assert sum(found) == 1


def test_other_proposals_have_another_index(tmp_path):
    for name, box in (("one", [1, 1, 3, 3]), ("other", [1, 3, 3, 5])):
        crops = ProposalCrops(
            Source(pets()), same([box]), **PLAIN, cache_dir=tmp_path, boxes_name=name
        )
        assert crops.index[0, 3:].tolist() == box


@pytest.mark.parametrize("what", ("SegmentationClass", "SegmentationObject"))
def test_masks_that_were_edited_have_another_index(what, tmp_path):
    """The second of five: none of those that tell sources in memory apart."""
    root = folders.write(tmp_path / "data", "abcde", "ground\ncar\ntree\n")
    mask = np.zeros(folders.SIZE, np.uint8)
    mask[2:8, 2:8] = 1
    for name in "abcde":
        for folder in ("SegmentationClass", "SegmentationObject"):
            folders.save(root / folder / f"{name}.png", mask)

    def index():
        source = VocFolder(root, "train")
        found = ObjectCrops(source, **PLAIN, cache_dir=tmp_path / "kept")
        return found.index.tolist(), found.fingerprint()

    before, data = index()
    assert index() == (before, data)
    edited = mask * 2 if what == "SegmentationClass" else mask.copy()
    if what == "SegmentationObject":
        edited[4:] = 0
    folders.save(root / what / "b.png", edited)
    after, changed = index()
    assert before[1] == [1, 1, 1, 2, 2, 8, 8]
    second = {
        "SegmentationClass": [2, 2, 2, 8, 8],
        "SegmentationObject": [1, 2, 2, 4, 8],
    }
    assert after == [before[0], [1, 1, *second[what]], *before[2:]]
    names = {"SegmentationClass": "masks", "SegmentationObject": "objects"}
    assert fingerprints.differing(changed, data) == [names[what]]


def test_a_kept_index_is_read_where_nothing_can_be_written(tmp_path, monkeypatch):
    source = VocFolder(folders.write(tmp_path / "data"), "train")
    options = {**PLAIN, "cache_dir": tmp_path / "kept"}
    first = ObjectCrops(source, **options)

    def refuse(path, *rest):
        raise OSError(f"{path} is read-only")

    monkeypatch.setattr(files, "write_whole", refuse)
    monkeypatch.setattr(files, "write_text", refuse)
    np.testing.assert_array_equal(ObjectCrops(source, **options).index, first.index)


def test_a_kept_index_needs_a_name_for_its_proposals(tmp_path):
    with pytest.raises(ValueError, match="cache_dir='.*' without boxes_name: an index"):
        ProposalCrops(Source(pets()), same([[1, 1, 2, 3]]), cache_dir=tmp_path)


class Shapes(Source):
    """Scenes of the built-in data set."""

    classes = drawing.CLASSES

    def __init__(self, count):
        drawn = (drawing.draw(np.random.default_rng(seed)) for seed in range(count))
        super().__init__(
            *(
                {
                    "image": d.image,
                    "labels": d.labels,
                    "objects": d.objects,
                    "id": str(n),
                }
                for n, d in enumerate(drawn)
            )
        )


def test_objects_of_the_built_in_shapes():
    source = Shapes(12)
    crops = ObjectCrops(source, balance=1)
    for place, (number, thing, label, *box) in enumerate(crops.index.tolist()):
        rows, columns = np.nonzero(source[number]["objects"] == thing)
        assert box == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        labels = crops[place]["labels"]
        assert set(np.unique(labels)) <= {0, label, 255}
        # The box moved out by a tenth of its sides, and was stretched to 250.
        sides = np.array([box[2] - box[0], box[3] - box[1]])
        growth = (sides + 5) // 10
        stretch = 250 / (sides + 2 * growth)
        seen = np.argwhere(labels == label)
        np.testing.assert_allclose(seen.min(0), growth * stretch, atol=1)
        np.testing.assert_allclose(seen.max(0), (growth + sides) * stretch, atol=2)
    areas = [
        np.count_nonzero(i["objects"] == n) for i in source.items for n in range(1, 6)
    ]
    assert len(crops) == sum(area >= 100 for area in areas)


def test_crops_can_be_sent_to_a_process():
    crops = pickle.loads(pickle.dumps(ObjectCrops(Shapes(2))))
    assert crops[0]["labels"].shape == (250, 250)
