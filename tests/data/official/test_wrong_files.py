"""What is missing, torn, or of another data set: file, value, expectation, remedy."""

import dataclasses
import zipfile

import numpy as np
import pytest

from fcn_jax import data
from fcn_jax.data import official
from fcn_jax.data.official import layouts, pascal_context, sift_flow, trees
from fcn_jax.data.options import ToolOptions
from fcn_jax.data.sources import archives
from fcn_jax.data.sources.archive_reader import ArchiveReader
from tests.support import official as made

SCENES = made.SCENES


@pytest.fixture(autouse=True)
def _no_checksum_and_two_images_of_test(monkeypatch):
    any_file = dataclasses.replace(archives.ARCHIVES["voc2010"], md5=())
    monkeypatch.setitem(archives.ARCHIVES, "voc2010", any_file)
    monkeypatch.setattr(sift_flow, "TEST", frozenset(made.TESTED))


def opened(name, split="train", classes="", **where):
    where = {key: str(value) for key, value in where.items()}
    return data.open_source(name, split, tool=ToolOptions(classes=classes), **where)


def sift_flow_with(tmp_path, place, **matrices):
    root = made.unpack("sift_flow", tmp_path / "src")
    path = root / place / SCENES / "coast_a1.mat"
    path.write_bytes(made.mat(**matrices))
    return opened("sift_flow", root=root)


def test_a_mat_of_another_data_set(tmp_path):
    source = sift_flow_with(tmp_path, "SemanticLabels", LabelMap=np.ones((6, 8)))
    match = (
        "SemanticLabels/.*coast_a1.mat holds LabelMap and no S; expected labels of "
        "SIFT Flow. It is of another data set: get the official archive"
    )
    with pytest.raises(ValueError, match=match):
        source[0]


def test_labels_that_the_table_has_not(tmp_path):
    source = sift_flow_with(tmp_path, "SemanticLabels", S=np.array([[1, 40], [40, 50]]))
    match = (
        r"coast_a1.mat holds 40 \(2 pixels, and 1 other such values\); expected 1 to "
        r"33, the semantic classes of SIFT Flow, or 0 for void. It is of another data "
        r"set or by another table of labels: get the official file"
    )
    with pytest.raises(ValueError, match=match):
        source[0]


def test_the_labels_of_the_other_head(tmp_path):
    source = sift_flow_with(tmp_path, "GeoLabels", S=np.full((6, 8), 28))
    with pytest.raises(ValueError, match=r"GeoLabels/.* holds 28 \(48 pixels\); expec"):
        source[0]


@pytest.mark.parametrize(
    ("matrix", "held"),
    ((np.ones((6, 8, 3)), r"float64 \(6, 8, 3\)"), (np.full((6, 8), 0.5), "float64")),
)
def test_a_matrix_that_holds_no_labels(tmp_path, matrix, held):
    source = sift_flow_with(tmp_path, "GeoLabels", S=matrix)
    with pytest.raises(ValueError, match=f"S is {held}.*; expected whole numbers"):
        source[0]


@pytest.mark.parametrize("content", (b"", b"MATLAB 7.3", made.mat(S=[[1]])[:150]))
def test_a_torn_mat(tmp_path, content):
    root = made.unpack("sift_flow", tmp_path)
    (root / "GeoLabels" / SCENES / "coast_a1.mat").write_bytes(content)
    with pytest.raises(
        ValueError, match="coast_a1.mat cannot be read as a MATLAB file"
    ):
        opened("sift_flow", root=root)[0]


@pytest.mark.parametrize("place", ("SemanticLabels", "GeoLabels"))
def test_labels_of_another_size(tmp_path, place):
    """Of either head."""
    source = sift_flow_with(tmp_path, place, S=np.ones((5, 8)))
    match = f"{place}/.*coast_a1.mat: the image is 6x8 and its mask 5x8"
    with pytest.raises(ValueError, match=match):
        source[0]


