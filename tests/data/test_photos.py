"""Images as a command line names them."""

import hashlib
import io
import os
import warnings

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import photos
from tests.support import folders


def names(given, content=b""):
    return [photo.name for photo in photos.listed(given, io.BytesIO(content))]


@pytest.fixture
def root(tmp_path):
    for name in ("b.PNG", "a.jpg", "sub/a.webp", ".hidden.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("none")
        else:
            folders.save(path, folders.photo())
    return tmp_path


def test_folders_and_files_in_their_order(root):
    assert names([str(root)]) == ["a", "b", "sub/a"]
    assert names([str(root / "b.PNG"), str(root)]) == ["b", "a", "sub/a"]
    assert names([str(root / "sub/a.webp")]) == ["a"]


def test_names_that_would_be_the_same_are_told_apart(root):
    folders.save(root / "a.bmp", folders.photo())
    assert names([str(root)]) == ["a.bmp", "a.jpg", "b", "sub/a"]
    other = [str(root / "sub/a.webp"), str(root / "a.jpg")]
    assert names(other) == ["a.webp", "a.jpg"]
    folders.save(root / "more/a.jpg", folders.photo())
    assert names([str(root / "more/a.jpg"), *other]) == ["a.jpg", "a.webp", "a.jpg_2"]


def test_the_standard_input_is_an_image_or_paths(root):
    content = (root / "a.jpg").read_bytes()
    (photo,) = photos.listed(["-"], io.BytesIO(content))
    digest = hashlib.sha256(content).hexdigest()
    assert (photo.name, photo.path) == (f"stdin_{digest[:8]}", None)
    assert photo.source == f"sha256:{digest}"
    np.testing.assert_array_equal(
        photos.read(photo), photos.read(photos.Photo("a", root / "a.jpg"))
    )
    paths = f"{root}/b.PNG\n\n {root}/a.jpg\n"
    assert names(["-"], paths.encode()) == ["b", "a"]


@pytest.mark.parametrize(
    ("given", "content", "error", "message"),
    [
        (
            ["nowhere"],
            b"",
            FileNotFoundError,
            "'nowhere' does not exist; name files or",
        ),
        ([""], b"", FileNotFoundError, "'' does not exist; name files or folders"),
        (["-"], b"\xff\xd8\0\0", ValueError, "the standard input is no readable image"),
        (["-"], b"no/where.png\n", FileNotFoundError, "'no/where.png' does not exist"),
        (["-"], b" \n", ValueError, "the standard input is empty; give an image"),
        ([], b"", ValueError, "no image is given; name files or folders of images"),
    ],
)
def test_what_is_not_there(given, content, error, message):
    with pytest.raises(error, match=message):
        names(given, content)


def test_a_folder_without_images(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"holds no image \(\.jpg, .*; name a f"
    ):
        names([str(tmp_path)])


def of_kind(kind, grey):
    """An image of a kind, from grey of 8 bits [H, W]."""
    image = Image.fromarray(grey)
    if kind == "16 bits":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if kind == "palette":
        image = image.convert("P")
        image.info["transparency"] = bytes(range(200))
        return image
    return image.convert(kind)


@pytest.mark.parametrize("kind", ("L", "LA", "RGBA", "16 bits", "palette"))
def test_every_kind_of_image_is_read(tmp_path, kind):
    grey = folders.photo()[..., 0]
    of_kind(kind, grey).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = photos.read(photos.Photo("a", tmp_path / "a.png"))
    np.testing.assert_array_equal(found, np.repeat(grey[..., None], 3, axis=2))


def test_a_photo_is_read_as_it_is_seen(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    folders.save(tmp_path / "a.jpg", folders.photo(), exif=exif)
    assert photos.read(photos.Photo("a", tmp_path / "a.jpg")).shape == (16, 12, 3)


def test_values_without_a_scale_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="a.tif: an image of mode 'F', with more than"):
        photos.read(photos.Photo("a", tmp_path / "a.tif"))


def test_large_images_are_let_in_for_a_while(tmp_path, monkeypatch):
    folders.save(tmp_path / "a.png", folders.photo())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    photo = photos.Photo("a", tmp_path / "a.png")
    with photos.room_for_large_images():
        assert photos.read(photo).shape == (12, 16, 3)
    with pytest.raises(ValueError, match="exceeds limit of 20 pixels"):
        photos.read(photo)


def test_a_size_that_no_image_has_is_told_where_it_is_read(tmp_path, monkeypatch):
    folders.save(tmp_path / "a.png", folders.photo())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    photo = photos.Photo("a", tmp_path / "a.png")
    assert photos.pixels(photo) == 0
    with pytest.raises(ValueError, match="a.png: Image size .* exceeds limit"):
        photos.read(photo)


def test_folders_behind_links_are_looked_into(root):
    (root / "sub").rename(root.parent / "far")
    (root / "sub").symlink_to(root.parent / "far")
    (root.parent / "far/round").symlink_to(root)
    assert names([str(root)]) == ["a", "b", "sub/a"]


def test_what_is_hidden_or_no_file_is_no_image(root):
    folders.save(root / ".thumbs/t.png", folders.photo())
    (root / "folder.png").mkdir()
    os.mkfifo(root / "pipe.png")
    (root / "gone.png").symlink_to("nowhere")
    assert names([str(root)]) == ["a", "b", "gone", "sub/a"]
    with pytest.raises(FileNotFoundError, match="pipe.png is neither a file nor a fol"):
        names([str(root / "pipe.png")])


def test_a_folder_is_left_out(root):
    assert [
        photo.name for photo in photos.listed([str(root)], io.BytesIO(), root / "sub")
    ] == ["a", "b"]


def test_an_image_counts_once_by_whatever_path(root, monkeypatch):
    monkeypatch.chdir(root)
    (root / "link.jpg").symlink_to("a.jpg")
    assert names(["a.jpg", str(root / "a.jpg"), "sub/../a.jpg", "link.jpg"]) == ["link"]


def test_the_standard_input_is_read_by_the_same_rules(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = folders.save(tmp_path / "a.jpg", folders.photo(), exif=exif)
    (photo,) = photos.listed(["-"], io.BytesIO(path.read_bytes()))
    assert photos.read(photo).shape == (16, 12, 3)
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    (photo,) = photos.listed(["-"], io.BytesIO(content))
    with pytest.raises(ValueError, match="^the standard input: an image of mode 'F'"):
        photos.read(photo)


def test_many_names_are_told_apart_quickly(tmp_path):
    many = [photos.Photo("a", tmp_path / f"{n}/a.png") for n in range(20_000)]
    found = [photo.name for photo in photos._told_apart(many)]
    assert len(set(found)) == 20_000
    assert (found[0], found[1], found[-1]) == ("a.png", "a.png_2", "a.png_20000")


def test_an_image_of_16_bits_is_turned_too(tmp_path):
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) * np.uint16(257 * 20)
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned by a quarter, clockwise.
    path = folders.save(tmp_path / "a.png", values, exif=exif)
    found = photos.read(photos.Photo("a", path))
    np.testing.assert_array_equal(found[..., 0], np.rot90(values, -1) // 257)
