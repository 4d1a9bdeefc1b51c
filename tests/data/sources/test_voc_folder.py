"""Folders in VOC layout, whole and broken."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import label_sets, loader
from fcn_jax.data.sources import voc_folder
from tests.support.paths import CAMVID, NO_CAMVID

SIZES = {"a": (12, 16), "b": (16, 12), "c": (10, 10)}


def save_mask(path, labels, palette=None):
    image = Image.fromarray(labels)
    if palette is not None:
        image.putpalette(palette.reshape(-1).tolist())
    image.save(path)


@pytest.fixture
def root(tmp_path):
    """Three images with grey masks of classes 0 to 2 and void."""
    rng = np.random.default_rng(0)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    for name, size in SIZES.items():
        photo = Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        photo.save(tmp_path / f"JPEGImages/{name}.jpg")
        labels = rng.integers(0, 3, size, dtype=np.uint8)
        labels[0] = 255
        save_mask(tmp_path / f"SegmentationClass/{name}.png", labels)
    write_split(tmp_path, "train", "a\nb\n\nc  1\n")
    (tmp_path / "classes.txt").write_text("ground\ncar\ntree\n")
    return tmp_path


def write_split(root, split, text):
    (root / f"ImageSets/Segmentation/{split}.txt").write_text(text)


def test_items_are_what_the_files_hold(root):
    source = voc_folder.VocFolder(root, "train")
    assert (len(source), source.ids) == (3, ("a", "b", "c"))
    assert (source.name, source.split) == ("folder", "train")
    assert source.classes == ("ground", "car", "tree")
    assert (source.mask_format, source.ignore_label) == ("grey", 255)
    for index, (name, size) in enumerate(SIZES.items()):
        item = source[index]
        assert set(item) == {"image", "labels", "id"}
        assert item["id"] == name
        assert (item["image"].dtype, item["image"].shape) == (np.uint8, (*size, 3))
        expected = np.array(Image.open(root / f"SegmentationClass/{name}.png"))
        np.testing.assert_array_equal(item["labels"], expected)
    sizes = source.image_sizes()
    assert sizes.dtype == np.int32
    np.testing.assert_array_equal(sizes, list(SIZES.values()))


def test_a_source_can_be_pickled(root):
    source = voc_folder.VocFolder(root, "train")
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy[1]["image"], source[1]["image"])


def test_sizes_are_read_once_and_cannot_be_spoilt(root):
    source = voc_folder.VocFolder(root, "train")
    source.image_sizes()[:] = 0
    (root / "JPEGImages/a.jpg").unlink()
    np.testing.assert_array_equal(source.image_sizes(), list(SIZES.values()))


def test_classes_and_palette_can_be_given(root):
    palette = np.full((256, 3), 1, np.uint8)
    palette[:3] = [[9, 9, 9], [10, 0, 0], [0, 0, 7]]
    colours = np.full((*SIZES["a"], 3), 9, np.uint8)
    colours[2:] = palette[2]
    Image.fromarray(colours).save(root / "SegmentationClass/a.png")
    source = voc_folder.VocFolder(root, "train", ("x", "y", "z"), palette)
    assert (source.classes, source.mask_format) == (("x", "y", "z"), "rgb")
    labels = source[0]["labels"]
    assert (labels[:2] == 0).all()
    assert (labels[2:] == 2).all()


def test_masks_in_the_colours_of_a_file(root):
    palette = np.zeros((256, 3), np.uint8)
    palette[:3], palette[255] = [[9, 9, 9], [10, 0, 0], [0, 0, 7]], [1, 1, 1]
    source = voc_folder.VocFolder(root, "train")
    truth = [source[index]["labels"] for index in range(3)]
    for name, labels in zip(SIZES, truth, strict=True):
        mask = Image.fromarray(palette[labels])
        mask.save(root / f"SegmentationClass/{name}.png")
    path = root / "colours.txt"
    path.write_text("ground 9 9 9\ncar 10 0 0\ntree 0 0 7\nvoid 1 1 1\n")
    for given in (path, str(path)):
        source = voc_folder.VocFolder(root, "train", palette=given)
        assert source.mask_format == "rgb"
        for index, labels in enumerate(truth):
            np.testing.assert_array_equal(source[index]["labels"], labels)
    path.write_text("ground 9 9 9\ntree 10 0 0\ncar 0 0 7\n")
    with pytest.raises(
        ValueError, match="line 2: 'tree' stands where class 1 is 'car'"
    ):
        voc_folder.VocFolder(root, "train", palette=path)


def test_ids_may_hold_spaces(root):
    write_split(root, "train", "my photo\na  1\n")
    (root / "JPEGImages/b.jpg").rename(root / "JPEGImages/my photo.jpg")
    (root / "SegmentationClass/b.png").rename(root / "SegmentationClass/my photo.png")
    assert voc_folder.VocFolder(root, "train").ids == ("my photo", "a")


def test_png_images_are_found(root):
    (root / "JPEGImages/a.jpg").unlink()
    photo = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)
    Image.fromarray(photo).save(root / "JPEGImages/a.png")
    image = voc_folder.VocFolder(root, "train")[0]["image"]
    np.testing.assert_array_equal(image, photo)


def test_without_classes_txt_they_are_those_of_voc(root):
    (root / "classes.txt").unlink()
    source = voc_folder.VocFolder(root, "train")
    assert source.classes == label_sets.VOC.classes
    assert len(source.classes) == 21


def test_the_palette_is_that_of_the_masks(root):
    palette = np.arange(256 * 3, dtype=np.uint16).astype(np.uint8).reshape(256, 3)
    for name in SIZES:
        path = root / f"SegmentationClass/{name}.png"
        save_mask(path, np.array(Image.open(path)), palette)
    source = voc_folder.VocFolder(root, "train")
    assert source.mask_format == "palette"
    np.testing.assert_array_equal(source.palette, palette)
    expected = np.array(Image.open(root / "SegmentationClass/a.png"))
    np.testing.assert_array_equal(source[0]["labels"], expected)


def test_a_short_palette_keeps_the_other_colours_of_voc(root):
    own = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.uint8)
    path = root / "SegmentationClass/a.png"
    save_mask(path, np.zeros(SIZES["a"], np.uint8), own)
    palette = voc_folder.VocFolder(root, "train").palette
    np.testing.assert_array_equal(palette[:3], own)
    np.testing.assert_array_equal(palette[255], [224, 224, 192])


def test_grey_masks_are_shown_in_the_colours_of_voc(root):
    source = voc_folder.VocFolder(root, "train")
    np.testing.assert_array_equal(source.palette, label_sets.voc_palette())


def test_masks_in_colours(root):
    for name, size in SIZES.items():
        colours = np.zeros((*size, 3), np.uint8)
        colours[0] = label_sets.voc_palette()[2]
        Image.fromarray(colours).save(root / f"SegmentationClass/{name}.png")
    source = voc_folder.VocFolder(root, "train")
    assert source.mask_format == "rgb"
    labels = source[0]["labels"]
    assert (labels[0] == 2).all()
    assert (labels[1:] == 0).all()


def test_objects_come_with_segmentation_object(root):
    (root / "SegmentationObject").mkdir()
    for name, size in SIZES.items():
        objects = np.full(size, 7, np.uint8)
        save_mask(root / f"SegmentationObject/{name}.png", objects)
    item = voc_folder.VocFolder(root, "train")[2]
    np.testing.assert_array_equal(item["objects"], np.full(SIZES["c"], 7))
    assert set(item) == {"image", "labels", "id", "objects"}
    assert ("objects" in item, len(item), "sizes" in item) == (True, 4, False)
    save_mask(root / "SegmentationObject/c.png", np.zeros((3, 4), np.uint8))
    item = voc_folder.VocFolder(root, "train")[2]
    with pytest.raises(ValueError, match="SegmentationObject.c.png: the image is 10x"):
        item["objects"]


def test_a_missing_object_mask_is_named_where_it_is_needed(root):
    (root / "SegmentationObject").mkdir()
    item = voc_folder.VocFolder(root, "train")[0]
    assert item["labels"].shape == SIZES["a"]
    with pytest.raises(
        FileNotFoundError, match="SegmentationObject.a.png does not .*connected parts"
    ):
        item["objects"]


def test_a_root_must_have_the_layout(root):
    with pytest.raises(
        FileNotFoundError, match="nowhere does not exist; set .*folder in VOC layout"
    ):
        voc_folder.VocFolder(root / "nowhere", "train")
    (root / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError, match="empty.ImageSets.Segmentation does not exist; a fold"
    ):
        voc_folder.VocFolder(root / "empty", "train")


def test_a_split_must_exist(root):
    write_split(root, "val", "a\n")
    with pytest.raises(
        FileNotFoundError, match="trian.txt does not .*'train'.* There are: train, val"
    ):
        voc_folder.VocFolder(root, "trian")
    with pytest.raises(FileNotFoundError, match="exist; There are: train, val"):
        voc_folder.VocFolder(root, "xyz")


def test_a_folder_without_lists(root):
    (root / "ImageSets/Segmentation/train.txt").unlink()
    with pytest.raises(FileNotFoundError, match="There are: no lists."):
        voc_folder.VocFolder(root, "train")


def test_a_list_must_hold_ids(root):
    write_split(root, "train", "\n  \n")
    with pytest.raises(ValueError, match="train.txt lists no image; write an id a"):
        voc_folder.VocFolder(root, "train")


def test_an_id_stands_once(root):
    write_split(root, "train", "a\nb\na\n")
    with pytest.raises(ValueError, match="train.txt lists a more than once; list each"):
        voc_folder.VocFolder(root, "train")


def test_a_missing_image_is_found_when_opened(root):
    (root / "JPEGImages/b.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="holds no image b .*train.txt lists"):
        voc_folder.VocFolder(root, "train")


def test_an_unknown_id_gets_a_suggestion(root):
    (root / "JPEGImages/b.jpg").rename(root / "JPEGImages/street_0001.jpg")
    write_split(root, "train", "a\nstreet_001\n")
    with pytest.raises(
        FileNotFoundError, match="no image street_001 .* mean 'street_0001'. Add it or"
    ):
        voc_folder.VocFolder(root, "train")


def test_a_missing_mask_is_found_when_opened(root):
    (root / "SegmentationClass/b.png").unlink()
    with pytest.raises(
        FileNotFoundError, match="b.png does not exist, but .*train.txt lists b and"
    ):
        voc_folder.VocFolder(root, "train")


def test_image_and_mask_must_be_of_one_size(root):
    save_mask(root / "SegmentationClass/b.png", np.zeros((16, 11), np.uint8))
    with pytest.raises(
        ValueError, match="b.jpg and .*b.png: the image is 16x12 and its mask 16x11"
    ):
        voc_folder.VocFolder(root, "train")


def test_a_label_beyond_the_classes_names_the_mask(root):
    labels = np.zeros(SIZES["b"], np.uint8)
    labels[5, 2:4] = 3
    save_mask(root / "SegmentationClass/b.png", labels)
    source = voc_folder.VocFolder(root, "train")
    with pytest.raises(
        ValueError, match="b.png: label 3 at row 5, column 2 .2 such pixels.; with 3 c"
    ):
        source[1]


def test_binary_masks_are_not_void(root):
    for name, size in SIZES.items():
        labels = np.zeros(size, np.uint8)
        labels[3:] = 255
        save_mask(root / f"SegmentationClass/{name}.png", labels)
    for classes in ("ground\nfigure\n", "ground\nfigure\nother\n"):
        (root / "classes.txt").write_text(classes)
        with pytest.raises(
            ValueError, match="SegmentationClass: the masks hold only 0 and 255.*foreg"
        ):
            voc_folder.VocFolder(root, "train")
    (root / "classes.txt").write_text("ground\nfigure\n")
    labels[4, 4] = 1
    save_mask(root / "SegmentationClass/c.png", labels)
    assert voc_folder.VocFolder(root, "train").classes == ("ground", "figure")


def test_a_truncated_jpeg_is_named(root):
    path = root / "JPEGImages/b.jpg"
    path.write_bytes(path.read_bytes()[:-80])
    source = voc_folder.VocFolder(root, "train")
    assert source[0]["id"] == "a"
    with pytest.raises(
        ValueError, match="b.jpg cannot be read whole .*take its id off"
    ):
        source[1]


@pytest.mark.skipif(not CAMVID.is_dir(), reason=NO_CAMVID)
def test_camvid():
    splits = [voc_folder.VocFolder(CAMVID, split) for split in ("train", "val")]
    assert [len(source) for source in splits] == [367, 101]
    for source in splits:
        assert (source.classes[0], len(source.classes)) == ("sky", 11)
        assert (source.image_sizes() == [360, 480]).all()
    options = {"batch_size": 2, "num_classes": 11}
    batches = loader.eval_batches(splits[1], **options)
    batch = next(batches)
    batches.close()
    assert batch["id"] == list(splits[1].ids[:2])
    assert set(np.unique(batch["labels"])) <= {*range(11), 255}


def python(code, *args):
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *args],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_folders_are_read_without_importing_jax_or_tensorflow(root):
    code = """
        import sys, fcn_jax.data
        source = fcn_jax.data.open_source("folder", "train", root=sys.argv[1])
        source[0]
        print([name for name in ("jax", "tensorflow") if name in sys.modules])
    """
    assert python(code, str(root)) == "[]"


def test_batches_are_made_where_jax_cannot_be_imported(root):
    # Grain imports JAX for its profiler where it can; nothing here needs it.
    code = """
        import sys
        sys.modules["jax"] = sys.modules["tensorflow"] = None
        import fcn_jax.data, fcn_jax.data.loader
        source = fcn_jax.data.open_source("folder", "train", root=sys.argv[1])
        options = dict(batch_size=3, num_classes=3)
        train = next(fcn_jax.data.loader.train_batches(source, seed=0, **options))
        (evaluation,) = fcn_jax.data.loader.eval_batches(
            source, canvases=[(16, 16)], **options
        )
        print(train["image"].shape, evaluation["image"].shape)
    """
    assert python(code, str(root)) == "(3, 16, 16, 3) (3, 16, 16, 3)"
