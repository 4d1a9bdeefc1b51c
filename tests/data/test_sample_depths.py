"""Images whose samples have more than 8 bits: refused, or read by the upper ones."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features

from fcn_jax.data import image_files, label_sets, photos, sample_depths
from fcn_jax.data.sources.voc_folder import VocFolder
from tests.support import folders

FULL = np.arange(60, dtype=np.uint16).reshape(4, 5, 3) * np.uint16(1100)
TWELVE = np.arange(60, dtype=np.uint16).reshape(4, 5, 3) * np.uint16(69)


def save_png(path, values):
    """A PNG of 16 bits a channel, whose colour Pillow does not write."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">2I5B", width, height, 16, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        content += struct.pack(">I", len(data)) + name + data + checksum
    path.write_bytes(content)


def save_tiff(path, values, order="<", bits=16):
    """A TIFF without compression; of few bits `values` are packed already."""
    height, width, channels = values.shape
    tags = {
        256: width if bits >= 8 else width * 8 // bits,
        257: height,
        258: bits,
        259: 1,
        262: 2 if channels > 2 else 1,
        273: 0,
        277: channels,
        278: height,
        279: values.nbytes,
        338: 2,
    }
    if channels not in (2, 4):
        del tags[338]
    more = 8 + 2 + 12 * len(tags) + 4
    tags[273] = more + 2 * channels
    content = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8)
    content += struct.pack(f"{order}H", len(tags))
    for tag, value in tags.items():
        if tag == 258 and channels > 2:
            content += struct.pack(f"{order}HHII", tag, 3, channels, more)
        else:
            content += struct.pack(f"{order}HHII", tag, 4, 1, value)
    content += struct.pack(f"{order}I", 0) + struct.pack(f"{order}H", bits) * channels
    kind = f"{order}u2" if bits == 16 else "u1"
    path.write_bytes(content + values.astype(kind).tobytes())


def save_sgi(path, values):
    Image.fromarray((values[..., 0] >> 8).astype(np.uint8)).save(path, bpc=2)


WRITERS = {
    "a.png": save_png,
    "a.tif": save_tiff,
    "b.tif": lambda path, values: save_tiff(path, values, ">"),
}


def read(path):
    return photos.read(photos.Photo("a", path))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("channels", (1, 3, 4))
def test_16_bits_are_read_by_the_upper_8_or_refused(tmp_path, name, channels):
    values = np.concatenate([FULL, FULL[..., :1]], axis=2)[..., :channels]
    WRITERS[name](tmp_path / name, values)
    assert image_files.read_header(tmp_path / name).bits == 16
    shown = np.broadcast_to(values[..., : 3 if channels > 2 else 1] >> 8, FULL.shape)
    np.testing.assert_array_equal(read(tmp_path / name), shown)
    with pytest.raises(ValueError, match=rf"{name}: .* more than 8 bits .*\(16\); sav"):
        image_files.read_photo(tmp_path / name)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("channels", (1, 3, 4))
def test_12_bits_in_16_are_no_black_picture(tmp_path, name, channels):
    opaque = np.full_like(TWELVE[..., :1], 0xFFFF)
    values = np.concatenate([TWELVE, opaque], axis=2)[..., :channels]
    WRITERS[name](tmp_path / name, values)
    with pytest.raises(ValueError, match=f"{name}: 16 bits .* of 12 bits or fewer, an"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ("a.tif", "a.png"))
def test_a_folder_is_refused_when_it_is_opened(tmp_path, name):
    folders.write(tmp_path)
    (tmp_path / "JPEGImages/b.jpg").unlink()
    values = np.resize(TWELVE, (*folders.SIZE, 3))
    WRITERS[name](tmp_path / f"JPEGImages/b{name[1:]}", values)
    with pytest.raises(ValueError, match=rf"b\{name[1:]}: an image of mode 'RGB', wi"):
        VocFolder(tmp_path, "train")


def test_a_mask_of_16_bits_in_colours_is_not_background(tmp_path):
    """Its values are below 256, so that the upper bits are 0 throughout."""
    colours = label_sets.VOC.palette[folders.labels()].astype(np.uint16)
    for name in ("a.png", "a.tif"):
        WRITERS[name](tmp_path / name, colours)
        with pytest.raises(ValueError, match=f"{name}: a mask of .* has 16 bits a ch"):
            image_files.read_mask(tmp_path / name, label_sets.VOC.palette)


@pytest.mark.parametrize("bits", (2, 4))
def test_grey_tiffs_of_few_bits_hold_values(tmp_path, bits):
    labels = np.arange(16, dtype=np.uint8).reshape(2, 8) % 2**bits
    packed = np.zeros((2, bits), np.uint8)
    for column in range(8):
        place = column * bits
        packed[:, place // 8] |= labels[:, column] << (8 - bits - place % 8)
    save_tiff(tmp_path / "m.tif", packed[..., None], bits=bits)
    found, kind = image_files.read_mask(tmp_path / "m.tif", label_sets.VOC.palette)
    np.testing.assert_array_equal(found, labels)
    assert kind == "grey"


def test_samples_of_32_bits_have_no_scale(tmp_path):
    Image.fromarray(np.full((4, 5), 70_000, np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a.tif: .* more than 8 bits .*\(32\)"):
        read(tmp_path / "a.tif")


def test_what_other_formats_say_of_their_samples(tmp_path):
    save_sgi(tmp_path / "a.sgi", FULL)
    Image.fromarray(FULL[..., 0]).save(tmp_path / "b.pgm")
    Image.fromarray(FULL.astype(np.uint8)).save(tmp_path / "c.bmp")
    expected = {"a.sgi": 16, "b.pgm": 16, "c.bmp": 8}
    if features.check("jpg_2000"):
        Image.fromarray(FULL[..., 0]).save(tmp_path / "d.jp2")
        Image.fromarray(FULL.astype(np.uint8)).save(tmp_path / "e.j2k")
        expected |= {"d.jp2": 16, "e.j2k": 8}
    for name, bits in expected.items():
        with Image.open(tmp_path / name) as image:
            assert sample_depths.bits_of(image, tmp_path / name) == bits, name
