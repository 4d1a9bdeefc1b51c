"""Data sets with one fault each, and what the examination says of it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import doctor, doctor_seen, doctor_text, image_files
from fcn_jax.data.doctor_findings import HINT, STOPS, Findings
from fcn_jax.data.doctor_folder import Folder
from fcn_jax.data.doctor_source import Opened
from fcn_jax.data.options import FolderOptions
from tests.support import folders, made_up
from tests.support.patience import SECONDS

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def root(tmp_path):
    """Three images to train on and one to score, with nothing wrong."""
    folders.write(tmp_path, NAMES)
    folders.write_list(tmp_path, "a\nb\nc\n")
    folders.write_list(tmp_path, "d\n", "val")
    return tmp_path


def examine(root, num_classes=0, threads=1, palette=None, **options):
    found = Findings()
    folder = Folder(
        root, ("train", "val"), palette, FolderOptions(**options), num_classes, found
    )
    return doctor.examine(folder, found, threads)


def only(report):
    (finding,) = report.findings
    return finding


def mask(root, name):
    return root / f"SegmentationClass/{name}.png"


def image(root, name):
    return root / f"JPEGImages/{name}.jpg"


def test_nothing_is_wrong(root):
    report = examine(root)
    assert (report.findings, report.stops) == ([], False)
    assert report.images == {"train": 3, "val": 1}
    assert report.stored == {"grey": 4}
    assert (report.canvas, report.padding) == (folders.SIZE, 0)
    assert report.sizes == [(folders.SIZE, 3)]
    assert "Nothing is wrong." in doctor_text.as_text(report)


def test_classes_are_counted(root):
    report = examine(root)
    pixels = sum(np.bincount(folders.labels(seed=i).ravel()) for i in range(3))
    np.testing.assert_allclose(report.shares, pixels / pixels.sum())
    np.testing.assert_allclose(report.weights, np.median(pixels) / pixels)
    np.testing.assert_array_equal(report.occurs["val"], [1, 1, 1])
    np.testing.assert_array_equal(report.occurs["train"], [3, 3, 3])


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 10])


def flip_a_bit(path):
    """Within the data of a PNG: it still opens, and its checksum is wrong."""
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 9] ^= 1
    path.write_bytes(bytes(content))


def photo_as_text(root):
    image(root, "b").write_text("no image")


def smaller_mask(root):
    folders.save(mask(root, "b"), folders.labels(size=(6, 8)))


def values_beyond(root):
    folders.save(mask(root, "b"), folders.labels() + np.uint8(40))


def jpeg_as_mask(root):
    folders.save(mask(root, "b"), folders.labels(), format="JPEG")


def wide_mask(root):
    folders.save(mask(root, "b"), folders.labels().astype(np.uint16))


def two_lines(root):
    folders.write_list(root, "a\nb\nc\nb\n")


def no_photo(root):
    image(root, "b").rename(root / "away.jpg")
    mask(root, "b").unlink()


def exif_of(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def lying_photo(root):
    folders.save(image(root, "b"), folders.photo(1), exif=exif_of(6))
    folders.save(mask(root, "b"), folders.labels(size=folders.SIZE[::-1]))


@pytest.mark.parametrize(
    ("spoil", "check", "message"),
    [
        (lambda r: truncate(image(r, "b")), "image", "b.jpg cannot be read whole"),
        (lambda r: truncate(mask(r, "b")), "mask", "b.png cannot be read whole"),
        (
            lambda r: flip_a_bit(mask(r, "b")),
            "mask",
            "b.png cannot be read whole .*bro",
        ),
        (photo_as_text, "image", "b.jpg is no readable image"),
        (
            lambda r: mask(r, "b").unlink(),
            "list",
            "b.png does not exist, but .*missing",
        ),
        (no_photo, "list", "holds no image b .*, which .* lists"),
        (two_lines, "list", "lists b more than once"),
        (smaller_mask, "size", "the image is 12x16 and its mask 6x8"),
        (lying_photo, "size", "mask 16x12 .* --config.data.apply_exif=True"),
        (values_beyond, "labels", "label 4[0-2] at row"),
        (jpeg_as_mask, "mask", "a mask in the format JPEG"),
        (wide_mask, "mask", "a mask of mode 'I;16"),
    ],
)
def test_a_bad_file_is_told_and_the_others_are_looked_at(root, spoil, check, message):
    spoil(root)
    report = examine(root)
    finding = next(each for each in report.findings if each.level == STOPS)
    assert (finding.check, finding.count) == (check, 1)
    with pytest.raises(ValueError, match=message):
        raise ValueError(finding.message)
    assert report.stops
    assert report.occurs["val"].all()
    assert report.occurs["train"].min() >= 2


def test_what_a_decoder_makes_of_a_file_is_a_finding(root, monkeypatch):
    """Pillow's plugins raise whatever they like."""
    whole = image_files.read_photo

    def broken(path, **options):
        if path == image(root, "b"):
            raise KeyError("tag 7")
        return whole(path, **options)

    monkeypatch.setattr(image_files, "read_photo", broken)
    finding = only(examine(root))
    assert "b.jpg cannot be read (KeyError: 'tag 7'); replace it" in finding.message


