"""Images in memory are read as files are."""

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import image_files
from fcn_jax.data.content import Content
from tests.support import servers


@pytest.mark.parametrize("kind", ("PNG", "TIFF", "JPEG2000", "JPEG"))
def test_bytes_are_read_as_the_file_is(tmp_path, kind):
    pixels = servers.scene()
    data = servers.file_of(pixels, kind)
    (tmp_path / "image").write_bytes(data)
    found = image_files.read_photo(Content("it", data), upright=True, deep=True)
    expected = image_files.read_photo(tmp_path / "image", upright=True, deep=True)
    np.testing.assert_array_equal(found, expected)
    header = image_files.read_header(Content("it", data))
    assert (header.height, header.width, header.bits) == (24, 32, 8)


def test_16_bits_in_memory():
    grey = Image.fromarray(np.array([[0x1234, 0xFFFF]], np.uint16))
    for kind in ("PNG", "TIFF"):
        content = Content("it", servers.file_of(grey, kind))
        assert image_files.read_header(content).bits == 16
        found = image_files.read_photo(content, deep=True)
        assert found[0, :, 0].tolist() == [0x12, 0xFF]


def test_messages_name_it_and_leave_the_bytes_out():
    torn = Content("the picture", servers.file_of(servers.scene())[:-40])
    with pytest.raises(ValueError, match="^the picture cannot be read whole"):
        image_files.read_photo(torn)
    assert repr(torn) == "Content(name='the picture', formats=None)"


def test_formats_that_are_not_named_are_not_read():
    data = servers.file_of(servers.scene(), "BMP")
    assert image_files.read_photo(Content("it", data, ("BMP", "PNG"))).any()
    with pytest.raises(ValueError, match="it is no readable image"):
        image_files.read_photo(Content("it", data, ("PNG",)))