def test_what_macos_writes_beside_files(tmp_path):
    """It has almost the names of images, and is none; in archives it lies apart too."""
    root = made.unpack("camvid/full", tmp_path / "src")
    (root / "701_StillsRaw_full/._0001TP_006690.png").write_bytes(b"junk")
    assert len(opened("camvid/full", root=root)) == 3
    folder = made.pack("camvid/full", tmp_path / "manual")
    with zipfile.ZipFile(folder / "701_StillsRaw_full.zip", "a") as packed:
        packed.writestr("__MACOSX/0001TP_006720.png", b"junk")
        packed.writestr("._0001TP_006690.png", b"junk")
    where = {"data_dir": tmp_path / "data", "manual_dir": folder}
    assert len(opened("camvid/full", **where)) == 3


def test_links_in_a_circle(tmp_path):
    root = made.unpack("coco_stuff", tmp_path / "src")
    for number in range(3):
        (root / f"images/{number}").symlink_to(root)
    (root / "images/train2017").rename(tmp_path / "elsewhere")
    (root / "images/train2017").symlink_to(tmp_path / "elsewhere")
    tree = trees.Folder(root, "images", "coco_stuff")
    assert len(tree.names) == 6
    assert len(opened("coco_stuff", root=root)) == 2


def test_a_head_that_is_missing(tmp_path):
    missing = f"GeoLabels/{SCENES}/coast_a1.mat"
    root = made.unpack("sift_flow", tmp_path / "src", without=(missing,))
    match = (
        f"src holds no {missing}, which the split 'train' of sift_flow names, of 3 "
        f"images. Unpack the archives again"
    )
    with pytest.raises(FileNotFoundError, match=match):
        opened("sift_flow", root=root)
    packed = made.pack("sift_flow", tmp_path / "manual", without=(missing,))
    with pytest.raises(
        FileNotFoundError, match="Dataset.zip holds no .*: get it again"
    ):
        opened("sift_flow", data_dir=tmp_path / "data", manual_dir=packed)
    prepared = tmp_path / "data" / "official_sift_flow" / "33"
    kept = [p for p in prepared.rglob("*") if p.is_file()]
    assert not kept  # Nothing half made.


def test_a_list_that_names_images_that_are_not_there(tmp_path):
    without = [f"Images/{SCENES}/{name}.jpg" for name in made.TESTED]
    root = made.unpack("sift_flow", tmp_path, without=without)
    with pytest.raises(
        FileNotFoundError, match=r"coast_arnat59.jpg \(and 1 other files\), which"
    ):
        opened("sift_flow", "test", root=root)


def test_a_split_that_is_not_there(tmp_path):
    root = made.unpack("sift_flow", tmp_path / "src")
    with pytest.raises(ValueError, match="no split 'val'; there are train, test"):
        opened("sift_flow", "val", root=root)
    packed = made.pack("sift_flow", tmp_path / "manual")
    with pytest.raises(ValueError, match="no split 'val' .*; there are t"):
        opened("sift_flow", "val", data_dir=tmp_path / "data", manual_dir=packed)


def test_a_folder_that_is_another(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="nowhere does not exist; set --config.d"
    ):
        opened("sift_flow", root=tmp_path / "nowhere")
    match = "holds no Images; expected the folder of sift_flow as its authors have it"
    with pytest.raises(FileNotFoundError, match=match):
        opened("sift_flow", root=tmp_path)
    (tmp_path / "annotations/train2017").mkdir(parents=True)
    with pytest.raises(
        ValueError, match="holds no image of coco_stuff's split 'train'"
    ):
        opened("coco_stuff", root=tmp_path)


def context_with(tmp_path, labels, count=1):
    root = made.unpack("pascal_context", tmp_path)
    names = [f"p{number}" for number in range(count)]
    lists = root / "VOCdevkit/VOC2010/ImageSets/Main/train.txt"
    lists.write_text("\n".join(names))
    for name in names:
        (root / f"VOCdevkit/VOC2010/JPEGImages/{name}.jpg").write_bytes(made.photo(0))
        content = made.mat(LabelMap=labels.astype(np.uint16))
        (root / f"trainval/{name}.mat").write_bytes(content)
    return root


