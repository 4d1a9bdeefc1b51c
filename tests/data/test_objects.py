"""The two stages' examples by hand, on tiny images."""

import pickle

import numpy as np
import pytest

from fcn_jax.data import drawing, label_sets, loader, objects
from fcn_jax.data.objects import ObjectCrops, ProposalCrops


class Source:
    """Given images, in memory."""

    name, split, ignore_label = "tiny", "train", 255
    classes = ("background", "cat", "dog")
    palette = label_sets.VOC.palette

    def __init__(self, *items):
        self.items = items
        self.reads = 0

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        self.reads += 1
        return self.items[index]

    def image_sizes(self):
        return np.array([item["labels"].shape for item in self.items], np.int32)


def item(labels, things=None, name="im0"):
    labels = np.array(labels, np.uint8)
    image = np.arange(1, labels.size + 1, dtype=np.uint8).reshape(labels.shape)
    made = {"image": image[..., None].repeat(3, 2), "labels": labels, "id": name}
    return made if things is None else {**made, "objects": np.array(things, np.uint8)}


# Two cats side by side, a dog below them, void between it and the first.
LABELS = [
    [0, 0, 0, 0, 0, 0],
    [0, 1, 1, 1, 1, 0],
    [0, 1, 1, 1, 1, 0],
    [0, 255, 255, 0, 0, 0],
    [0, 2, 2, 2, 0, 0],
]
OBJECTS = [
    [0, 0, 0, 0, 0, 0],
    [0, 1, 1, 2, 2, 0],
    [0, 1, 1, 2, 2, 0],
    [0, 255, 255, 0, 0, 0],
    [0, 7, 7, 7, 0, 0],
]


def pets(name="im0"):
    return item(LABELS, OBJECTS, name)


def same(boxes):
    """The same proposals for every image."""
    return lambda item: np.array(boxes, np.int32).reshape(-1, 4)


# Examples are resized; these sizes leave a crop of 4x4, or 3x5, as it is.
PLAIN = {"extension": 1.0, "min_area": 1, "balance": 1}


def test_objects_of_a_mask():
    found = objects.find_objects(pets(), Source.classes, "im", min_area=1)
    np.testing.assert_array_equal(
        found, [[1, 1, 1, 1, 3, 3], [2, 1, 1, 3, 3, 5], [7, 2, 4, 1, 5, 4]]
    )
    assert found.dtype == np.int32


def test_objects_without_a_mask_are_connected_parts():
    """The cats touch and are one; corners connect; class by class."""
    labels = [[2, 0, 0, 1, 1], [0, 2, 0, 0, 1], [255, 0, 0, 0, 0], [1, 0, 0, 2, 0]]
    found = objects.find_objects(item(labels), Source.classes, "im", min_area=1)
    np.testing.assert_array_equal(
        found,
        [
            [1, 1, 0, 3, 2, 5],
            [2, 1, 3, 0, 4, 1],
            [3, 2, 0, 0, 2, 2],
            [4, 2, 3, 3, 4, 4],
        ],
    )
    found = objects.find_objects(item(LABELS), Source.classes, "im", min_area=1)
    np.testing.assert_array_equal(found, [[1, 1, 1, 1, 3, 5], [2, 2, 4, 1, 5, 4]])


def test_small_objects_are_passed_over():
    found = objects.find_objects(pets(), Source.classes, "im", min_area=4)
    assert found[:, 0].tolist() == [1, 2]
    empty = objects.find_objects(item([[0, 255]]), Source.classes, "im")
    assert empty.shape == (0, 6)


def test_an_object_that_is_void_is_none():
    found = objects.find_objects(
        item([[255, 255, 1]], [[3, 3, 1]]), Source.classes, "im", min_area=1
    )
    assert found[:, 0].tolist() == [1]


def test_more_than_255_parts():
    labels = np.zeros((1, 600), np.uint8)
    labels[0, ::2] = 1
    found = objects.find_objects(
        {"image": np.zeros((1, 600, 3), np.uint8), "labels": labels},
        Source.classes,
        "im",
        min_area=1,
    )
    assert (len(found), found[-1].tolist()) == (300, [300, 1, 0, 598, 1, 599])