def test_entries_that_are_wrong_are_listed_all_the_same(root):
    """What lacks a mask, or an image, is on no list of leftovers."""
    for name in "abc":
        mask(root, name).unlink()
    finding = only(examine(root))
    assert (finding.check, finding.count, finding.files) == ("list", 3, list("abc"))


def test_the_same_fault_of_many_files_is_one_finding(root):
    for name in "abc":
        truncate(image(root, name))
    finding = only(examine(root))
    assert (finding.check, finding.count) == ("image", 3)
    assert finding.files == [str(image(root, name)) for name in "abc"]


def test_black_and_white_masks(root):
    for name in NAMES:
        folders.save(
            mask(root, name), np.where(folders.labels() > 1, 255, 0).astype("u1")
        )
    finding = examine(root).findings[0]
    assert (finding.check, finding.level) == ("values", STOPS)
    assert 'set --config.data.mask_values="(0,255)"' in finding.message


def test_what_a_run_would_note_of_the_masks(root):
    """No mask holds the first class, as where labels count from 1."""
    for seed, name in enumerate(NAMES):
        folders.save(mask(root, name), np.maximum(folders.labels(seed=seed), 1))
    first = examine(root).findings[0]
    assert (first.check, first.level) == ("values", HINT)


def test_masks_that_are_all_void(root):
    for name in NAMES:
        folders.save(mask(root, name), np.full(folders.SIZE, 255, np.uint8))
    values, *hints = examine(root).findings
    assert "every pixel of every mask is void (255)" in values.message
    assert [each.count for each in hints if each.check == "void"] == [3, 1]


def test_anti_aliased_masks_within_the_classes(root):
    """Values between two labels are labels too, and nothing raises."""
    (root / "classes.txt").write_text("\n".join(f"class{i}" for i in range(200)))
    for seed, name in enumerate(NAMES):
        blocks = np.kron(folders.labels(3, seed, (3, 4)) * 90, np.ones((40, 40)))
        small = Image.fromarray(blocks.astype(np.uint8))
        smooth = small.resize((16, 12), Image.Resampling.BILINEAR)
        folders.save(mask(root, name), np.asarray(smooth))
    edges = [each for each in examine(root).findings if each.check == "edges"]
    assert [each.count for each in edges] == [4]
    assert "along borders alone" in edges[0].message


def test_blocks_are_not_smoothed(root):
    (root / "classes.txt").write_text("\n".join(f"class{i}" for i in range(200)))
    blocks = np.kron(np.arange(12).reshape(3, 4), np.ones((4, 4))).astype(np.uint8)
    for name in NAMES:
        folders.save(mask(root, name), blocks)
    assert not [each for each in examine(root).findings if each.check == "edges"]


def test_an_orientation_that_keeps_the_size(root):
    folders.save(image(root, "a"), folders.photo(7), exif=exif_of(3))
    finding = only(examine(root))
    assert (finding.check, finding.level, finding.files) == ("exif", HINT, ["a"])
    assert not examine(root, apply_exif=True).findings


@pytest.mark.parametrize(
    ("copy", "text"), [("b", "train a = train b"), ("d", "= val d")]
)
def test_the_same_picture_twice(root, copy, text):
    """Also where it was saved anew: it is pixels that count."""
    pixels = np.asarray(Image.open(image(root, "a")))
    image(root, copy).unlink()
    folders.save(root / f"JPEGImages/{copy}.png", pixels)
    folders.save(image(root, "a").with_suffix(".png"), pixels)
    image(root, "a").unlink()
    finding = only(examine(root))
    assert (finding.check, finding.level) == ("duplicates", HINT)
    assert finding.files[0].endswith(text)
    assert ("in two splits" in finding.message) == (copy == "d")


