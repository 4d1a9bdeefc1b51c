"""MCG's files: what stands in them, and what is no file of it."""

import numpy as np
import pytest
import scipy.io

from fcn_jax.proposals import mcg

SUPERPIXELS = np.array([[1, 1, 2], [3, 3, 2]])


def cells(*rows):
    found = np.empty((len(rows), 1), object)
    for place, row in enumerate(rows):
        found[place, 0] = np.array(row, float)[:, None]
    return found


def saved(path, **changes):
    """A file as im2mcg.m leaves it; boxes of fewer rows than masks, as newer ones."""
    held = {
        "superpixels": SUPERPIXELS.astype(float),
        "labels": cells([1], [2, 3], [1, 2, 3]),
        "scores": np.array([[0.9], [0.5], [0.1]]),
        "bboxes": np.array([[1.0, 1.0, 1.0, 2.0]]),
    }
    held |= changes
    scipy.io.savemat(path, {name: x for name, x in held.items() if x is not None})
    return path


def test_a_mask_is_the_union_of_its_superpixels(tmp_path):
    found = mcg.read(saved(tmp_path / "im.mat"))
    assert found.member.tolist() == [[1, 0, 0], [0, 1, 1], [1, 1, 1]]
    for place, wanted in enumerate(([1], [2, 3], [1, 2, 3])):
        mask = np.isin(SUPERPIXELS, wanted)
        np.testing.assert_array_equal(found.mask(place), mask)
    assert len(mcg.read(tmp_path / "im.mat", num=2)) == 2


def test_numbers_of_superpixels_may_have_gaps(tmp_path):
    path = saved(
        tmp_path / "im.mat",
        superpixels=SUPERPIXELS * 10.0,
        labels=cells([10], [20, 30]),
    )
    found = mcg.read(path)
    assert found.regions.tolist() == (SUPERPIXELS - 1).tolist()
    assert found.member.tolist() == [[True, False, False], [False, True, True]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"superpixels": None}, "im.mat lacks superpixels; the file is damaged"),
        ({"labels": None}, "im.mat lacks labels"),
        ({"superpixels": np.zeros((2, 3))}, r"numbered from \[0.0\]; .* from 1 on"),
        ({"superpixels": SUPERPIXELS + 0.5}, "whole numbers from 1 on"),
        ({"superpixels": "im"}, r"superpixels are <U\d \(1,\); expected numbers"),
        ({"labels": np.ones((3, 1))}, r"labels are float64 \(3, 1\); expected a cell"),
        ({"labels": cells([1], [4])}, "mask 2 unites superpixel 4.0; there are 1 to 3"),
        ({"labels": cells([])}, "mask 1 unites no superpixel"),
    ],
)
def test_other_content_is_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        mcg.read(saved(tmp_path / "im.mat", **changes))


def test_a_damaged_file_is_named(tmp_path):
    path = saved(tmp_path / "im.mat")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="im.mat cannot be read .*: get it again"):
        mcg.read(path)
    path.write_bytes(b"no matlab file")
    with pytest.raises(ValueError, match="im.mat cannot be read"):
        mcg.read(path)


def test_a_file_of_version_7_3_is_told(tmp_path):
    path = tmp_path / "im.mat"
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(header + bytes(512 - len(header)) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ValueError, match="of version 7.3; save it with -v7"):
        mcg.read(path)


def test_a_file_that_is_not_there_and_no_masks(tmp_path):
    with pytest.raises(FileNotFoundError, match="im.mat does not exist; MCG's im2mcg"):
        mcg.read(tmp_path / "im.mat")
    with pytest.raises(ValueError, match="num=0 candidates; give 1 or more"):
        mcg.read(saved(tmp_path / "im.mat"), num=0)
