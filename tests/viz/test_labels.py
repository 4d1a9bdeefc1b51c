import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import fcn_jax
from fcn_jax import viz
from fcn_jax.data.label_sets import voc_palette
from fcn_jax.viz import labels as drawing

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
LABELS = np.array([[0, 1, 1, 2, 2, 2, 255, 255]] * 6, np.uint8)


@pytest.mark.parametrize("dtype", (np.uint8, np.int8, np.uint16, np.int32, np.int64))
def test_colours_of_voc(dtype):
    colours = viz.decode_labels(np.array([0, 1, 15, 20], dtype))
    assert colours.dtype == np.uint8
    expected = [(0, 0, 0), (128, 0, 0), (192, 128, 128), (0, 64, 128)]
    np.testing.assert_array_equal(colours, expected)


@pytest.mark.parametrize("shape", ((), (3,), (2, 3), (1, 2, 3), (0, 4)))
def test_labels_of_any_shape_numpy_or_jax(shape):
    for labels in (np.full(shape, 255, np.uint8), jnp.full(shape, 255, jnp.int32)):
        colours = fcn_jax.decode_labels(labels)
        assert isinstance(colours, np.ndarray)
        np.testing.assert_array_equal(colours, np.full((*shape, 3), (224, 224, 192)))


@pytest.mark.parametrize("ignore_label", (255, -1, 2))
def test_void_has_a_colour_in_a_short_palette(ignore_label):
    palette = np.array([[9, 9, 9], [1, 2, 3]], np.uint8)
    labels = np.array([1, ignore_label])
    colours = viz.decode_labels(labels, palette, ignore_label)
    np.testing.assert_array_equal(colours, [(1, 2, 3), (224, 224, 192)])


def test_void_has_its_own_colour_where_the_palette_lists_it():
    palette = np.array([[9, 9, 9], [1, 2, 3]], np.uint8)
    colours = viz.decode_labels(np.array([0, 1]), palette, ignore_label=0)
    np.testing.assert_array_equal(colours, palette)


def test_decoding_leaves_labels_and_palette_alone():
    labels, palette = LABELS.copy(), voc_palette()[:3]
    before = palette.copy()
    viz.decode_labels(labels, palette)
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_array_equal(palette, before)


@pytest.mark.parametrize("bad", (-1, 3, 254, 256, 100_000))
def test_a_label_without_a_colour_is_named(bad):
    with pytest.raises(ValueError, match=f"label {bad} has no colour; .* 0 to 2, and"):
        viz.decode_labels(np.array([[0, bad, 255]]), voc_palette()[:3])


def test_decode_errors():
    with pytest.raises(TypeError, match=r"labels are float32; .* argmax of logits"):
        viz.decode_labels(np.zeros((2, 2), np.float32))
    with pytest.raises(
        ValueError, match=r"a palette of shape \(256,\); expected \[L, 3"
    ):
        viz.decode_labels(LABELS, np.zeros(256, np.uint8))


def test_overlay_mixes_borders_and_hatches():
    image = np.full((12, 12, 3), 100, np.uint8)
    labels = np.zeros((12, 12), int)
    labels[:6] = 1
    labels[:, 8:] = 255
    ours = viz.overlay(image, labels, alpha=0.5)
    np.testing.assert_array_equal(ours[8, 2], image[8, 2])  # Black lets it through.
    np.testing.assert_array_equal(ours[2, 2], [114, 50, 50])  # Half (128, 0, 0).
    np.testing.assert_array_equal(ours[5, 2], [121, 25, 25])  # Three quarters.
    void = ours[:, 8:].reshape(-1, 3)
    hatched = (void == [162, 162, 146]).all(axis=1)  # Half of (224, 224, 192).
    plain = (void == 100).all(axis=1)
    assert (hatched | plain).all()
    assert 0 < hatched.sum() < plain.sum()


