"""Which images a split of a folder has, and which files."""

import numpy as np
import pytest

from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources import folder_files
from fcn_jax.data.sources.voc_folder import VocFolder
from tests.support import folders


def ids(root, name="train", **options):
    return VocFolder(root, name, options=FolderOptions(**options)).ids


@pytest.mark.parametrize(
    "line",
    (
        "a",
        "a.jpg",
        "/a.jpg",
        "./JPEGImages/a.jpg",
        "/JPEGImages/a.jpg",
        '"a"',
        "a 1",
        "a  0",
        "/JPEGImages/a.jpg /SegmentationClass/a.png",
        "JPEGImages/a.jpg SegmentationClass/a.png",
        "a.jpg,a.png",
        "a/",
        "JPEGImages//a.jpg",
        "# two images\na",
        "# two columns\nimage,mask\na.jpg,a.png",
        "image,mask\na.jpg,a.png",
        "filename\na.jpg",
    ),
)
@pytest.mark.parametrize("end", ("\n", "\r\n", ""))
def test_the_forms_of_a_line(tmp_path, line, end):
    folders.write(tmp_path, ("a",))
    folders.write_list(tmp_path, line + end)
    assert ids(tmp_path) == ("a",)


def test_absolute_paths_below_the_folder(tmp_path):
    folders.write(tmp_path)
    folders.write_list(
        tmp_path,
        f"{tmp_path}/JPEGImages/a.jpg\n"
        f"{tmp_path}/JPEGImages/b.jpg {tmp_path}/SegmentationClass/b.png\n",
    )
    assert ids(tmp_path) == ("a", "b")


def test_names_like_that_of_the_folder_stay(tmp_path):
    """As in KITTI's lists, 2011_09_26/image_02/data/0.png, in a folder named data."""
    root = tmp_path / "data"
    name = f"x{root}/y"  # The whole path of the folder, amid another.
    folders.write(root, (name.lstrip("/"),))
    assert ids(root) == (name,)


def test_images_whose_ids_look_like_comments_and_headers(tmp_path):
    folders.write(tmp_path, ("image", "#1", "a"))
    assert ids(tmp_path) == ("image", "#1", "a")


def test_an_id_in_another_case(tmp_path):
    folders.write(tmp_path, ("im0", "im1"))
    folders.write_list(tmp_path, "IM0\n")
    with pytest.raises(FileNotFoundError, match="no image IM0 .*there is im0, and up"):
        VocFolder(tmp_path, "train")
    folders.write(tmp_path, ("e\u0301",))
    folders.write_list(tmp_path, "\u00e9\n")
    with pytest.raises(FileNotFoundError, match="no image .*looks alike, with letter"):
        ids(tmp_path)


def test_ids_with_folders_spaces_and_dots(tmp_path):
    names = ("sub/dir one/a", "photo 0.final", "b.c")
    folders.write(tmp_path, names)
    assert ids(tmp_path) == names
    folders.write_list(tmp_path, "sub\\dir one\\a.jpg\nphoto 0.final 1\n")
    assert ids(tmp_path) == names[:2]


def test_images_that_a_list_marks_with_minus_one_are_left_out(tmp_path):
    folders.write(tmp_path, ("a", "b", "c"))
    folders.write_list(tmp_path, "a  1\nb -1\nc  0\n")
    source = VocFolder(tmp_path, "train")
    assert source.ids == ("a", "c")
    assert "1 of train.txt are left out, marked -1" in source.notes
    folders.write_list(tmp_path, "a -1\nb -1\n")
    with pytest.raises(ValueError, match="train.txt has -1 in its second column thr"):
        VocFolder(tmp_path, "train")


