"""Folders as annotation tools and people write them: what each is read as.

Small folders in the form of the tool that a docstring names, with its version.
"""

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import checks, label_sets
from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources.voc_folder import VocFolder
from tests.support import folders

OWN = np.array([(0, 0, 0), (250, 50, 83), (51, 221, 255)], np.uint8)
LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\n"
LABELMAP += "dog:51,221,255::\n"


def in_colours(palette):
    return lambda path, labels: folders.save(path, palette[labels])


def open_folder(root, **options):
    return VocFolder(root, "train", options=FolderOptions(**options))


def assert_read(source):
    for seed in range(len(source)):
        np.testing.assert_array_equal(source[seed]["labels"], folders.labels(seed=seed))


def test_labelme(tmp_path):
    """labelme2voc.py of labelme 7.1.0: class_names.txt, and no lists."""
    folders.write(
        tmp_path,
        ("a", "b", "c"),
        classes="",
        masks=lambda p, x: folders.save(p, x, label_sets.VOC.palette),
    )
    (tmp_path / "class_names.txt").write_text("_background_\ncat\ndog")
    source = open_folder(tmp_path, split=0.6)
    assert (len(source), source.classes[1:]) == (2, ("cat", "dog"))
    assert source.mask_format == "palette"


@pytest.mark.parametrize("form", ("voc", "own", "indices"))
def test_datumaro_voc_segmentation(tmp_path, form):
    """Datumaro 1.13.12: masks in colours or indices, instances in VOC's colours."""
    palette = OWN if form == "own" else label_sets.VOC.palette
    masks = folders.save if form == "indices" else in_colours(palette)
    folders.write(tmp_path, classes="", masks=masks)
    plain = "# label:color_rgb:parts:actions\nbackground:::\ncat:::\ndog:::\n"
    (tmp_path / "labelmap.txt").write_text(LABELMAP if form == "own" else plain)
    objects = folders.labels(seed=3)
    for name in ("a", "b"):
        folders.save(
            tmp_path / f"SegmentationObject/{name}.png",
            label_sets.VOC.palette[objects],
        )
    source = open_folder(tmp_path)
    assert source.classes == ("background", "cat", "dog")
    assert_read(source)
    np.testing.assert_array_equal(source[1]["objects"], objects)


def test_instances_are_read_where_they_are_asked_for(tmp_path):
    """Own colours in the class masks; those of the instances are in no palette."""
    folders.write(tmp_path, classes="", masks=in_colours(OWN))
    (tmp_path / "labelmap.txt").write_text(LABELMAP)
    for name in ("a", "b"):
        path = tmp_path / f"SegmentationObject/{name}.png"
        folders.save(path, np.full((*folders.SIZE, 3), 77, np.uint8))
    item = open_folder(tmp_path)[0]
    assert item["id"] == "a"
    with pytest.raises(
        ValueError, match="colour .77, 77, 77. at row 0, column 0 is no"
    ):
        item["objects"]


def test_own_colours_without_a_file_of_them(tmp_path):
    folders.write(tmp_path, classes="background\ncat\ndog\n", masks=in_colours(OWN))
    with pytest.raises(
        ValueError, match="colour .* is not in the palette .* --config.data.palette, or"
    ):
        open_folder(tmp_path)
    (tmp_path / "colours.txt").write_text("0,0,0\n#fa3253\n51 221 255 dog\n")
    assert_read(VocFolder(tmp_path, "train", palette=tmp_path / "colours.txt"))


@pytest.mark.parametrize("num_classes", (3, 20))
def test_names_of_voc_are_a_guess_that_is_told(tmp_path, num_classes):
    folders.write(tmp_path, classes="")
    source = open_folder(tmp_path)
    assert len(source.classes) == 21
    assert "has no classes.txt, so that VOC's 21 names are taken" in source.notes[0]
    with pytest.raises(
        ValueError, match="has 21 classes: .* has no classes.txt, .* one a line"
    ):
        checks.check_num_classes(source, num_classes)