def test_overlay_at_the_ends():
    colours = viz.decode_labels(LABELS)
    np.testing.assert_array_equal(viz.overlay(IMAGE, LABELS, alpha=0.0), IMAGE)
    full = viz.overlay(IMAGE, LABELS, alpha=1.0)
    np.testing.assert_array_equal(full[:, 1:6], colours[:, 1:6])


def test_overlay_errors():
    with pytest.raises(
        ValueError, match=r"overlay: image \(6, 8, 3\) and labels \(5, 8\) do not fit"
    ):
        viz.overlay(IMAGE, LABELS[:5])
    with pytest.raises(ValueError, match=r"alpha=55 is not in \[0, 1\]"):
        viz.overlay(IMAGE, LABELS, alpha=55)


def test_errors_are_right_wrong_or_void():
    labels, pred = np.array([[1, 1, 255]]), np.array([[1, 0, 0]])
    right, wrong, void = viz.error_map(labels, pred)[0]
    assert right.min() > 200  # Light.
    assert wrong[0] > 2 * wrong[1:].max()  # Red.
    assert void[2] > void[0]  # Bluish.
    with pytest.raises(
        ValueError, match=r"labels \(1, 3\) and prediction \(1, 2\) diff"
    ):
        viz.error_map(labels, pred[:, :2])


def test_a_row_is_image_truth_prediction_errors():
    pred = np.where(LABELS == 255, 1, LABELS)
    row = viz.prediction_row(IMAGE, jnp.asarray(LABELS), pred)
    assert row.shape == (6, 32, 3)
    np.testing.assert_array_equal(row[:, :8], IMAGE)
    np.testing.assert_array_equal(row[:, 8:16], viz.decode_labels(LABELS))
    np.testing.assert_array_equal(row[:, 16:24], viz.decode_labels(pred))
    np.testing.assert_array_equal(row[:, 24:], viz.error_map(LABELS, pred))
    with pytest.raises(ValueError, match=r"prediction_row: image \(6, 8\) and labels"):
        viz.prediction_row(IMAGE[..., 0], LABELS, pred)


def test_a_row_and_a_sheet_of_two_predictions():
    before, after = np.zeros_like(LABELS), np.where(LABELS == 255, 1, LABELS)
    row = viz.prediction_row(IMAGE, LABELS, before, after)
    assert row.shape == (6, 40, 3)
    np.testing.assert_array_equal(row[:, 16:24], viz.decode_labels(before))
    np.testing.assert_array_equal(row[:, 32:], viz.error_map(LABELS, after))
    names = ("background", "a", "b")
    both = ("name", IMAGE, LABELS, before, after)
    wide = viz.contact_sheet([both], names, titles=("before", "after"))
    usual = viz.contact_sheet([both[:4]], names)
    assert wide.shape[1] > 1.2 * usual.shape[1]


def test_a_sheet_holds_every_picture_and_a_legend():
    pred = np.where(LABELS == 255, 1, LABELS)
    large = RNG.integers(0, 256, (40, 200, 3), dtype=np.uint8)
    labels = np.zeros((40, 200), np.uint8)
    rows = [("first", IMAGE, LABELS, pred), ("second", large, labels, labels)]
    sheet = viz.contact_sheet(rows, ("background", "a", "b"))
    colours = viz.decode_labels(np.arange(3))
    entries = list(zip(("background", "a", "b"), colours, strict=True))
    void = ("void", viz.decode_labels(np.array([255]))[0])
    if any((row[2] == 255).any() for row in rows):
        entries.append(void)
    legend = np.asarray(drawing._legend(entries, sheet.shape[1]))
    np.testing.assert_array_equal(sheet[-len(legend) :], legend)
    assert sheet.dtype == np.uint8
    windows = np.lib.stride_tricks.sliding_window_view
    for picture in (IMAGE, large):
        h, w = picture.shape[:2]
        assert (windows(sheet[..., 0], (h, w)) == picture[..., 0]).all((2, 3)).any()
    legend = sheet[-30:].reshape(-1, 3)  # Colours of the three classes, and of void.
    for label in (0, 1, 2, 255):
        assert (legend == voc_palette()[label]).all(axis=1).sum() > 100


