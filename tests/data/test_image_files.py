"""Masks and photographs, in every way that a file stores them."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import image_files, label_sets

PALETTE = label_sets.voc_palette()
LABELS = np.array([[0, 1, 2, 20], [15, 255, 255, 0]], np.uint8)


def read(path):
    return image_files.read_mask(path, PALETTE)


def test_a_palette_mask_holds_indices(tmp_path):
    image = Image.fromarray(LABELS)
    image.putpalette(np.full(768, 9, np.uint8).tolist())  # The colours do not count.
    image.save(tmp_path / "m.png")
    labels, kind = read(tmp_path / "m.png")
    np.testing.assert_array_equal(labels, LABELS)
    assert (labels.dtype, kind) == (np.uint8, "palette")


@pytest.mark.parametrize("bits", (1, 2, 4))
def test_palettes_of_few_bits_hold_indices_too(tmp_path, bits):
    labels = np.array([[0, 1], [1, 0]], np.uint8)
    image = Image.fromarray(labels)
    image.putpalette([7, 7, 7, 200, 0, 0])
    image.save(tmp_path / "m.png", bits=bits)
    ours, kind = read(tmp_path / "m.png")
    np.testing.assert_array_equal(ours, labels)
    assert kind == "palette"


def test_a_grey_mask_holds_values(tmp_path):
    Image.fromarray(LABELS).save(tmp_path / "m.png")
    labels, kind = read(tmp_path / "m.png")
    np.testing.assert_array_equal(labels, LABELS)
    assert (labels.dtype, kind) == (np.uint8, "grey")


def write_png(path, header, rows):
    """A PNG of a header and of rows, each after the number of its filter."""
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        content += struct.pack(">I", len(data)) + kind + data + checksum
    path.write_bytes(content)


def save_grey(path, rows, bits):
    """A grey PNG of less than 8 bits, which Pillow reads but does not write."""
    per_byte = 8 // bits
    packed = b""
    for row in rows:
        packed += b"\0"  # No filter.
        for start in range(0, len(row), per_byte):
            byte = 0
            for value in row[start : start + per_byte]:
                byte = byte << bits | value
            packed += bytes([byte])
    header = struct.pack(">2I5B", len(rows[0]), len(rows), bits, 0, 0, 0, 0)
    write_png(path, header, packed)


@pytest.mark.parametrize("bits", (1, 2, 4))
def test_grey_of_few_bits_holds_values_too(tmp_path, bits):
    rows = np.arange(32).reshape(4, 8) % 2**bits
    save_grey(tmp_path / "m.png", rows.tolist(), bits)
    labels, kind = read(tmp_path / "m.png")
    np.testing.assert_array_equal(labels, rows)
    assert (labels.dtype, kind) == (np.uint8, "grey")
    values = image_files.read_values(tmp_path / "m.png")
    np.testing.assert_array_equal(values, rows)


def test_a_mask_of_one_bit_holds_0_and_1(tmp_path):
    Image.fromarray(np.array([[True, False, True]])).save(tmp_path / "m.png")
    labels, kind = read(tmp_path / "m.png")
    np.testing.assert_array_equal(labels, [[1, 0, 1]])
    assert (labels.dtype, kind) == (np.uint8, "grey")


def test_a_coloured_mask_is_looked_up(tmp_path):
    Image.fromarray(PALETTE[LABELS]).save(tmp_path / "m.png")
    labels, kind = read(tmp_path / "m.png")
    np.testing.assert_array_equal(labels, LABELS)
    assert (labels.dtype, kind) == (np.uint8, "rgb")


def test_every_colour_of_voc_is_found():
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    ours = image_files.colours_to_labels(PALETTE[labels], PALETTE, "m.png")
    np.testing.assert_array_equal(ours, labels)


def test_the_lowest_label_of_a_repeated_colour():
    palette = np.zeros((256, 3), np.uint8)
    palette[3:] = 5
    colours = np.array([[[5, 5, 5], [0, 0, 0]]], np.uint8)
    labels = image_files.colours_to_labels(colours, palette, "m.png")
    np.testing.assert_array_equal(labels, [[3, 0]])


@pytest.mark.parametrize("colour", ((1, 2, 3), (255, 255, 255)))
def test_a_colour_outside_the_palette_is_named(tmp_path, colour):
    colours = PALETTE[LABELS]
    colours[1, 2] = colour
    Image.fromarray(colours).save(tmp_path / "m.png")
    with pytest.raises(
        ValueError, match="m.png: colour .* at row 1, column 2 is n"
    ) as e:
        read(tmp_path / "m.png")
    assert str(colour) in str(e.value)


@pytest.mark.parametrize("mode", ("RGBA", "LA", "I;16"))
def test_other_modes_are_refused(tmp_path, mode):
    Image.new(mode, (4, 3)).save(tmp_path / "m.png")
    with pytest.raises(
        ValueError, match=f"m.png: a mask of mode '{mode}'; .* without resampling"
    ):
        read(tmp_path / "m.png")


def noise(path, **options):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_a_truncated_mask_is_named(tmp_path):
    path = tmp_path / "m.png"
    pixels = np.random.default_rng(0).integers(0, 9, (40, 50), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    truncate(path)
    with pytest.raises(ValueError, match="m.png cannot be read whole .* truncated or"):
        read(path)


@pytest.mark.parametrize("name", ("a.jpg", "a.png"))
def test_a_truncated_photo_is_named(tmp_path, name):
    noise(tmp_path / name)
    truncate(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} cannot be read whole .*Replace it"):
        image_files.read_photo(tmp_path / name)


def test_a_file_that_is_no_image(tmp_path):
    (tmp_path / "a.jpg").write_text("<html>")
    with pytest.raises(
        ValueError, match="a.jpg is no readable image .*take its id off"
    ):
        image_files.read_photo(tmp_path / "a.jpg")


def test_a_file_that_is_not_there(tmp_path):
    for reader in (read, image_files.read_photo, image_files.image_size):
        with pytest.raises(FileNotFoundError, match="gone.png does not exist"):
            reader(tmp_path / "gone.png")


def test_photos_become_rgb(tmp_path):
    pixels = noise(tmp_path / "a.png")
    np.testing.assert_array_equal(image_files.read_photo(tmp_path / "a.png"), pixels)
    Image.fromarray(pixels[:, :, 0]).save(tmp_path / "grey.png")
    grey = image_files.read_photo(tmp_path / "grey.png")
    np.testing.assert_array_equal(grey, np.repeat(pixels[:, :, :1], 3, axis=2))
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "cmyk.jpg")
    cmyk = image_files.read_photo(tmp_path / "cmyk.jpg")
    assert (cmyk.shape, cmyk.dtype) == ((40, 50, 3), np.uint8)


@pytest.mark.parametrize(("mode", "name"), (("I;16", "a.png"), ("F", "a.tiff")))
def test_photos_of_more_than_8_bits_are_refused(tmp_path, mode, name):
    Image.new(mode, (4, 3)).save(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name}: an image of mode '{mode}', with mo"):
        image_files.read_photo(tmp_path / name)


def test_a_photo_is_not_turned_by_its_exif(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn by 90 degrees to see it upright.
    noise(tmp_path / "a.jpg", exif=exif)
    assert image_files.read_photo(tmp_path / "a.jpg").shape == (40, 50, 3)
    assert image_files.image_size(tmp_path / "a.jpg") == (40, 50)


@pytest.mark.parametrize("name", ("a.png", "a.tif"))
@pytest.mark.parametrize("orientation", range(2, 9))
def test_pixels_are_as_they_are_stored_in_every_format(tmp_path, name, orientation):
    """Pillow turns a TIFF while it loads it, and gives the size of what it turned."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / name, exif=exif)
    header = image_files.read_header(tmp_path / name)
    assert (header.height, header.width) == (4, 6)
    assert header.orientation == orientation
    np.testing.assert_array_equal(image_files.read_photo(tmp_path / name), pixels)
    upright = image_files.read_photo(tmp_path / name, upright=True)
    assert upright.shape[:2] == header.upright_size
    Image.fromarray(pixels).save(tmp_path / "b.png", exif=exif)
    expected = image_files.read_photo(tmp_path / "b.png", upright=True)
    np.testing.assert_array_equal(upright, expected)


