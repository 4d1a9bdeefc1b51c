"""Depth beside photographs: what a network is given, and what cannot be."""

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import depth as depths
from fcn_jax.data import hha
from fcn_jax.data.photo_depth import DepthFolder, camera_of
from fcn_jax.data.photos import Photo
from fcn_jax.data.sources import indoor_scenes
from tests.support import folders

CAMERA = indoor_scenes.CAMERA
SIZE = (24, 32)


def write(folder, metres, name="a", steps=1000):
    folder.mkdir(exist_ok=True)
    encoded = np.round(np.asarray(metres) * steps).astype(np.uint16)
    Image.fromarray(encoded).save(folder / f"{name}.png")


@pytest.fixture
def photo(tmp_path):
    """A photograph, and a wall at two metres beside it."""
    folders.save(tmp_path / "photos" / "a.png", np.full((*SIZE, 3), 90, np.uint8))
    write(tmp_path / "depth", np.full(SIZE, 2.0))
    return Photo("a", tmp_path / "photos" / "a.png")


def beside(photo, inputs="rgbd", **changes):
    folder = str(photo.path.parents[1] / "depth")
    colours = np.full((*SIZE, 3), 90, np.uint8)
    return DepthFolder(folder, inputs, **changes).beside(photo, colours)


def test_colours_and_the_logarithm_of_millimetres(photo):
    found = beside(photo)
    assert (found.dtype, found.shape) == (np.float32, (*SIZE, 4))
    assert (found[..., :3] == 90).all()
    np.testing.assert_allclose(found[..., 3], np.log(2000), rtol=1e-6)


def test_steps_are_those_of_the_files(photo, tmp_path):
    write(tmp_path / "depth", np.full(SIZE, 2.0), steps=5000)
    found = beside(photo, steps=5000)
    np.testing.assert_allclose(found[..., 3], np.log(2000), rtol=1e-6)


def test_where_nothing_was_seen_is_the_nearest(photo, tmp_path):
    metres = np.full(SIZE, 2.0)
    metres[:, 16:] = 4.0
    metres[3, 4], metres[3, 30] = 0, 0
    write(tmp_path / "depth", metres)
    found = beside(photo)[..., 3]
    np.testing.assert_allclose(found[3, 4], np.log(2000), rtol=1e-6)
    np.testing.assert_allclose(found[3, 30], np.log(4000), rtol=1e-6)


def test_hha_of_a_scene_is_that_of_its_data_set(tmp_path):
    """By its camera; where the sensor saw nothing there is no surface."""
    scene = indoor_scenes.draw(np.random.default_rng(0))
    metres = depths.encoded(scene.depth) / 1000
    metres[10:14, 20:24] = 0
    write(tmp_path / "depth", metres)
    folders.save(tmp_path / "photos" / "a.png", scene.image)
    photo = Photo("a", tmp_path / "photos" / "a.png")
    folder = DepthFolder(str(tmp_path / "depth"), "rgbhha", camera=CAMERA)
    found = folder.beside(photo, scene.image)
    known = depths.filled(metres.astype(np.float32))
    np.testing.assert_array_equal(found[..., :3], scene.image)
    np.testing.assert_array_equal(
        found[..., 3:], hha.encode(known, CAMERA, metres == 0)
    )
    alone = DepthFolder(str(tmp_path / "depth"), "hha", camera=CAMERA)
    np.testing.assert_array_equal(alone.beside(photo, scene.image), found[..., 3:])


@pytest.mark.parametrize(
    ("size", "camera"), (((480, 640), hha.KINECT), ((425, 560), hha.KINECT_CROPPED))
)
def test_the_kinect_is_known_by_its_sizes(tmp_path, monkeypatch, size, camera):
    asked = []
    monkeypatch.setattr(
        hha, "encode", lambda d, c, m: asked.append(c) or np.zeros((*size, 3), np.uint8)
    )
    colours = np.zeros((*size, 3), np.uint8)
    folders.save(tmp_path / "photos" / "a.png", colours)
    write(tmp_path / "depth", np.full(size, 2.0))
    photo = Photo("a", tmp_path / "photos" / "a.png")
    DepthFolder(str(tmp_path / "depth"), "hha").beside(photo, colours)
    assert asked == [camera]


def test_a_camera_of_the_command_line_counts_from_0():
    assert camera_of("500,501,319.5,239.5") == hha.Camera(500, 501, 320.5, 240.5)
    assert camera_of("") is None


@pytest.mark.parametrize("numbers", ("1,2,3", "a,b,c,d", "1,2,3,4,5"))
def test_a_camera_has_four_numbers(numbers):
    with pytest.raises(ValueError, match=f"--camera={numbers}: expected fx,fy,cx,cy"):
        camera_of(numbers)


@pytest.mark.parametrize("numbers", ("0,1,2,3", "1,-1,2,3", "1,1,nan,3", "inf,1,2,3"))
def test_a_camera_sees(numbers):
    with pytest.raises(ValueError, match="focal lengths are above 0, and all numbers"):
        camera_of(numbers)


@pytest.mark.parametrize("inputs", ("rgb", "grey", "rgbn"))
def test_networks_that_see_no_depth(inputs):
    match = f"the network sees {inputs}; depth beside .* Leave --depth out"
    with pytest.raises(ValueError, match=match):
        DepthFolder("depth", inputs)


@pytest.mark.parametrize("steps", (0, -1000, np.inf, np.nan))
def test_a_metre_has_steps(steps):
    with pytest.raises(ValueError, match="steps a metre has no sense; give 1000 for"):
        DepthFolder("depth", "rgbd", steps)


def test_the_folder_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="none is no folder; expected one with"):
        DepthFolder(str(tmp_path / "none"), "rgbd").check()


def test_a_photograph_without_depth(photo):
    with pytest.raises(FileNotFoundError, match=r"b.png has no depth: .*b.png is not"):
        beside(photo._replace(name="b", path=photo.path.with_name("b.png")))
    with pytest.raises(ValueError, match="the standard input has no name by which"):
        DepthFolder("depth", "rgbd").beside(
            Photo("a", None, b"x"), np.zeros((*SIZE, 3), np.uint8)
        )


def test_depth_of_another_size_or_kind(photo, tmp_path):
    write(tmp_path / "depth", np.full((24, 30), 2.0))
    with pytest.raises(ValueError, match="image is 24x32 and its depth 24x30"):
        beside(photo)
    folders.save(tmp_path / "depth" / "a.png", np.zeros((*SIZE, 3), np.uint8))
    with pytest.raises(ValueError, match="its mode is RGB; expected depth, grey of 16"):
        beside(photo)
    write(tmp_path / "depth", np.zeros(SIZE))
    with pytest.raises(ValueError, match="0 everywhere: the sensor saw nothing"):
        beside(photo)


def test_a_camera_that_is_not_known(photo):
    with pytest.raises(ValueError, match="24x32 .* needs its camera: only that of"):
        beside(photo, "hha")


def test_a_photograph_that_lies_turned(photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = photo.path.with_suffix(".jpg")
    Image.new("RGB", SIZE).save(turned, exif=exif)
    with pytest.raises(ValueError, match="lies turned .EXIF orientation 6., and depth"):
        beside(photo._replace(path=turned))
