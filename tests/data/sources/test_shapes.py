"""Generated shapes: repeatable, consistent, and not to be told by colour."""

import io

import numpy as np
import pytest
import scipy.optimize
from PIL import Image

import fcn_jax.data
from fcn_jax.data.sources import drawing, shapes


def draw(seed, by=drawing.draw):
    return by(np.random.default_rng(seed))


@pytest.fixture(scope="module")
def drawings():
    return [draw([1, number]) for number in range(90)]


@pytest.fixture(scope="module")
def any_size():
    return [draw([1, number], drawing.draw_any_size) for number in range(90)]


@pytest.fixture(params=("drawings", "any_size"))
def both(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Ten examples, prepared once."""
    folder = tmp_path_factory.mktemp("tfds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "SIZES", {"train": 6, "val": 4})
        shapes.open_shapes("train", str(folder))
    return str(folder)


@pytest.mark.parametrize("by", (drawing.draw, drawing.draw_any_size))
def test_the_same_seed_draws_the_same_bytes(by):
    for seed in range(3):
        one, other = draw(seed, by), draw(seed, by)
        assert one.image.tobytes() == other.image.tobytes()
        assert one.labels.tobytes() == other.labels.tobytes()
        assert one.objects.tobytes() == other.objects.tobytes()


def test_drawings_differ(drawings):
    assert len({drawn.image.tobytes() for drawn in drawings}) == len(drawings)
    assert len({drawn.labels.shape for drawn in drawings}) > 20


def test_sizes_types_and_labels_are_in_range(both):
    for drawn in both:
        height, width = drawn.labels.shape
        assert 80 <= height <= 112
        assert 96 <= width <= 144
        assert drawn.image.shape == (height, width, 3)
        assert (
            drawn.image.dtype == drawn.labels.dtype == drawn.objects.dtype == np.uint8
        )
        assert set(np.unique(drawn.labels)) <= {*range(7), 255}


def test_all_classes_occur(both):
    count = sum(np.bincount(drawn.labels.ravel(), minlength=256) for drawn in both)
    share = count / count.sum()
    assert (share[:7] > 0.005).all()
    assert share[0] < 0.85
    assert 0.005 < share[255] < 0.15


def test_objects_agree_with_labels(both):
    for drawn in both:
        void = drawn.labels == 255
        np.testing.assert_array_equal(drawn.objects == 255, void)
        np.testing.assert_array_equal(drawn.objects == 0, drawn.labels == 0)
        for number in set(np.unique(drawn.objects)) - {255}:
            assert len(np.unique(drawn.labels[drawn.objects == number])) == 1


def test_void_lies_wherever_two_things_meet(both):
    for drawn in both:
        for things in (drawn.objects, drawn.objects.T):
            one, other = things[:-1], things[1:]
            assert ((one == other) | (one == 255) | (other == 255)).all()


@pytest.mark.parametrize(
    ("label", "area"),  # Of the plane, by hand; the circumcircle has 3.14.
    [
        ("disc", np.pi * 0.95**2),
        ("square", (2 * 0.78) ** 2),
        ("triangle", 3 * np.sqrt(3) / 4),
        ("star", 5 * 0.42 * np.sin(np.pi / 5)),
        ("ring", np.pi * (1 - 0.55**2)),
        ("cross", 4 * 0.56 * 0.95 - 0.56**2),
    ],
)
def test_shapes_have_their_area(label, area):
    axis = np.linspace(-1.1, 1.1, 441)
    inside = drawing.covers(drawing.CLASSES.index(label), *np.meshgrid(axis, axis))
    # The outline is shorter than 12, and each of its cells (0.005) is half wrong.
    np.testing.assert_allclose(inside.sum() * 0.005**2, area, atol=0.03)


def test_the_background_has_no_form():
    with pytest.raises(AssertionError, match="no shape is drawn for background"):
        drawing.covers(0, np.zeros(1), np.zeros(1))


def pixels(drawings, count):
    rng = np.random.default_rng(0)
    colours = np.concatenate([drawn.image.reshape(-1, 3) for drawn in drawings])
    labels = np.concatenate([drawn.labels.ravel() for drawn in drawings])
    chosen = rng.choice(np.flatnonzero(labels != 255), count, replace=False)
    rgb = colours[chosen] / 127.5 - 1
    squares = [rgb[:, i] * rgb[:, j] for i in range(3) for j in range(i, 3)]
    return np.column_stack([np.ones(count), rgb, *squares]), labels[chosen].astype(int)


def fit_logistic(features, labels, sample_weights):
    """Multinomial logistic regression, slightly regularised."""
    classes, width = 7, features.shape[1]
    rows = np.arange(len(labels))
    share = sample_weights / sample_weights.sum()

    def loss(flat):
        weights = flat.reshape(width, classes)
        scores = features @ weights
        scores -= scores.max(axis=1, keepdims=True)
        log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        error = np.exp(log_p)
        error[rows, labels] -= 1
        gradient = features.T @ (error * share[:, None]) + 1e-5 * weights
        value = -(share * log_p[rows, labels]).sum() + 5e-6 * (flat**2).sum()
        return value, gradient.ravel()

    start = np.zeros(width * classes)
    done = scipy.optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 80}
    )
    return done.x.reshape(width, classes)


def mean_iu(labels, predicted):
    counts = np.bincount(7 * labels + predicted, minlength=49).reshape(7, 7)
    right = counts.diagonal()
    return float(np.mean(right / (counts.sum(0) + counts.sum(1) - right)))


@pytest.mark.long
def test_colour_does_not_tell_the_class(drawings):
    features, labels = pixels(drawings[:60], 20_000)
    held_out, truth = pixels(drawings[60:], 20_000)
    balanced = 1 / np.bincount(labels, minlength=7)[labels]
    scores = []
    for weights in (np.ones(len(labels)), balanced):
        fitted = fit_logistic(features, labels, weights)
        scores.append(mean_iu(truth, np.argmax(held_out @ fitted, axis=1)))
    assert max(scores) < 0.5, scores
    assert max(scores) > 0.1  # It did learn: background alone scores less.


def test_examples_are_pngs_of_the_drawing():
    (key, example), *_ = shapes.examples("val", count=2)
    assert key == example["id"] == "val_00000"
    labels = np.array(Image.open(io.BytesIO(example["labels"])))
    assert labels.shape == (example["height"], example["width"])
    drawn = draw([2015, 1, 0])
    np.testing.assert_array_equal(labels, drawn.labels)
    np.testing.assert_array_equal(Image.open(io.BytesIO(example["image"])), drawn.image)
    train = dict(shapes.examples("train", count=1))
    assert train["train_00000"]["image"] != example["image"]
    assert len(list(shapes.examples("val", count=2))) == 2


def test_splits_as_they_are_prepared(data_dir):
    for split, count in (("train", 6), ("val", 4)):
        source = shapes.open_shapes(split, data_dir)
        assert len(source) == count
        assert (source.classes, source.ignore_label) == (drawing.CLASSES, 255)
        items = [source[index] for index in range(count)]
        assert {item["id"] for item in items} == {
            f"{split}_{number:05}" for number in range(count)
        }
        sizes = source.image_sizes()
        assert sizes.dtype == np.int32
        for item, size in zip(items, sizes, strict=True):
            number = int(item["id"].rpartition("_")[2])
            drawn = draw([2015, ("train", "val").index(split), number])
            assert item["labels"].shape == tuple(size)
            for name in ("image", "labels", "objects"):
                assert item[name].dtype == np.uint8
                np.testing.assert_array_equal(item[name], getattr(drawn, name))


def test_open_source_opens_them(data_dir, tmp_path, monkeypatch):
    source = fcn_jax.data.open_source("shapes", "val", data_dir=data_dir)
    assert len(source) == 4
    monkeypatch.setattr(shapes, "SIZES", {"train": 1, "val": 2})
    source = fcn_jax.data.open_source("shapes_any_size", "val", data_dir=str(tmp_path))
    assert (len(source), source.classes) == (2, drawing.CLASSES)
    for item in (source[0], source[1]):
        number = int(item["id"].rpartition("_")[2])
        drawn = draw([2015, 1, number], drawing.draw_any_size)
        for name in ("image", "labels", "objects"):
            np.testing.assert_array_equal(item[name], getattr(drawn, name))


def test_boxes_take_every_share_of_the_image():
    """They lie inside, at most 1.25 times as wide, or as high, as the image's form."""
    rng, scales = np.random.default_rng(0), []
    for share in np.geomspace(0.02, 0.9, 200):
        place = drawing._framed(rng, (90, 120, 3), share)
        down, across = place.radii
        np.testing.assert_allclose(4 * down * across, share * 90 * 120)
        assert down - 1e-9 <= place.row <= 90 - down + 1e-9
        assert across - 1e-9 <= place.column <= 120 - across + 1e-9
        assert 1 / 1.5626 < (across / 120) / (down / 90) < 1.5626
        scales.append(place.scale)
    # Textures grow with the radius, 21 pixels for those of `draw`, but for the finest.
    np.testing.assert_allclose(scales[-1], np.sqrt(0.9 * 45 * 60) / 21)
    assert scales[0] == 0.4


def test_larger_things_are_behind(monkeypatch):
    monkeypatch.setattr(drawing, "_ANY_SIZE_OBJECTS", (4, 4))
    found = []
    monkeypatch.setattr(
        drawing, "_paint", lambda *args: found.append(np.prod(args[-1].radii))
    )
    for number in range(5):
        draw([3, number], drawing.draw_any_size)
    assert len(found) == 20
    assert all(np.all(np.diff(found[i : i + 4]) < 0) for i in range(0, 20, 4))


@pytest.mark.parametrize("kind", ("stripes", "checks", "dots", "clouds", "speckles"))
def test_textures_grow(kind):
    """Twice as coarse, it is the pattern of every second pixel of the plain one."""

    def surface(shape, scale):
        rng = np.random.default_rng(4)
        return drawing._surface(rng, shape, np.zeros(3), kind, scale)

    if kind == "speckles":  # Drawn pixel by pixel.
        coarse = surface((40, 40), 2)
        np.testing.assert_array_equal(coarse[::2, ::2], coarse[1::2, 1::2])
        assert (coarse[2:, ::2] != coarse[:-2, ::2]).mean() > 0.3
        return
    np.testing.assert_allclose(
        surface((40, 40), 2)[::2, ::2], surface((20, 20), 1), atol=1e-3
    )


def test_an_unknown_split_is_named(data_dir):
    with pytest.raises(ValueError, match="shapes.* has no split 'test' .*train, val"):
        shapes.open_shapes("test", data_dir)


def test_what_is_drawn_stays_what_it_is(drawings):
    """Results over the years are of the same pictures; recorded with numpy 2.4."""
    first = drawings[0]
    assert first.image.shape == (95, 121, 3)
    found = first.image[10::30, 10::40, 0].astype(int)
    expected = [[198, 190, 183], [186, 50, 176], [180, 66, 180]]
    np.testing.assert_allclose(found, expected, atol=1)
    labels, counts = np.unique(first.labels, return_counts=True)
    assert labels.tolist() == [0, 1, 3, 5, 6, 255]
    np.testing.assert_allclose(counts, [5883, 2122, 638, 499, 1818, 535], atol=3)


def test_what_is_drawn_of_any_size_stays_what_it_is(any_size):
    """As above; here the first drawing, and sums over every eighth pixel of twelve."""
    found = any_size[0].image[10::30, 10::40, 0].astype(int)
    expected = [[192, 193, 186], [187, 206, 166], [173, 177, 177]]
    np.testing.assert_allclose(found, expected, atol=1)
    labels, counts = np.unique(any_size[0].labels, return_counts=True)
    assert labels.tolist() == [0, 1, 2, 4, 5, 255]
    np.testing.assert_allclose(counts, [8473, 849, 384, 867, 345, 577], atol=3)
    sums = [int(each.image[::8, ::8].sum(dtype=int)) for each in any_size[:12]]
    expected = [103552, 75888, 71598, 34550, 101907, 103459]
    expected += [99230, 84789, 92259, 68329, 47676, 69140]
    np.testing.assert_allclose(sums, expected, atol=20)


def test_every_texture_stays_what_it_is(drawings):
    """Sums over every eighth pixel of twelve drawings, in which all textures occur."""
    found = [int(each.image[::8, ::8].sum(dtype=int)) for each in drawings[:12]]
    expected = [
        94936,
        73916,
        70863,
        37537,
        90285,
        105057,
        94809,
        89073,
        89990,
        67650,
        48740,
        61051,
    ]
    np.testing.assert_allclose(found, expected, atol=20)


def test_bright_pixels_do_not_turn_dark(monkeypatch):
    """With so much noise half of the values are beyond white, half below black."""
    monkeypatch.setattr(drawing, "_NOISE", 1e5)
    image = draw([2, 0]).image
    assert 0.4 < (image == 255).mean() < 0.6
    assert 0.4 < (image == 0).mean() < 0.6
