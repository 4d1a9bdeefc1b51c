import io

import numpy as np
import pytest
import scipy.io

from fcn_jax.data.sources import sbd


def mat(**content):
    stream = io.BytesIO()
    scipy.io.savemat(stream, content)
    stream.seek(0)
    return stream


def test_the_mask_comes_back():
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    found = sbd.read_mat(mat(GTcls={"Segmentation": mask}), "cls", "x.mat")
    np.testing.assert_array_equal(found, mask)
    found = sbd.read_mat(mat(GTinst={"Segmentation": mask}), "inst", "x.mat")
    np.testing.assert_array_equal(found, mask)


def test_another_file_is_named():
    with pytest.raises(ValueError, match="x.mat is no SBD mask .KeyError.*GTcls.Segm"):
        sbd.read_mat(mat(a=1), "cls", "x.mat")
    with pytest.raises(ValueError, match="x.mat is no SBD mask"):
        sbd.read_mat(io.BytesIO(b"nothing"), "cls", "x.mat")


def test_another_type_is_named():
    wrong = mat(GTcls={"Segmentation": np.zeros((2, 2))})
    with pytest.raises(ValueError, match=r"GTcls.Segmentation is float64 .*; expected"):
        sbd.read_mat(wrong, "cls", "x.mat")