@pytest.mark.parametrize(
    ("labels", "shares"),
    [
        ([[1, 1, 1, 2, 255]], "75% cat, 25% dog"),
        ([[0, 0, 1, 255, 255]], "67% background, 33% cat"),
        ([[0, 0, 0, 0, 0]], "100% background"),
    ],
)
def test_an_object_that_contradicts_the_classes_is_named(labels, shares):
    wrong = Source(pets(), item(labels, [[4] * 5], "im9"))
    with pytest.raises(
        ValueError,
        match=f"tiny train: im9: object 4 is {shares} in the class mask; an object is "
        "of one class other than background .*tolerance=0.1",
    ):
        ObjectCrops(wrong, min_area=1)


def test_a_few_pixels_may_contradict():
    labels, thing = [[1] * 19 + [2]], [[1] * 20]
    crops = ObjectCrops(Source(item(labels, thing)), **PLAIN, size=20)
    # What is not the object's class is background, whatever the object mask says.
    np.testing.assert_array_equal(
        np.unique(crops[0]["labels"]), np.array([0, 1], np.uint8)
    )
    with pytest.raises(ValueError, match="object 1 is 95% cat, 5% dog"):
        ObjectCrops(Source(item(labels, thing)), **PLAIN, tolerance=0.04)


def test_masks_of_other_sizes_and_labels_are_refused():
    odd = {**pets(), "objects": np.zeros((5, 7), np.uint8)}
    with pytest.raises(
        ValueError, match="im0, object mask: the image is 5x6 and its m"
    ):
        ObjectCrops(Source(odd))
    odd = {**item(LABELS), "image": np.zeros((5, 7, 3), np.uint8)}
    with pytest.raises(ValueError, match="im0: the image is 5x7 and its mask 5x6"):
        ObjectCrops(Source(odd))
    with pytest.raises(ValueError, match="im0: label 3 at row 0, column 1"):
        ObjectCrops(Source(item([[0, 3]])))


def test_stage_1_keeps_one_object_by_hand():
    """The box of the first cat is 2x2; three times as large it is 6x6, from -1 on."""
    crops = ObjectCrops(Source(pets()), extension=3.0, size=6, min_area=1, balance=1)
    assert len(crops) == 3
    example = crops[0]
    v = 255
    np.testing.assert_array_equal(
        example["labels"],
        [
            [v, v, v, v, v, v],
            [v, 0, 0, 0, 0, 0],
            [v, 0, 1, 1, 0, 0],
            [v, 0, 1, 1, 0, 0],
            [v, 0, v, v, 0, 0],
            [v, 0, 0, 0, 0, 0],
        ],
    )
    np.testing.assert_array_equal(example["image"][0], np.zeros((6, 3)))
    np.testing.assert_array_equal(example["image"][:, 0], np.zeros((6, 3)))
    np.testing.assert_array_equal(example["image"][1:, 1:], pets()["image"][:5, :5])
    assert example["id"] == "im0_1_1_3_3"
    assert example["image"].dtype == example["labels"].dtype == np.uint8


def test_connected_parts_keep_their_own_pixels():
    crops = ObjectCrops(Source(item([[1, 0, 1, 1]])), **PLAIN, size=4)
    assert [crops[i]["id"] for i in range(2)] == ["im0_0_0_1_1", "im0_0_2_1_4"]
    wide = ObjectCrops(
        Source(item([[1, 0, 1, 1]])), extension=9.0, size=9, min_area=1, balance=1
    )
    # The box of the first part, a pixel, reaches four pixels either way.
    np.testing.assert_array_equal(wide[0]["labels"][4, 4:8], [1, 0, 0, 0])


def test_stage_2_keeps_all_classes_by_hand():
    # The two cats share 4 of the box's 9 pixels each way: 4/9 with the first.
    crops = ProposalCrops(
        Source(pets()), same([[1, 1, 4, 4]]), **PLAIN, size=3, min_iou=0.4
    )
    assert len(crops) == 1
    np.testing.assert_array_equal(
        crops[0]["labels"], [[1, 1, 1], [1, 1, 1], [255, 255, 0]]
    )
    np.testing.assert_array_equal(crops[0]["image"], pets()["image"][1:4, 1:4])
    assert crops.index.tolist() == [[0, 1, 1, 1, 1, 4, 4]]


def test_stage_2_pads_with_black_and_void():
    crops = ProposalCrops(
        Source(pets()), same([[4, 1, 5, 4]]), extension=3.0, min_area=1, size=9
    )
    # One row and three columns: a row and three columns more on either side.
    labels = crops[0]["labels"][::3]
    np.testing.assert_array_equal(labels[2], [255] * 9)
    np.testing.assert_array_equal(labels[1], [255, 255, 0, 2, 2, 2, 0, 0, 255])
    np.testing.assert_array_equal(labels[0], [255, 255, 0, 255, 255, 0, 0, 0, 255])
    assert not crops[0]["image"][:, :2].any()


