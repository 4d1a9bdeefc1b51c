"""NYUDv2 from its labelled file, made small by h5py; files that are another."""

import pickle
import sys

import numpy as np
import pytest
import scipy.io

from fcn_jax import data
from fcn_jax.data import fingerprints, hha
from fcn_jax.data.sources import nyud_labels, nyud_mat
from tests.support import nyud as made

h5py = pytest.importorskip("h5py", reason="h5py (the extra [nyud]) reads the .mat")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a file of three images, its official split, what it holds."""
    folder = tmp_path_factory.mktemp("mat")
    arrays = made.make_mat(folder / "nyu_depth_v2_labeled.mat", h5py)
    made.make_splits(folder / "splits.mat")
    return folder, arrays


def opened(root, split="test", channels=""):
    return data.open_source("nyud", split, root=str(root), channels=channels)


def test_images_and_labels_are_cut_and_turned(whole):
    folder, arrays = whole
    source = opened(folder, "trainval")
    assert source.ids == ("5002", "5003")
    item = source[1]
    assert item["image"].shape == (425, 560, 3)
    expected = arrays["images"][2].transpose(2, 1, 0)[45:470, 40:600]
    np.testing.assert_array_equal(item["image"], expected)
    numbers = arrays["labels"][2].T[45:470, 40:600]
    classes = nyud_labels.table()[numbers]
    np.testing.assert_array_equal(item["labels"] == 255, numbers == 0)
    known = numbers > 0
    np.testing.assert_array_equal(item["labels"][known], classes[known] - 1)
    np.testing.assert_array_equal(source.image_sizes(), [(425, 560)] * 2)
    assert opened(folder / "nyu_depth_v2_labeled.mat").ids == ("5001",)


def test_depth_is_in_whole_millimetres_and_hha_knows_what_is_missing(whole):
    folder, arrays = whole
    rgbd = opened(folder, channels="rgbd")[0]["image"]
    depth = arrays["depths"][0].T[45:470, 40:600].astype(float)
    millimetres = np.exp(rgbd[..., 3].astype(float))
    assert np.abs(millimetres - np.floor(depth * 1000 + 0.5)).max() < 0.01
    found = opened(folder, channels="hha")[0]["image"]
    missing = arrays["rawDepths"][0].T[45:470, 40:600] == 0
    assert missing.sum() == 100
    rounded = np.floor(depth * 1000 + 0.5) / 1000
    expected = hha.encode(rounded, hha.KINECT_CROPPED, missing)
    np.testing.assert_array_equal(found, expected)


def test_lists_of_ids_in_place_of_the_official_split(tmp_path, whole):
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    path.symlink_to(whole[0] / path.name)
    with pytest.raises(FileNotFoundError, match="splits.mat does not exist; put the"):
        opened(tmp_path)
    for name, ids in (("train", "5003\n"), ("val", "5001\n"), ("test", "2\n")):
        (tmp_path / f"{name}.txt").write_text(ids)
    assert opened(tmp_path, "trainval").ids == ("5003", "5001")
    assert opened(tmp_path, "val").ids == ("5001",)
    assert opened(tmp_path, "test").ids == ("5002",)


def test_it_is_opened_again_in_another_process(whole):
    source = opened(whole[0])
    first = source[0]["image"]
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[0]["image"], first)
    assert fingerprints.of(again) == fingerprints.of(source)
    with pytest.raises(IndexError, match="nyud test: no image 1; there are 1"):
        source[1]


@pytest.mark.parametrize("numbers", ((1450,), (0,)))
def test_a_split_that_names_scenes_that_are_not_there(tmp_path, whole, numbers):
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    path.symlink_to(whole[0] / path.name)
    made.make_splits(tmp_path / "splits.mat", test=numbers)
    with pytest.raises(
        ValueError,
        match=rf"splits.mat names image {numbers[0]} .1 of 1 like that., and .* holds "
        r"1 to 3 .ids 5001 to 5003",
    ):
        opened(tmp_path)
    scipy.io.savemat(tmp_path / "splits.mat", {"other": [1]})
    with pytest.raises(ValueError, match="splits.mat is no split .KeyError"):
        opened(tmp_path)


def test_a_mat_of_another_data_set(tmp_path):
    path = tmp_path / "other.mat"
    made.make_mat(path, h5py, count=1, size=(4, 6), left_out=("labels", "rawDepths"))
    message = r"other.mat lacks rawDepths, labels \(it holds depths, images, names\); e"
    with pytest.raises(ValueError, match=message):
        opened(path)
    made.make_mat(path, h5py, count=1, size=(4, 6))
    with pytest.raises(
        ValueError, match=r"images is \[1, 3, 6, 4\] in HDF5; expected \[1, 3, 640, 480"
    ):
        opened(path)
    made.make_mat(path, h5py, count=1, names=["book", "bottle"])
    with pytest.raises(
        ValueError, match="of its 2 names of labels number 21 is None; expected 894, a"
    ):
        opened(path)
    scipy.io.savemat(path, {"images": np.ones(3)})
    with pytest.raises(ValueError, match="other.mat is no MATLAB file of version 7.3 "):
        opened(path)
    with pytest.raises(FileNotFoundError, match="none.mat does not exist; expected ny"):
        opened(tmp_path / "none.mat")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    (
        ("images", np.float32, "images is float32; expected bytes, uint8: it was conv"),
        ("images", np.uint16, "images is uint16; expected bytes"),
        ("depths", np.uint16, "depths is uint16; expected metres, floating point"),
        ("rawDepths", np.int64, "rawDepths is int64; expected metres"),
        ("labels", np.float64, "labels is float64; expected numbers of names, uint16"),
        ("labels", np.int16, "labels is int16; expected numbers of names"),
    ),
)
def test_a_file_that_was_converted(tmp_path, whole, name, kind, message):
    """In which pixels would be nearly black, and names below 0 others."""
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    path.write_bytes((whole[0] / path.name).read_bytes())
    with h5py.File(path, "r+") as file:
        shape = file[name].shape
        del file[name]
        file.create_dataset(name, shape, kind)
    made.make_splits(tmp_path / "splits.mat")
    with pytest.raises(ValueError, match=message):
        opened(tmp_path)


def test_a_split_without_images(tmp_path, whole):
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    path.symlink_to(whole[0] / path.name)
    made.make_splits(tmp_path / "splits.mat", test=())
    with pytest.raises(
        ValueError, match="splits.mat names no image of 'test'; expected numbers of im"
    ):
        opened(tmp_path)


def test_a_torn_file(tmp_path, whole):
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    content = (whole[0] / path.name).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="cannot be read .*; it is truncated, corrupt"):
        opened(path)


def test_depth_without_a_number(tmp_path):
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    made.make_mat(path, h5py, count=1)
    made.make_splits(tmp_path / "splits.mat", test=(1,))
    for value in (np.nan, 0):
        with h5py.File(path, "r+") as file:
            file["depths"][0, 100, 100] = value
        for channels in ("rgbd", "hha"):
            with pytest.raises(
                ValueError, match=rf"image 1: depth {value:g} at row 55, column 60 .1 o"
            ):
                opened(path, channels=channels)[0]
    with h5py.File(path, "r+") as file:
        file["labels"][0, 100, 100] = 900
    with pytest.raises(ValueError, match="image 1: labels hold 900; expected 0 to 894"):
        opened(path)[0]


def test_without_h5py(whole, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"h5py, which is not installed; .*-jax\[n"):
        nyud_mat.NyudMat(whole[0] / "nyu_depth_v2_labeled.mat", "test")
