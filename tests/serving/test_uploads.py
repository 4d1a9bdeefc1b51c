"""What strangers send: read as predict reads it, or refused in one line."""

import contextlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fcn_jax.serving import uploads
from fcn_jax.serving.refusals import NO_IMAGE, TOO_LARGE, Refusal
from tests.support import servers

MOST = 24 * 32


def refused(data, match, status=NO_IMAGE, most=MOST):
    with pytest.raises(Refusal, match=match) as refusal:
        uploads.read(data, most)
    assert refusal.value.status == status
    assert "\n" not in str(refusal.value)


def test_an_image_of_just_the_limit():
    pixels = servers.scene()
    np.testing.assert_array_equal(uploads.read(servers.file_of(pixels), MOST), pixels)
    refused(
        servers.file_of(pixels),
        r"has 32x24 = 768 pixels, and 767 is the most; send a smaller one, or start",
        TOO_LARGE,
        MOST - 1,
    )


@pytest.mark.parametrize("kind", ("JPEG", "PNG", "WEBP", "TIFF"))
def test_it_is_turned_as_it_is_seen(kind):
    image = Image.fromarray(servers.scene())
    exif = image.getexif()
    exif[0x0112] = 6  # A quarter to the right.
    data = servers.file_of(image, kind, exif=exif)
    assert uploads.read(data, MOST).shape == (32, 24, 3)
    refused(data, "24x32 = 768 pixels, and 767", TOO_LARGE, MOST - 1)


@pytest.mark.parametrize(
    ("mode", "kind"),
    (
        ("L", "PNG"), ("1", "PNG"), ("P", "GIF"), ("RGBA", "PNG"), ("LA", "PNG"),
        ("CMYK", "JPEG"), ("I;16", "PNG"),
    ),
)  # fmt: skip
def test_every_kind_becomes_rgb_of_8_bits(mode, kind):
    if mode == "I;16":
        image = Image.fromarray(servers.scene()[..., 0].astype(np.uint16) * 256)
    else:
        image = Image.fromarray(servers.scene()).convert(mode)
    found = uploads.read(servers.file_of(image, kind), MOST)
    assert (found.shape, found.dtype) == ((24, 32, 3), np.uint8)
    assert found[:, 16:].mean() > found[:, :16].mean() + 60


@pytest.mark.parametrize(
    "data",
    (
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"",
        b"%PDF-1.7 ",
        b"\x89PNG\r\n\x1a\n",
        # Pillow would start Ghostscript for it.
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n",
    ),
)
def test_what_is_no_image(data):
    refused(data, rf"^what came is no image \({len(data)} bytes\); send one as JPEG, ")


@pytest.mark.parametrize("kind", ("JPEG", "PNG", "WEBP", "TIFF"))
def test_a_torn_image(kind):
    data = servers.file_of(servers.scene(), kind)
    refused(
        data[: len(data) * 2 // 3], "cannot be read: its data are damaged|is no image"
    )


def test_too_few_bits_are_told():
    grey = Image.fromarray(np.full((4, 4), 0x0FFF, np.uint16))
    refused(servers.file_of(grey), "^the image cannot be read: 16 bits a channel, of ")


def png_header(width, height):
    """Of a PNG whose pixels are not there."""
    parts = b"\x89PNG\r\n\x1a\n"
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    for kind, content in ((b"IHDR", size), (b"IDAT", zlib.compress(b""))):
        head = struct.pack(">I", len(content)) + kind + content
        parts += head + struct.pack(">I", zlib.crc32(kind + content))
    return parts


@pytest.mark.parametrize("side", (2**16, 2**20))
def test_the_header_suffices_to_refuse_a_large_one(side):
    """The second is beyond what Pillow itself would take."""
    refused(
        png_header(side, side),
        f"{side}x{side} = {side * side:,} pixels, and 768|more than 768 pixels",
        TOO_LARGE,
    )


def test_a_format_that_pillow_lacks_is_not_asked_for(monkeypatch):
    monkeypatch.delitem(Image.OPEN, "AVIF")
    assert uploads.formats.__wrapped__() == tuple(
        name for name in uploads.formats() if name != "AVIF"
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", uploads.formats())
def test_damage_is_refused_or_read(kind, seed):
    """Whatever Pillow's readers raise, the server goes on."""
    rng = np.random.default_rng(seed)
    data = bytearray(servers.file_of(servers.scene(), kind))
    for place in rng.integers(0, len(data), 8):
        data[place] = rng.integers(256)
    with contextlib.suppress(Refusal):
        assert uploads.read(bytes(data), MOST).ndim == 3