def test_labels_that_are_the_59_already(tmp_path):
    root = context_with(tmp_path, made.values(range(40)) + 20, count=20)
    match = (
        r"p0.mat and 19 files after it hold labels up to 59 in LabelMap; expected ids "
        r"up to 459. They are of the table of 59 classes: get trainval.tar.gz"
    )
    with pytest.raises(ValueError, match=match):
        opened("pascal_context", root=root)


def test_an_id_that_there_is_not(tmp_path):
    root = context_with(tmp_path, made.values((2, 460)))
    with pytest.raises(ValueError, match=r"p0.mat holds 460 .*; expected ids 0 to 459"):
        opened("pascal_context", root=root)[0]


def test_another_list_of_459_names(tmp_path):
    root = made.unpack("pascal_context", tmp_path)
    called = pascal_context._CALLED
    lines = [f"{i}: {called.get(n, n)}" for n, i in pascal_context.IDS.items()]
    (root / "labels.txt").write_text("\n".join(lines))
    assert len(opened("pascal_context", root=root)) == 2
    lines[1] = "24: bicycle"
    (root / "labels.txt").write_text("\n".join(lines))
    match = "labels.txt gives 'bicycle' the id 24; expected 23, of the 459 .*remove it"
    with pytest.raises(ValueError, match=match):
        opened("pascal_context", root=root)


def test_context_without_the_lists_of_voc(tmp_path):
    without = ("VOCdevkit/VOC2010/ImageSets/Main/val.txt",)
    root = made.unpack("pascal_context", tmp_path, without=without)
    with pytest.raises(
        FileNotFoundError, match="no VOCdevkit/.*val.txt; .* unpack both archives into"
    ):
        opened("pascal_context", "val", root=root)


def test_59_classes_where_60_are_expected(tmp_path):
    from fcn_jax.data import checks

    root = made.unpack("pascal_context", tmp_path)
    source = opened("pascal_context", classes="59", root=root)
    match = "num_classes=60, but pascal_context/59 has 59 classes .*num_classes=59"
    with pytest.raises(ValueError, match=match):
        checks.check_num_classes(source, 60)


@pytest.mark.parametrize(
    ("name", "classes", "match"),
    (
        ("pascal_context", "58", "classes='58' is not known for data set 'pascal_contex"
         "t'; use '60' or '59'"),
        ("camvid/full", "32", "'32' is not known for .*; use '11' or '31'"),
        ("shapes", "60", "classes='60' is given, but data set 'shapes' has one label"),
        ("sift_flow", "3", "classes='3' is given, but data set 'sift_flow' has one la"),
    ),
)  # fmt: skip
def test_a_label_set_that_there_is_not(name, classes, match):
    with pytest.raises(ValueError, match=match):
        opened(name, classes=classes)


@pytest.mark.parametrize(
    "name", [n for n, e in official.NAMES.items() if not e.classes]
)
def test_a_layout_says_which_label_sets_it_has(name):
    with pytest.raises(ValueError, match="classes='7' is not known for data set"):
        official.layout_of(name, "7")


def test_archives_of_which_one_is_missing(tmp_path):
    packed = made.pack("pascal_context", tmp_path)
    (packed / "trainval.tar.gz").unlink()
    match = (
        "trainval.tar.gz does not exist; get it from https://roozbehm.info/pascal-co"
    )
    with pytest.raises(FileNotFoundError, match=match):
        opened("pascal_context", data_dir=tmp_path / "data", manual_dir=packed)


