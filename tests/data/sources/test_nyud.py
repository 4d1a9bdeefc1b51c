"""NYUDv2 from the folder of FCN's release, and what is said of one not whole."""

import pickle

import numpy as np
import pytest
import scipy.io
from PIL import Image

from fcn_jax import data
from fcn_jax.data import contracts, fingerprints
from fcn_jax.data import depth as depths
from fcn_jax.data.sources import nyud
from tests.support import nyud as made


@pytest.fixture
def root(tmp_path):
    return made.make_folder(tmp_path / "nyud")


def opened(root, split="test", channels=""):
    return data.open_source("nyud", split, root=str(root), channels=channels)


def pixels(root, folder, name):
    return np.asarray(Image.open(root / folder / f"img_{name}.png"))


def test_splits_and_classes(root):
    for split, names in made.IDS.items():
        assert opened(root, split).ids == names
    both = opened(root, "trainval")
    assert both.ids == made.IDS["train"] + made.IDS["val"]
    assert len(both.classes) == 40
    assert (both.classes[0], both.classes[23]) == ("wall", "refridgerator")
    assert both.classes[-1] == "otherprop"
    np.testing.assert_array_equal(both.image_sizes(), [(14, 18)] * 3)
    (root / "trainval.txt").write_text("5010\n")
    assert opened(root, "trainval").ids == ("5010",)
    heads = data.heads("nyud", "test")
    assert heads[0].classes == both.classes


def test_class_1_is_label_0_and_0_is_void(root):
    item = opened(root)[1]
    stored = scipy.io.loadmat(root / "segmentation/img_5002.mat")["segmentation"]
    np.testing.assert_array_equal(item["labels"][0, :3], (255, 0, 39))
    known = stored > 0
    np.testing.assert_array_equal(item["labels"][known], stored[known] - 1)
    assert (item["labels"][~known] == 255).all()
    assert item["id"] == "5002"


def test_what_each_net_is_given(root):
    colours, seen = (pixels(root, f"data/{x}", "5001") for x in ("images", "hha"))
    rgb = opened(root)[0]["image"]
    np.testing.assert_array_equal(rgb, colours)
    rgbd = opened(root, channels="rgbd")[0]["image"]
    assert rgbd.dtype == np.float32
    np.testing.assert_array_equal(rgbd[..., :3], colours)
    millimetres = pixels(root, "data/depth", "5001").astype(float)
    np.testing.assert_allclose(rgbd[..., 3], np.log(millimetres), rtol=1e-6)
    np.testing.assert_array_equal(opened(root, channels="hha")[0]["image"], seen)
    both = opened(root, channels="rgbhha")
    np.testing.assert_array_equal(both[0]["image"][..., 3:], seen)
    np.testing.assert_array_equal(both[0]["image"][..., :3], colours)
    assert both.channels == "rgbhha"
    assert contracts.num_channels(both) == 6


def test_without_hha_it_is_computed(root):
    before = opened(root, channels="hha")[0]["image"]
    (root / "data/hha").rename(root / "data/other")
    found = opened(root, channels="hha")[0]["image"]
    # The files were made of depth before it was rounded, by the camera of the cut.
    assert np.abs(found[..., 0].astype(int) - before[..., 0]).max() <= 1
    (root / "data/depth").rename(root / "data/another")
    with pytest.raises(FileNotFoundError, match="data/depth does not exist; a root of"):
        opened(root, channels="hha")
    opened(root)  # Colours need neither.


def test_a_fingerprint_tells_what_changed(root):
    one = fingerprints.of(opened(root))
    assert one == fingerprints.of(pickle.loads(pickle.dumps(opened(root))))
    assert one != fingerprints.of(opened(root, channels="hha"))
    Image.fromarray(np.zeros((14, 18, 3), np.uint8)).save(
        root / "data/images/img_5001.png"
    )
    now = fingerprints.of(opened(root))
    assert fingerprints.differing(now, one) == ["data/images"]