def test_the_overlap_decides_by_hand():
    proposed = [
        [1, 1, 3, 3],  # The first cat: 1.
        [1, 1, 3, 4],  # 4 of 6 with it.
        [1, 2, 3, 4],  # 2 of 6 with either: neither.
        [0, 1, 4, 3],  # 4 of 6.
        [0, 1, 4, 5],  # 4 of 16.
        [1, 1, 3, 5],  # 4 of 8 with either: the first; exactly one half.
        [4, 1, 5, 3],  # 2 of 3 with the dog.
    ]
    crops = ProposalCrops(Source(pets()), same(proposed), **PLAIN)
    assert crops.index[:, 1].tolist() == [1, 1, 1, 1, 7]
    assert crops.index[:, 2].tolist() == [1, 1, 1, 1, 2]
    assert crops.index[:, 3:].tolist() == [proposed[i] for i in (0, 1, 3, 5, 6)]
    strict = ProposalCrops(Source(pets()), same(proposed), **PLAIN, min_iou=0.67)
    assert strict.index[:, 3:].tolist() == proposed[:1]


def test_images_without_objects_or_proposals_give_none():
    empty = item(np.zeros((5, 6)), name="im1")

    def boxes_of(item):
        return np.zeros((0, 4), np.int32) if item["id"] == "im2" else np.array(BOX)

    source = Source(empty, pets(), pets("im2"))
    crops = ProposalCrops(source, boxes_of, **PLAIN)
    assert crops.index[:, 0].tolist() == [1]
    assert ObjectCrops(source, **PLAIN).index[:, 0].tolist() == [1] * 3 + [2] * 3


BOX = [[1, 1, 2, 3]]  # Half of the first cat.


@pytest.mark.parametrize(
    ("box", "what"),
    [
        ([0, 0, 6, 2], r"box 1, \(0, 0, 6, 2\), leaves the image"),
        ([2, 2, 2, 4], r"box 1, \(2, 2, 2, 4\), has no area"),
    ],
)
def test_wrong_proposals_are_named(box, what):
    with pytest.raises(ValueError, match=f"tiny train: im0: {what}"):
        ProposalCrops(Source(pets()), same([*BOX, box]), **PLAIN)
    # Where there is no object too.
    with pytest.raises(ValueError, match=f"tiny train: im0: {what}"):
        ProposalCrops(
            Source(item(np.zeros((5, 6)))), same([[0, 0, 1, 1], box]), **PLAIN
        )


@pytest.mark.parametrize(
    ("counts", "balance", "expected"),
    [
        ({1: 6, 2: 2}, 10, {1: 1, 2: 3}),
        ({1: 5, 2: 2}, 10, {1: 1, 2: 3}),  # 2.5 rounds up.
        ({1: 7, 2: 3}, 10, {1: 1, 2: 2}),  # 2.33 down.
        ({1: 60, 2: 2}, 10, {1: 1, 2: 10}),
        ({1: 60, 2: 2}, 1, {1: 1, 2: 1}),
        ({2: 3}, 10, {2: 1}),
    ],
)
def test_repeats_by_hand(counts, balance, expected):
    labels = np.array([c for c, n in counts.items() for _ in range(n)], np.int32)
    times = objects.repeats(labels, balance)
    np.testing.assert_array_equal(times, [expected[int(c)] for c in labels])


def test_rare_classes_are_repeated():
    crops = ObjectCrops(Source(pets()), extension=1.0, min_area=1)
    assert crops.index[:, 1].tolist() == [1, 2, 7, 7]  # Two cats, one dog.
    np.testing.assert_array_equal(crops[2]["labels"], crops[3]["labels"])
    once = ObjectCrops(Source(pets()), extension=1.0, min_area=1, balance=1)
    assert once.index[:, 1].tolist() == [1, 2, 7]


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
        assert crops.palette is Source.palette
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


def test_a_kept_index_needs_a_name_for_its_proposals(tmp_path):
    with pytest.raises(ValueError, match="cache_dir='.*' without boxes_name: an index"):
        ProposalCrops(Source(pets()), same(BOX), cache_dir=tmp_path)


@pytest.mark.parametrize("min_iou", (0, 1.1))
def test_the_overlap_is_a_fraction(min_iou):
    with pytest.raises(ValueError, match=f"min_iou={min_iou} is not in \\(0, 1\\]"):
        ProposalCrops(Source(pets()), same(BOX), min_iou=min_iou)


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