def test_pairs_by_their_paths_as_segnet_and_datumaro_list_them(tmp_path):
    """Datumaro 1.13.12, "camvid"; the list lies in the root."""
    folders.save(tmp_path / "train/img_0.jpg", folders.photo())
    truth = folders.labels()
    folders.save(tmp_path / "trainannot/img_0.png", truth)
    (tmp_path / "train.txt").write_text("/train/img_0.jpg trainannot/img_0.png\n")
    (tmp_path / "label_colors.txt").write_text(" ground\n car\n tree\n")
    source = VocFolder(tmp_path, "train")
    assert (source.ids, source.classes) == (("train/img_0",), ("ground", "car", "tree"))
    np.testing.assert_array_equal(source[0]["labels"], truth)
    (tmp_path / "train.txt").write_text("/train/img_0.jpg trainannot/img_1.png\n")
    with pytest.raises(FileNotFoundError, match="img_1.png does not exist, which .*ma"):
        VocFolder(tmp_path, "train")


def test_a_list_stays_in_the_folder(tmp_path):
    folders.write(tmp_path, ("a",))
    folders.write_list(tmp_path, "../a\n")
    with pytest.raises(ValueError, match="lists '../a', which leaves the folder; list"):
        VocFolder(tmp_path, "train")


@pytest.mark.parametrize("ending", (".JPG", ".Jpeg", ".png", ".bmp", ".TIF", ".webp"))
def test_photos_of_any_ending(tmp_path, ending):
    folders.write(tmp_path, ("a", "b"))
    (tmp_path / "JPEGImages/a.jpg").unlink()
    options = {"lossless": True} if ending == ".webp" else {}
    folders.save(tmp_path / f"JPEGImages/a{ending}", folders.photo(), **options)
    image = VocFolder(tmp_path, "train")[0]["image"]
    assert image.shape == (*folders.SIZE, 3)
    if ending.lower() not in (".jpg", ".jpeg"):
        np.testing.assert_array_equal(image, folders.photo())


def test_of_two_photos_the_jpeg_counts(tmp_path):
    folders.write(tmp_path, ("a",))
    folders.save(tmp_path / "JPEGImages/a.bmp", folders.photo(5))
    image = VocFolder(tmp_path, "train")[0]["image"]
    assert abs(image.mean() - folders.photo().mean()) < 2


@pytest.mark.parametrize("ending", (".PNG", ".tif", ".bmp", ".gif"))
def test_masks_of_any_ending(tmp_path, ending):
    folders.write(
        tmp_path,
        masks=lambda path, labels: folders.save(path.with_suffix(ending), labels),
    )
    labels = VocFolder(tmp_path, "train")[1]["labels"]
    np.testing.assert_array_equal(labels, folders.labels(seed=1))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", "a.png does not exist, but .*there is a.jpg: masks are .png, .bmp"),
        ("a_mask.png", "there is a_mask.png: name masks as their images; add the mask"),
        (
            "../SegmentationClassAug/a.png",
            "SegmentationClassAug has it: --config.data.mask_dir=SegmentationClassAug",
        ),
        ("z.png", "is there; add the mask, take the id .*missing_mask=back"),
    ],
)
def test_what_lies_beside_a_missing_mask(tmp_path, name, message):
    folders.write(tmp_path)
    (tmp_path / "SegmentationClass/a.png").unlink()
    folders.save(tmp_path / "SegmentationClass" / name, folders.labels())
    with pytest.raises(FileNotFoundError, match=message):
        VocFolder(tmp_path, "train")


def test_another_folder_of_masks(tmp_path):
    folders.write(tmp_path)
    truth = folders.labels(seed=7)
    for name in ("a", "b"):
        folders.save(tmp_path / f"SegmentationClassAug/{name}.png", truth)
    options = FolderOptions(mask_dir="SegmentationClassAug")
    labels = VocFolder(tmp_path, "train", options=options)[0]["labels"]
    np.testing.assert_array_equal(labels, truth)
    with pytest.raises(FileNotFoundError, match="is there; SegmentationClass has it"):
        ids(tmp_path, mask_dir="Aug")