def pages(path, *others):
    """A TIFF of 4x6 pixels and, behind it, of others: (height, width, kind)."""
    first = Image.fromarray(np.full((4, 6), 7, np.uint8))
    later = []
    for height, width, kind in others:
        page = Image.fromarray(np.zeros((height, width), np.uint8))
        page.encoderinfo = {"tiffinfo": {254: kind}} if kind else {}
        later.append(page)
    first.save(path, save_all=True, append_images=later)
    return path


READERS = {
    "photo": image_files.read_photo,
    "mask": read,
    "values": image_files.read_values,
}


@pytest.mark.parametrize("reader", READERS)
def test_a_stack_of_images_is_refused(tmp_path, reader):
    path = pages(tmp_path / "a.tif", (4, 6, 0), (4, 6, 0), (2, 3, 0))
    text = (
        r"a\.tif holds 3 images, one behind the other, of which only the first would "
        r"be read; write each to a file of its own\."
    )
    with pytest.raises(ValueError, match=text):
        READERS[reader](path)


@pytest.mark.parametrize("other", ((2, 3, 0), (2, 3, 1), (4, 6, 1), (4, 6, 4)))
def test_copies_in_small_and_masks_are_no_images_of_a_stack(tmp_path, other):
    path = pages(tmp_path / "a.tif", other)
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert (image_files.read_photo(path) == 7).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's.
def test_a_page_that_cannot_be_read_is_none(tmp_path):
    path = pages(tmp_path / "a.tif", (4, 6, 0))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 16])  # Within its description.
    assert (image_files.read_photo(path) == 7).all()