def test_an_archive_that_wants_an_account(tmp_path):
    match = (
        "leftImg8bit_trainvaltest.zip {}; get it from www.cityscapes-dataset.com, wh"
    )
    with pytest.raises(
        FileNotFoundError, match=match.format("does not exist")
    ) as caught:
        opened("cityscapes", data_dir=tmp_path / "data", manual_dir=tmp_path)
    assert "downloaded" not in str(caught.value)
    with pytest.raises(
        FileNotFoundError, match=match.format("cannot be downloaded") + ".*manual_dir=D"
    ):
        opened("cityscapes", data_dir=tmp_path / "data")


@pytest.mark.parametrize("name", ("sift_flow", "pascal_context"))
def test_an_archive_that_is_torn(tmp_path, name):
    packed = made.pack(name, tmp_path / "manual")
    path = packed / archives.ARCHIVES[name].name
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=f"{path.name} cannot be read as an archive"):
        opened(name, data_dir=tmp_path / "data", manual_dir=packed)


@pytest.mark.parametrize(
    ("name", "photo"),
    (
        ("camvid", "train/0001TP_006690.png"),
        ("ade20k", "images/training/ADE_00000000.jpg"),
    ),
)
def test_a_photo_that_was_torn_before_it_was_packed(tmp_path, monkeypatch, name, photo):
    """By its header it is whole, and so is the archive."""
    files = made.files_of(name)
    files[photo] = files[photo][:-20]
    monkeypatch.setitem(made._FILES, name, lambda: files)
    packed = made.pack(name, tmp_path / "manual")
    with pytest.raises(ValueError, match=rf"zip, .*{photo} cannot be read whole"):
        opened(name, data_dir=tmp_path / "data", manual_dir=packed)


def test_a_zip_whose_file_is_damaged(tmp_path):
    path = tmp_path / "a.zip"
    made.write_archive(path, {"x": bytes(1000)})
    content = bytearray(path.read_bytes())
    content[content.index(bytes(1000)) + 500] = 1
    path.write_bytes(content)
    reader = ArchiveReader(path, "", tmp_path)
    assert list(reader.names()) == ["x"]
    with pytest.raises(
        ValueError, match="a.zip cannot be read as an archive .*Bad CRC"
    ):
        reader.read("x")
    with pytest.raises(ValueError, match="a.zip holds no y, which its lists name"):
        reader.read("y")
    reader.close()


def test_a_mask_that_is_a_jpeg():
    layout = official.layout_of("ade20k")
    with pytest.raises(ValueError, match="a.png: a mask in the format JPEG"):
        layout.decode(made.photo(0), "", "a.png")


def test_a_colour_that_camvid_has_not():
    layout = official.layout_of("camvid/full")
    colours = np.full((2, 2, 3), (1, 2, 3), np.uint8)
    match = r"x_L.png holds the colour #010203 \(4 pixels\); expected the 32 colours of"
    with pytest.raises(ValueError, match=match):
        layout.decode(made.image(colours), "", "x_L.png")


def test_a_class_of_coco_stuff_without_annotations():
    layout = official.layout_of("coco_stuff")
    with pytest.raises(
        ValueError, match=r"x.png holds 11 .*; expected 0 to 181, the c"
    ):
        layout.decode(made.image(np.full((2, 2), 11, np.uint8)), "", "x.png")


def test_a_table_keeps_values_apart():
    table = layouts.Table({0: layouts.VOID, 5: "b", 9: "a"}, ("a", "b"), "0, 5 or 9")
    found = table.labels(np.array([[9, 5], [0, 9]]), "x")
    np.testing.assert_array_equal(found, [[0, 1], [255, 0]])
    for value in (-1, 4, 10):
        with pytest.raises(ValueError, match=rf"x holds {value} \(1 pixels\); expect"):
            table.labels(np.array([[value]]), "x")


@pytest.mark.parametrize("index", (-1, 3))
def test_an_index_lies_in_the_split(tmp_path, index):
    packed = made.pack("sift_flow", tmp_path / "manual")
    source = opened("sift_flow", data_dir=tmp_path / "data", manual_dir=packed)
    with pytest.raises(IndexError, match=f"train: no image {index}; there are 3, from"):
        source[index]