def test_where_it_is_not(root, tmp_path):
    with pytest.raises(ValueError, match="data set 'nyud' needs its place; set --conf"):
        data.open_source("nyud", "test")
    with pytest.raises(ValueError, match="nyud has no split 'dev'; there are trainval"):
        opened(root, "dev")
    with pytest.raises(ValueError, match="has no channels 'depth'; set --config.data"):
        opened(root, channels="depth")
    archive = tmp_path / "nyud.tar.gz"
    archive.write_bytes(b"\x1f\x8b")
    with pytest.raises(ValueError, match="nyud.tar.gz is a file; unpack it"):
        opened(archive)
    with pytest.raises(FileNotFoundError, match="data/images does not exist; a root o"):
        opened(tmp_path)
    with pytest.raises(IndexError, match="nyud test: no image 2; there are 2"):
        opened(root)[2]


def test_a_split_that_names_what_is_not_there(root):
    (root / "test.txt").write_text("5001\n5002\n6450\n6451\n")
    with pytest.raises(
        FileNotFoundError,
        match="data/images/img_6450.png does not exist, and neither do 1 more; split "
        "'test' names 4 images, and the archive is not whole",
    ):
        opened(root)
    (root / "test.txt").write_text("\n")
    with pytest.raises(ValueError, match="test.txt names no image; write ids there"):
        opened(root)
    (root / "test.txt").unlink()
    with pytest.raises(FileNotFoundError, match="test.txt does not exist; split 'test"):
        opened(root)


def test_an_archive_that_is_half_there(root):
    (root / "data/hha/img_5002.png").unlink()
    with pytest.raises(FileNotFoundError, match="img_5002.png does not exist; split"):
        opened(root, channels="rgbhha")
    opened(root)
    (root / "segmentation/img_5001.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(ValueError, match="img_5001.mat is no segmentation .*get it ag"):
        opened(root)[0]


def test_depth_of_another_size_or_without_a_number(root):
    path = root / "data/depth/img_5001.png"
    depths.write(np.ones((14, 17)), path)
    with pytest.raises(ValueError, match="img_5001.png: the image is 14x18 and its de"):
        opened(root, channels="rgbd")[0]
    depths.write(np.zeros((14, 18)), path)
    with pytest.raises(
        ValueError, match="depth 0 at row 0, column 0 .252 of 252 pixels have none"
    ):
        opened(root, channels="rgbd")[0]
    (root / "data/hha").rename(root / "data/other")
    with pytest.raises(ValueError, match="depth/img_5001.png: depth 0 at row 0, colum"):
        opened(root, channels="hha")[0]


def test_hha_and_labels_of_another_size(root):
    Image.fromarray(np.zeros((9, 18, 3), np.uint8)).save(root / "data/hha/img_5001.png")
    with pytest.raises(ValueError, match="img_5001.png, HHA: the image is 14x18 and i"):
        opened(root, channels="hha")[0]
    path = root / "segmentation/img_5001.mat"
    scipy.io.savemat(path, {"segmentation": np.ones((14, 20), np.uint8)})
    with pytest.raises(ValueError, match="image is 14x18 and its mask 14x20"):
        opened(root)[0]


@pytest.mark.parametrize(
    ("found", "message"),
    (
        (np.full((14, 18), 57, np.uint16), "holds class 57 at row 0, column 0 .252 su"),
        (np.ones((14, 18)), r"segmentation is float64 \[14, 18\]; expected integers"),
        (np.ones((14, 18, 2), np.uint8), r"segmentation is uint8 \[14, 18, 2\]; expe"),
    ),
)
def test_labels_of_another_table(root, found, message):
    path = root / "segmentation/img_5001.mat"
    scipy.io.savemat(path, {"segmentation": found})
    with pytest.raises(ValueError, match=message):
        nyud.NyudFolder(root, "test")[0]