@pytest.mark.parametrize("orientation", (3, 6))
def test_a_photo_is_turned_where_it_is_asked_for(tmp_path, orientation):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, 0] = 255  # Orientation 6: to the upper right; 3: to the lower right.
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    header = image_files.read_header(tmp_path / "a.png")
    upright = image_files.read_photo(tmp_path / "a.png", upright=True)
    assert (header.height, header.width, header.is_upright) == (4, 6, False)
    assert upright.shape[:2] == header.upright_size
    assert upright.shape == ((4, 6, 3) if orientation == 3 else (6, 4, 3))
    row = -1 if orientation == 3 else 0
    assert (upright[row, -1] == 255).all()


def test_an_orientation_that_does_not_exist_is_none(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 0
    noise(tmp_path / "a.jpg", exif=exif)
    assert image_files.read_header(tmp_path / "a.jpg").is_upright


@pytest.mark.parametrize("name", ("a.png", "a.webp"))
def test_an_orientation_that_cannot_be_read_is_none(tmp_path, name):
    path = tmp_path / name
    noise(path, exif=b"nothing that EXIF begins with")
    assert image_files.read_header(path).is_upright
    assert image_files.read_photo(path, upright=True).shape == (40, 50, 3)


def save_16_bits(path, colour_type, channels):
    """A PNG of 16 bits a channel, which Pillow reads as one of 8."""
    rows = b"".join(b"\0" + b"\x0f\xff" * channels * 5 for _ in range(4))
    header = struct.pack(">2I5B", 5, 4, 16, colour_type, 0, 0, 0)
    write_png(path, header, rows)


@pytest.mark.parametrize(("colour_type", "channels"), ((2, 3), (6, 4), (4, 2)))
def test_colour_photos_of_16_bits_are_refused(tmp_path, colour_type, channels):
    save_16_bits(tmp_path / "a.png", colour_type, channels)
    with pytest.raises(
        ValueError, match="a.png: an image .* more than 8 bits a channel"
    ):
        image_files.read_photo(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ("JPEG", "WEBP"))
def test_a_mask_with_loss_is_refused_whatever_its_name(tmp_path, kind):
    Image.fromarray(LABELS).convert("RGB").save(tmp_path / "m.png", kind)
    with pytest.raises(ValueError, match=f"m.png: a mask in the format {kind}, whose"):
        read(tmp_path / "m.png")


@pytest.mark.parametrize("reader", (read, image_files.read_photo))
def test_data_that_are_not_those_of_their_checksum(tmp_path, reader):
    """Pillow 12 reads such a PNG without an error, and gives other pixels."""
    path = tmp_path / "m.png"
    Image.fromarray(np.tile(LABELS, (20, 20))).save(path, compress_level=0)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 40] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="m.png cannot be read whole .*corrupt"):
        reader(path)