def test_labels_that_voc_does_not_have(tmp_path):
    folders.write(
        tmp_path, classes="", masks=lambda p, x: folders.save(p, x + np.uint8(30))
    )
    with pytest.raises(ValueError, match="label 30 at .* has no classes.txt, so that"):
        open_folder(tmp_path)


@pytest.mark.parametrize("classes", ("road\n", "road"))
def test_one_class_alone(tmp_path, classes):
    folders.write(tmp_path, classes=classes)
    with pytest.raises(
        ValueError, match="names one class, 'road'; .* name 'background'"
    ):
        open_folder(tmp_path)


def test_black_and_white_masks(tmp_path):
    folders.write(
        tmp_path,
        classes="background\nroad\n",
        masks=lambda p, x: folders.save(p, np.where(x > 1, 255, 0).astype("u1")),
    )
    with pytest.raises(
        ValueError, match=r'mask_values="\(0,255\)", or store the foreg'
    ):
        open_folder(tmp_path)
    labels = open_folder(tmp_path, mask_values=(0, 255))[0]["labels"]
    np.testing.assert_array_equal(labels, folders.labels() > 1)
    with pytest.raises(
        ValueError, match=r"mask_values=\(0, 128, 255\) has 3 values for"
    ):
        open_folder(tmp_path, mask_values=(0, 128, 255))


def test_zero_for_void(tmp_path):
    """ADE20K: 0 is "other", 1 the first class."""
    folders.write(tmp_path, classes="road\nsky\n")
    with pytest.raises(
        ValueError, match="label 2 .* set --config.data.reduce_zero_lab"
    ):
        open_folder(tmp_path)
    labels = open_folder(tmp_path, reduce_zero_label=True)[0]["labels"]
    expected = np.array([255, 0, 1])[folders.labels()]
    np.testing.assert_array_equal(labels, expected)


def test_another_value_for_void(tmp_path):
    folders.write(
        tmp_path,
        classes="road\nsky\n",
        masks=lambda p, x: folders.save(p, np.where(x > 1, 254, x).astype("u1")),
    )
    with pytest.raises(
        ValueError, match="label 254 .*set --config.data.void_label=254"
    ):
        open_folder(tmp_path)
    labels = open_folder(tmp_path, void_label=254)[0]["labels"]
    expected = np.array([0, 1, 255])[folders.labels()]
    np.testing.assert_array_equal(labels, expected)


def test_some_of_the_classes(tmp_path):
    folders.write(tmp_path, classes="tree\nground\n")
    labels = open_folder(tmp_path, mask_values=(2, 0))[1]["labels"]
    expected = np.array([1, 255, 0])[folders.labels(seed=1)]
    np.testing.assert_array_equal(labels, expected)


def test_values_are_not_for_masks_in_colours(tmp_path):
    folders.write(tmp_path, masks=in_colours(label_sets.VOC.palette))
    with pytest.raises(
        ValueError, match="a mask in colours, of which the palette gives"
    ):
        open_folder(tmp_path, reduce_zero_label=True)


def quantized(path, labels):
    """Indices of its own for every file, as editors and optimisers of PNGs save."""
    order = np.random.default_rng(int(labels[-1, -1])).permutation(3)
    place = np.argsort(order).astype(np.uint8)
    folders.save(path, place[labels], OWN[order])


def test_palettes_that_differ_from_file_to_file(tmp_path):
    names = tuple("abcdef")
    folders.write(tmp_path, names, "background\ncat\ndog\n", quantized)
    with pytest.raises(
        ValueError, match="index . has the colour .* but .* numbered the colours anew"
    ):
        open_folder(tmp_path)
    (tmp_path / "labelmap.txt").write_text(LABELMAP)
    (tmp_path / "classes.txt").unlink()
    assert_read(open_folder(tmp_path))


def test_a_palette_with_fewer_colours_is_no_other_palette(tmp_path):
    """Where indices mean the same colours, a file may leave out those not used."""
    folders.write(tmp_path, masks=lambda p, x: folders.save(p, x, OWN))
    own = np.concatenate([OWN, [(9, 9, 9)]])
    folders.save(tmp_path / "SegmentationClass/b.png", folders.labels(seed=1), own)
    assert_read(open_folder(tmp_path))