@pytest.mark.parametrize(("missing", "label"), (("background", 0), ("void", 255)))
def test_images_without_a_mask(tmp_path, missing, label):
    """Datumaro 1.13.12 lists images without annotation and writes no mask."""
    folders.write(tmp_path)
    (tmp_path / "SegmentationClass/a.png").unlink()
    (tmp_path / "SegmentationObject").mkdir()
    source = VocFolder(tmp_path, "train", options=FolderOptions(missing_mask=missing))
    assert f"1 images without a mask are {missing} throughout" in source.notes
    np.testing.assert_array_equal(source[0]["labels"], np.full(folders.SIZE, label))
    np.testing.assert_array_equal(source[0]["objects"], np.zeros(folders.SIZE))
    np.testing.assert_array_equal(source[1]["labels"], folders.labels(seed=1))
    (tmp_path / "SegmentationClass/b.png").unlink()
    with pytest.raises(FileNotFoundError, match="SegmentationClass holds the mask of"):
        ids(tmp_path, missing_mask=missing)


def test_a_folder_without_lists_is_divided_by_chance(tmp_path):
    names = [f"{k:02d}" for k in range(20)] + ["sub/a"]
    folders.write(tmp_path, names)
    (tmp_path / "JPEGImages/.hidden.jpg").write_bytes(b"")
    folders.save(tmp_path / "JPEGImages/.ipynb_checkpoints/a.jpg", folders.photo())
    for folder in ("JPEGImages", "SegmentationClass"):  # On another disk.
        (tmp_path / folder / "sub").rename(tmp_path / f"far_{folder}")
        (tmp_path / folder / "sub").symlink_to(tmp_path / f"far_{folder}")
    (tmp_path / "ImageSets/Segmentation/train.txt").unlink()
    (tmp_path / "ImageSets/Segmentation").rmdir()
    (tmp_path / "ImageSets").rmdir()
    train, val = (ids(tmp_path, name, split=0.8) for name in ("train", "val"))
    assert (len(train), len(val)) == (17, 4)
    assert sorted((*train, *val)) == sorted(names)
    assert ids(tmp_path, split=0.8) == train
    assert ids(tmp_path, split=0.8, split_seed=1) != train
    assert len(ids(tmp_path, "val", split=0.999)) == 1
    source = VocFolder(tmp_path, "train", options=FolderOptions(split=0.8))
    assert "17 of 21 images by chance, --config.data.split=0.8" in source.notes
    with pytest.raises(ValueError, match="divides a folder into 'train' and 'val', no"):
        ids(tmp_path, "test", split=0.8)
    with pytest.raises(FileNotFoundError, match="Without lists --config.data.split"):
        ids(tmp_path)


def test_a_folder_of_one_image_cannot_be_divided(tmp_path):
    folders.write(tmp_path, ("a",))
    with pytest.raises(FileNotFoundError, match="JPEGImages holds 1 images; .* needs"):
        ids(tmp_path, split=0.5)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "gtFine/x.png",
            "layout of Cityscapes: fcn_jax import cityscapes .* DST",
        ),
        (
            "annotations/instances.json",
            "COCO's annotations, which .*: fcn_jax import coco .* DST",
        ),
        (
            "annotations/panoptic_train.json",
            "COCO's panoptic .*: fcn_jax import coco_panoptic .* DST",
        ),
        ("photo.json", "annotations in JSON, .*: fcn_jax import labelme .* DST draws"),
        ("VOC2012/x", "Set --config.data.root to the year's folder in it, such as VOC"),
        ("JPEGImages/x.jpg", "Without lists --config.data.split=0.8 divides all"),
        (
            "ImageSets/Main/train.txt",
            "Segmentation does not exist; .*Set --config",
        ),
    ],
)
def test_folders_in_another_layout(tmp_path, path, message):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=message):
        VocFolder(tmp_path, "train")


def test_lists_for_other_tasks_are_named(tmp_path):
    folders.write(tmp_path)
    (tmp_path / "ImageSets/Segmentation").rename(tmp_path / "ImageSets/Main")
    with pytest.raises(FileNotFoundError, match="Main lists images for other tasks. W"):
        VocFolder(tmp_path, "train")