def test_an_image_above_the_limit_of_pillow(tmp_path, monkeypatch):
    noise(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(ValueError, match="a.png: Image size .* Cut the image and its"):
        image_files.read_photo(tmp_path / "a.png")


def test_colours_that_opencv_wrote(tmp_path):
    """cv2.imwrite takes an array for BGR."""
    Image.fromarray(PALETTE[LABELS][..., ::-1]).save(tmp_path / "m.png")
    with pytest.raises(ValueError, match="not in the palette .* red and blue are exch"):
        read(tmp_path / "m.png")


def test_transparency_that_says_nothing(tmp_path):
    """Masks that matplotlib's imsave writes from colours are RGBA."""
    image = Image.fromarray(PALETTE[LABELS]).convert("RGBA")
    image.save(tmp_path / "m.png")
    labels, kind = read(tmp_path / "m.png")
    np.testing.assert_array_equal(labels, LABELS)
    assert kind == "rgb"


def by_colour(path):
    return image_files.read_mask(path, PALETTE, by_colour=True)


def test_palettes_that_a_program_numbered_anew(tmp_path):
    """Pillow's quantize, ImageMagick and others keep colours and not indices."""
    image = Image.fromarray(PALETTE[LABELS]).quantize(16)
    assert (np.asarray(image) != LABELS).any()
    image.save(tmp_path / "m.png")
    labels, kind = by_colour(tmp_path / "m.png")
    np.testing.assert_array_equal(labels, LABELS)
    assert kind == "palette"


def test_by_colour_index_255_is_void_whatever_its_colour(tmp_path):
    own = PALETTE.copy()
    own[255] = 1, 2, 3
    image = Image.fromarray(LABELS)
    image.putpalette(own.reshape(-1).tolist())
    image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(by_colour(tmp_path / "m.png")[0], LABELS)


def test_by_colour_a_colour_outside_the_palette_is_named(tmp_path):
    own = PALETTE.copy()
    own[15] = 1, 2, 3
    image = Image.fromarray(LABELS)
    image.putpalette(own.reshape(-1).tolist())
    image.save(tmp_path / "m.png")
    with pytest.raises(
        ValueError, match=r"m.png: index 15 at row 1, column 0 has the colour \(1, 2, 3"
    ):
        by_colour(tmp_path / "m.png")


@pytest.mark.parametrize("by_colour", (True, False))
def test_values_whatever_they_mean(tmp_path, by_colour):
    """Colours are numbers, 0xRRGGBB; those of palettes where they are asked for."""
    values = np.arange(4, dtype=np.uint8).reshape(2, 2)
    rgb = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    palette = Image.fromarray(values)
    palette.putpalette(rgb.reshape(-1).tolist())
    palette.save(tmp_path / "palette.png")
    codes = (rgb.astype(int) * (65536, 256, 1)).sum(-1)
    found = image_files.read_values(tmp_path / "palette.png", by_colour=by_colour)
    np.testing.assert_array_equal(found, codes if by_colour else values)
    found = image_files.read_values(tmp_path / "rgb.png", by_colour=by_colour)
    np.testing.assert_array_equal(found, codes)
    assert found.dtype == np.int32


def test_a_draft_is_read_to_its_end(tmp_path):
    """An eighth of the sides, and all of the file."""
    noise = np.random.default_rng(0).integers(0, 256, (80, 160, 3), dtype=np.uint8)
    path = tmp_path / "a.jpg"
    Image.fromarray(noise).save(path)
    assert image_files.read_photo(path, draft=True).shape == (10, 20, 3)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="a.jpg cannot be read whole"):
        image_files.read_photo(path, draft=True)