def turned(path, orientation, seed=0):
    """A photo that a phone saved: the pixels lying, and how to turn them."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    folders.save(path, folders.photo(seed), exif=exif)


def test_photos_that_are_turned_by_exif(tmp_path):
    """labelme and others show, and save masks for, the picture upright."""
    folders.write(tmp_path, ("a",))
    turned(tmp_path / "JPEGImages/a.jpg", 6)
    upright = np.zeros(folders.SIZE[::-1], np.uint8)
    folders.save(tmp_path / "SegmentationClass/a.png", upright)
    with pytest.raises(
        ValueError, match="12x16 and its mask 16x12 .* EXIF orientation"
    ):
        open_folder(tmp_path)
    source = open_folder(tmp_path, apply_exif=True)
    np.testing.assert_array_equal(source.image_sizes(), [(16, 12)])
    assert source[0]["image"].shape == (16, 12, 3)
    assert not source.notes
    folders.save(tmp_path / "SegmentationClass/a.png", upright.T)
    with pytest.raises(
        ValueError, match="is turned by its EXIF .*stored, leave that o"
    ):
        open_folder(tmp_path, apply_exif=True)


def test_an_orientation_that_keeps_the_size_is_told(tmp_path):
    folders.write(tmp_path)
    turned(tmp_path / "JPEGImages/a.jpg", 3)
    (note,) = open_folder(tmp_path).notes
    assert note.startswith("1 photos have an EXIF orientation, which is not applied")


def test_colours_beside_a_file_of_names(tmp_path):
    """Where the names are the same, label_colors.txt has the colours of classes.txt."""
    exchanged = label_sets.VOC.palette[[0, 2, 1]]
    folders.write(
        tmp_path, classes="background\ncat\ndog\n", masks=in_colours(exchanged)
    )
    (tmp_path / "label_colors.txt").write_text(
        "0 0 0 background\n0 128 0 cat\n128 0 0 dog\n"
    )
    assert_read(open_folder(tmp_path))


@pytest.mark.parametrize("mode", ("RGB", "P"))
def test_a_colour_that_a_file_of_colours_lacks_is_told_of_that_file(tmp_path, mode):
    folders.write(tmp_path, classes="background\ncat\ndog\n")
    colours = "0 0 0 background\n0 128 0 cat\n128 0 0 dog\n"
    (tmp_path / "label_colors.txt").write_text(colours)
    wrong = Image.fromarray(np.full((*folders.SIZE, 3), 9, np.uint8))
    wrong.quantize(2).convert(mode).save(tmp_path / "SegmentationClass/a.png")
    place = tmp_path / "label_colors.txt"
    message = rf"a.png: .*\(9, 9, 9\).* not in {place}; give it a line there"
    with pytest.raises(ValueError, match=message):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    "options",
    (
        {"reduce_zero_label": True},
        {"mask_values": (1, 7)},
        {"reduce_zero_label": True, "void_label": 2},
    ),
)
def test_values_of_which_an_option_leaves_one_class(tmp_path, options):
    folders.write(tmp_path, classes="road\nsky\n")
    for name in ("a", "b"):
        values = np.minimum(folders.labels(), 1)
        folders.save(tmp_path / f"SegmentationClass/{name}.png", values)
    given = " and ".join(f"config.data.{k}={v}" for k, v in sorted(options.items()))
    message = (
        rf"by .*{given.split(' and ')[0].split('(')[0]}.* hold nothing but class 0"
    )
    with pytest.raises(ValueError, match=message):
        open_folder(tmp_path, **options)


@pytest.mark.parametrize(
    "options", ({"reduce_zero_label": True}, {"mask_values": (1, 2)})
)
def test_background_that_is_void(tmp_path, options):
    """Zero is void in these masks, and so is an image without one."""
    folders.write(tmp_path, classes="road\nsky\n")
    (tmp_path / "SegmentationClass/a.png").unlink()
    item = open_folder(tmp_path, missing_mask="background", **options)[0]
    np.testing.assert_array_equal(item["labels"], np.full(folders.SIZE, 255))


def test_black_and_white_of_one_bit(tmp_path):
    folders.write(
        tmp_path,
        classes="background\nroad\n",
        masks=lambda p, x: folders.save(p, x > 1),
    )
    labels = open_folder(tmp_path, mask_values=(0, 255))[0]["labels"]
    np.testing.assert_array_equal(labels, folders.labels() > 1)


def test_a_stray_value_of_grey_is_not_white(tmp_path):
    """Only a file of one bit a pixel has white as 1."""
    folders.write(
        tmp_path,
        classes="background\nroad\n",
        masks=lambda p, x: folders.save(p, np.where(x > 1, 255, 0).astype("u1")),
    )
    stray = np.zeros(folders.SIZE, np.uint8)
    stray[3, 4] = 1
    folders.save(tmp_path / "SegmentationClass/b.png", stray)
    labels = open_folder(tmp_path, mask_values=(0, 255))[1]["labels"]
    assert (labels[3, 4], np.count_nonzero(labels)) == (255, 1)


def test_comments_are_no_classes(tmp_path):
    folders.write(tmp_path, classes="# of mine\nground\ncar\ntree\n")
    assert open_folder(tmp_path).classes == ("ground", "car", "tree")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labelmap.txt", "a:0,0,0::\nb:0,128,0:\n", "line 2: 'b:0,128,0:' is no line"),
        ("label_colors.txt", "0 0 0 a\n0 128 x b\n", "line 2: '0 128 x b' gives no co"),
        ("class_dict.csv", "name,r,g,b\na,0,0,0\nb,0.0,1.0,2.0\n", "line 3: 'b,0.0,1"),
    ],
)
def test_a_bad_line_of_a_tool_s_file(tmp_path, name, text, message):
    folders.write(tmp_path, classes="")
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name}, {message}"):
        open_folder(tmp_path)


@pytest.mark.parametrize("extra", (0, 30))
def test_colours_of_voc_that_opencv_wrote(tmp_path, extra):
    """(0, 0, 128) is a colour of VOC too, that of label 4."""
    palette = label_sets.VOC.palette[:, ::-1].copy()
    masks = in_colours(palette)
    folders.write(tmp_path, masks=lambda p, x: masks(p, np.where(x == 1, x + extra, x)))
    message = "label 4, and there are 3 .* red and blue are exchanged, .* save again"
    if extra:  # Classes of neither order.
        message = "label 55 at .* name all classes that they hold"
    with pytest.raises(ValueError, match=message):
        open_folder(tmp_path)


def test_panoptic_pngs(tmp_path):
    """Datumaro 1.13.12, "coco_panoptic": colours are numbers of segments."""
    folders.write(
        tmp_path,
        masks=lambda p, x: folders.save(
            p, np.stack([x + np.uint8(1), x * 0, x * 0], axis=-1)
        ),
    )
    with pytest.raises(ValueError, match=r"colour \(., 0, 0\) .* COCO's panoptic PN"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (" cat\n dog\n bird\n", True),
        ("250 50 83 cat\n51 221 255 dog\n9 9 9 bird\n", True),
        (" background\n cat\n dog\n", False),
        ("250 50 83 cat\n51 221 255 dog\n9 9 9 bird\n0 0 0 Void\n", False),
        ("0 0 0 other\n250 50 83 cat\n51 221 255 dog\n", False),
    ],
)
def test_names_without_a_background(tmp_path, text, told):
    """Datumaro 1.13.12, "camvid": background is 0 in masks, and not in the file."""
    folders.write(tmp_path, classes="")
    (tmp_path / "label_colors.txt").write_text(text)
    notes = open_folder(tmp_path).notes
    assert [note[:33] for note in notes] == ["label_colors.txt names no backgro"] * told