def test_small_images_are_enlarged_for_their_titles():
    row = ("a name that is rather too long for it", IMAGE, LABELS, LABELS)
    sheet = viz.contact_sheet([row], ("background", "a", "b"))
    large = IMAGE.repeat(22, axis=0).repeat(22, axis=1)  # 8 pixels -> 176.
    top, left = drawing._TITLE, drawing._MARGIN
    np.testing.assert_array_equal(sheet[top : top + 132, left : left + 176], large)


def test_a_legend_takes_the_lines_it_needs():
    row = ("name", IMAGE, LABELS, LABELS)
    one = viz.contact_sheet([row], ("background", "a", "b"))
    many = viz.contact_sheet([row], [f"class number {n}" for n in range(40)])
    assert many.shape[1] == one.shape[1]
    assert many.shape[0] > one.shape[0] + 60


def test_an_empty_sheet_is_refused():
    with pytest.raises(ValueError, match="no rows; give at least one image"):
        viz.contact_sheet([], ("a",))


@pytest.mark.parametrize("dtype", (np.uint8, np.int32, np.int64))
def test_label_files_hold_the_labels_and_the_palette(tmp_path, dtype):
    path = tmp_path / "deeper" / "x.png"
    viz.save_label_png(path, LABELS.astype(dtype))
    with Image.open(path) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), LABELS)
        colours = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(colours, viz.decode_labels(LABELS))
    assert [file.name for file in path.parent.iterdir()] == ["x.png"]


def test_label_file_errors(tmp_path):
    path = tmp_path / "x.png"
    with pytest.raises(
        ValueError, match="labels from -1 to 300 do not fit into 8 bits"
    ):
        viz.save_label_png(path, np.array([[-1, 300]]))
    with pytest.raises(TypeError, match="save_label_png: labels are float64; expected"):
        viz.save_label_png(path, np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"labels of shape \(1, 2, 2\); .* one image"):
        viz.save_label_png(path, np.zeros((1, 2, 2), int))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    viz.save_image(path, IMAGE)
    before = path.read_bytes()

    def fail(self, file, *_):
        file.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="no space left"):
        viz.save_image(path, IMAGE)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_pictures_come_back_as_they_were(tmp_path):
    viz.save_image(tmp_path / "x.png", IMAGE)
    with Image.open(tmp_path / "x.png") as image:
        np.testing.assert_array_equal(np.asarray(image), IMAGE)
    viz.save_image(tmp_path / "x.jpg", IMAGE)
    with Image.open(tmp_path / "x.jpg") as image:
        assert image.format == "JPEG"


def test_names_beyond_ascii_are_no_boxes():
    """Accents, Cyrillic and Greek are in the font, each with a shape of its own."""
    shapes = {
        bytes(drawing._font().getmask(letter))
        for letter in ("é", "ê", "ж", "λ", "\uffff")
    }
    assert len(shapes) == 5


def test_names_that_the_font_lacks_are_numbers():
    """Japanese: a box for each letter would tell nothing."""
    named = [drawing._named(n, name) for n, name in enumerate(("道路", "車 car", "é"))]
    assert named == ["0", "1 car", "é"]
    colours = viz.decode_labels(np.arange(2))
    legends = [
        drawing._legend(list(zip(names, colours, strict=True)), 300)
        for names in (("道路", "a"), ("0", "a"), ("1", "a"))
    ]
    assert legends[0].tobytes() == legends[1].tobytes() != legends[2].tobytes()
    sheets = [
        viz.contact_sheet([(name, IMAGE, LABELS, LABELS)], ("a", "b", "c"))
        for name in ("図1", "·1", "1")
    ]
    np.testing.assert_array_equal(sheets[0], sheets[1])
    assert not np.array_equal(sheets[0], sheets[2])