def test_drafts_that_are_alike_by_chance_are_no_duplicates(root):
    """An eighth of a JPEG does not tell fine stripes of one mean apart."""
    for name, period in (("a", 2), ("b", 4)):
        stripes = (np.indices((64, 64))[1] // (period // 2) % 2 * 100 + 50).astype("u1")
        folders.save(image(root, name), stripes, quality=95)
        folders.save(mask(root, name), folders.labels(size=(64, 64)))
    drafts = [
        doctor_seen.digest_of(image_files.read_photo(image(root, name), draft=True))
        for name in "ab"
    ]
    assert drafts[0] == drafts[1]
    assert not [f for f in examine(root).findings if f.check == "duplicates"]


def test_images_in_both_splits(root):
    folders.write_list(root, "d\na\n", "val")
    finding = only(examine(root))
    assert (finding.check, finding.files) == ("overlap", ["a"])
    assert "1 of the 2 images of val are in train too (a)" in finding.message


@pytest.mark.parametrize(
    ("train", "val", "text"),
    [
        (1, 2, "val has and train has not"),
        (2, 1, "train has and val has not"),
        (1, 1, "occur in no mask"),
    ],
)
def test_classes_of_one_split(root, train, val, text):
    for seed, name in enumerate(NAMES):
        most = val if name == "d" else train
        folders.save(mask(root, name), np.minimum(folders.labels(seed=seed), most))
    finding = only(examine(root))
    assert (finding.check, finding.files) == ("classes", ["tree"])
    assert text in finding.message


@pytest.mark.parametrize(
    ("classes", "check", "message"),
    [
        ("ground\n", "names", "names one class, 'ground'"),
        ("a\na\nb\n", "names", "names 'a' more than once"),
        (
            "a\nb\nc\nd\n",
            "classes",
            "num_classes=3, but .* has 4 classes .a, b, c, d.: n",
        ),
    ],
)
def test_names_that_do_not_fit(root, classes, check, message):
    (root / "classes.txt").write_text(classes)
    finding = examine(root, num_classes=3).findings[0]
    assert (finding.check, finding.level) == (check, STOPS)
    with pytest.raises(ValueError, match=message):
        raise ValueError(finding.message)


def test_names_that_are_a_guess(root):
    (root / "classes.txt").unlink()
    assert "VOC's 21 names are taken" in examine(root).findings[0].message


def test_without_lists_all_images_are_looked_at(root):
    for split in ("train", "val"):
        (root / f"ImageSets/Segmentation/{split}.txt").unlink()
    truncate(mask(root, "c"))
    report = examine(root)
    assert report.images == {"all": 4}
    assert [each.check for each in report.findings[:2]] == ["list", "mask"]
    assert report.findings[0].count == 2
    assert "set --config.data.split=0.8" in report.findings[0].message
    assert examine(root, split=0.5).images == {"train": 2, "val": 2}


def test_files_that_no_list_names(root):
    folders.save(root / "JPEGImages/e.jpg", folders.photo(9))
    folders.save(root / "JPEGImages/f.jpg", folders.photo(10))
    folders.write_list(root, "f\n", "test")
    folders.save(root / "JPEGImages/a.bmp", folders.photo(0))
    unused, several = examine(root).findings
    assert (unused.files, unused.level) == (["e"], HINT)
    assert (several.files, several.level) == (["a"], HINT)
    assert "several files in JPEGImages, of which the first of .jpg" in several.message


def test_sizes_that_waste_batches(root):
    folders.save(image(root, "b"), folders.photo(1, (60, 80)))
    folders.save(mask(root, "b"), folders.labels(seed=1, size=(60, 80)))
    report = examine(root)
    assert (report.canvas, report.num_sizes) == ((60, 80), 2)
    np.testing.assert_allclose(report.padding, 1 - (1 + 2 / 25) / 3)
    assert "padded to 60x80" in only(report).message
    assert only(report).message.endswith("avoids it (the largest is b)")


def test_threads_see_the_same(root):
    truncate(image(root, "b"))
    one, several = examine(root), examine(root, threads=3)
    assert doctor_text.as_json(one) == doctor_text.as_json(several)


def test_the_report_as_json(root):
    truncate(image(root, "b"))
    found = json.loads(json.dumps(doctor_text.as_json(examine(root))))
    assert (found["stops"], found["images"]) == (True, {"train": 3, "val": 1})
    assert found["findings"][0]["files"] == [str(image(root, "b"))]
    assert found["classes"][1]["name"] == "car"
    assert found["sizes"] == [{"height": 12, "width": 16, "images": 3}]


def test_the_text_names_three_files_of_many(root):
    for name in "abcd":
        truncate(mask(root, name))
    text = doctor_text.as_text(examine(root))
    assert "What stops training" in text
    assert f"- mask: 4x {mask(root, 'a')}" in text
    assert f"({mask(root, 'b')}, {mask(root, 'c')}, ...)" in text


@pytest.mark.parametrize("kind", (made_up.Rooms, made_up.Outdoors))
def test_a_data_set_of_a_name(kind):
    """One that is no folder; void may be below the number of classes."""
    found = Findings()
    sources = {"train": kind("train", 3), "val": kind("val", 1)}
    patient = Opened(sources, ("train", "val"), 0, found)
    report = doctor.examine(patient, found)
    assert report.images == {"train": 3, "val": 1}
    assert report.classes == sources["train"].heads[0].classes
    assert not report.stops
    (same,) = [each for each in report.findings if each.check == "duplicates"]
    assert same.files == ["train train[0] = val val[0]"]
    if kind is made_up.Outdoors:
        assert report.shares[0] == 0
    image, labels = patient.picture("train", 0)
    assert (image.shape, image.dtype) == ((*labels.shape, 3), np.uint8)


def test_a_wrong_label_of_a_data_set_of_a_name():
    class Wrong(made_up.Outdoors):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            if index == 1:
                item["labels"] = item["labels"] + np.uint8(9)
            return item

    found = Findings()
    patient = Opened({"train": Wrong("train", 3)}, ("train", "train"), 5, found)
    classes, item = doctor.examine(patient, found).findings[:2]
    assert "num_classes=5, but outdoors has 3" in classes.message
    assert (item.check, item.count, item.files) == (
        "item",
        1,
        ["outdoors train: view1"],
    )


def test_jax_is_not_needed():
    code = (
        "import sys, fcn_jax.data.doctor_folder as d; assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=SECONDS)
