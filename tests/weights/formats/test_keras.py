"""Keras' files: a golden one that h5py wrote, and damaged copies of it."""

import zipfile

import numpy as np
import pytest

from fcn_jax.weights import WeightsError, formats, names
from fcn_jax.weights.formats import keras
from tests.support.paths import GOLDEN

KERAS = GOLDEN / "keras.h5"


def test_it_reads_what_h5py_wrote():
    found = keras.read(KERAS)
    assert set(found) == {"conv/conv/kernel:0", "conv/conv/bias:0"}
    kernel = np.arange(24, dtype="<f4").reshape(2, 2, 3, 2)
    np.testing.assert_array_equal(found["conv/conv/kernel:0"], kernel)


@pytest.mark.parametrize("size", (0, 8, 100, 1000))
def test_a_torn_file_is_refused(tmp_path, size):
    path = tmp_path / "torn.h5"
    path.write_bytes(KERAS.read_bytes()[:size])
    with pytest.raises(WeightsError, match="no HDF5"):
        keras.read(path)


def test_an_array_beyond_the_file_is_refused(tmp_path):
    data = KERAS.read_bytes()
    address = data.index(np.arange(24, dtype="<f4").tobytes())
    path = tmp_path / "lies.h5"
    path.write_bytes(
        data.replace(address.to_bytes(8, "little"), (10**6).to_bytes(8, "little"))
    )
    match = r"'conv/conv/kernel:0' of shape .* does not lie within the file"
    with pytest.raises(WeightsError, match=match):
        keras.read(path)


def test_a_file_read_too_often_is_refused(monkeypatch):
    monkeypatch.setattr(keras, "_SPARE_READS", 3)
    monkeypatch.setattr(keras, "_READS_A_BYTE", 0)
    with pytest.raises(WeightsError, match="it points back at itself"):
        keras.read(KERAS)


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        keras.read(tmp_path / "none.h5")


def test_compressed_arrays_are_refused():
    with pytest.raises(WeightsError, match="'w' is stored in pieces"):
        keras.read(KERAS.with_name("keras_compressed.h5"))


@pytest.mark.parametrize("name", ("keras3.weights.h5", "keras3.keras"))
def test_a_compiled_model_in_bfloat16(name):
    """Keras 3.15: bfloat16 is stored as two opaque bytes and an attribute."""
    path = KERAS.with_name(name)
    assert formats.detect(path) == "keras"
    found = keras.read(path)
    kernel = np.arange(24, dtype="<f4").reshape(2, 2, 3, 2)
    np.testing.assert_array_equal(found["layers/conv2d/vars/0"], kernel)
    np.testing.assert_array_equal(found["layers/conv2d/vars/1"], [1, 2])
    named = names.map_names(found, "keras")
    assert named.unused == ("optimizer/vars/1",)  # Of no use, and no mistake.
    assert named.unknown == ()


def test_a_compressed_archive_is_refused(tmp_path):
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(KERAS, "model.weights.h5")
    with pytest.raises(WeightsError, match="is compressed; expected it stored"):
        keras.read(path)


def behind_a_block(size, name="keras.h5"):
    """HDF5 behind a user block, its addresses counted from there, as h5py writes it."""
    data = bytearray((GOLDEN / name).read_bytes())
    assert data[8] == 0  # Version of the superblock; the base address is at 24.
    data[24:32] = size.to_bytes(8, "little")
    return bytes(size) + bytes(data)


@pytest.mark.parametrize("size", (512, 4096))
@pytest.mark.parametrize("form", ("alone", "member"))
def test_a_user_block_is_refused(tmp_path, size, form):
    """pyfive would read zeros behind it, without an error."""
    path = tmp_path / "net"
    path.write_bytes(behind_a_block(size))
    if form == "member":
        path.rename(tmp_path / "inner.h5")
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(tmp_path / "inner.h5", "model.weights.h5")
    match = rf"HDF5 behind a user block of {size} bytes, .*; expected HDF5 from the fir"
    with pytest.raises(WeightsError, match=match):
        keras.read(path)
    with pytest.raises(
        WeightsError, match=match if form == "member" else "begins with"
    ):
        formats.read(path)


def test_a_member_without_a_block_is_read(tmp_path):
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(KERAS, "model.weights.h5")
    assert keras.read(path)["conv/conv/kernel:0"].max() == 23


def test_what_is_no_hdf5_is_refused(tmp_path):
    path = tmp_path / "net.h5"
    path.write_bytes(b"\0" * 3000)
    with pytest.raises(WeightsError, match=r"no HDF5 \(it begins with b'"):
        keras.read(path)