def test_a_split_without_a_name(tmp_path):
    folders.write(tmp_path)
    with pytest.raises(ValueError, match="without a name; set --config.data.train_spl"):
        VocFolder(tmp_path, "")


def test_a_list_that_is_not_there(tmp_path):
    folders.write(tmp_path)
    with pytest.raises(
        FileNotFoundError, match="There are: train. Name one as .*eval_split, or set"
    ):
        VocFolder(tmp_path, "val")


@pytest.mark.parametrize(
    "path",
    (
        "JPEGImages/a.jpg",
        "SegmentationClass/a.png",
        "JPEGImages",
        "SegmentationClass",
        "ImageSets/Segmentation/train.txt",
        "classes.txt",
    ),
)
@pytest.mark.parametrize("line", ("a", "/JPEGImages/a.jpg /SegmentationClass/a.png"))
@pytest.mark.parametrize("missing_mask", ("error", "background"))
def test_a_link_to_nothing_is_named(tmp_path, path, line, missing_mask):
    """As where a disk is not mounted; its masks are not background by that."""
    folders.write(tmp_path)
    folders.write_list(tmp_path, f"{line}\nb\n")
    (tmp_path / path).rename(tmp_path / "moved")
    (tmp_path / path).symlink_to(tmp_path / "gone")
    name = path.rpartition("/")[2]
    with pytest.raises(FileNotFoundError, match=f"{name} is a link to .*gone, which "):
        ids(tmp_path, missing_mask=missing_mask)


def test_a_list_of_all_files_of_a_folder(tmp_path):
    folders.write(tmp_path)
    folders.write_list(tmp_path, ".DS_Store\na\n")
    (tmp_path / "JPEGImages/.DS_Store").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="no image .DS_Store .* lists; Add it"):
        VocFolder(tmp_path, "train")


def test_an_ending_that_is_not_read_is_named(tmp_path):
    folders.write(tmp_path)
    (tmp_path / "JPEGImages/a.jpg").rename(tmp_path / "JPEGImages/a.heic")
    with pytest.raises(FileNotFoundError, match="no image a .*; there is a.heic. Add"):
        VocFolder(tmp_path, "train")


def test_a_mask_named_without_its_folder(tmp_path):
    folders.write(tmp_path)
    folders.write_list(tmp_path, "a.jpg b.png\n")
    labels = VocFolder(tmp_path, "train")[0]["labels"]
    np.testing.assert_array_equal(labels, folders.labels(seed=1))
    folders.write_list(tmp_path, "a.jpg c.png\n")
    with pytest.raises(FileNotFoundError, match="c.png does not exist, .*paths are fr"):
        VocFolder(tmp_path, "train")


def test_every_wrong_entry_is_told_where_somebody_listens(tmp_path, monkeypatch):
    """Likely names are looked for while few are missing; each takes a moment."""
    folders.write(tmp_path, ("a", "b"))
    (tmp_path / "SegmentationClass/b.png").unlink()
    gone = [f"gone{number}" for number in range(25)]
    lines = ["a", "b", "a", "../x", *gone]
    folders.write_list(tmp_path, "".join(f"{line}\n" for line in lines))
    compared, told = [], []
    monkeypatch.setattr(
        folder_files.messages, "suggestion", lambda name, known: compared.append(name)
    )
    pairs, _ = folder_files.read_split(
        tmp_path,
        "train",
        FolderOptions(),
        lambda name, error: told.append((name, error)),
    )
    assert [pair.name for pair in pairs] == ["a"]
    assert sorted(name for name, _ in told) == sorted(["b", "a", "../x", *gone])
    kinds = {name: type(error) for name, error in told}
    assert (kinds["a"], kinds["../x"]) == (ValueError, ValueError)
    assert kinds["b"] is kinds["gone24"] is FileNotFoundError
    assert compared == gone[:19]
