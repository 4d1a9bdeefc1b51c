"""Coordinates of a scene, from file to file."""

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from fcn_jax.data import geotiff
from fcn_jax.data.label_sets import voc_palette

# UTM zone 11 north, pixels of half a metre; an ellipsoid of one's own.
UTM = {
    33550: (12, (0.5, 0.5, 0.0)),
    33922: (12, (0.0, 0.0, 0.0, 440720.0, 3751320.0, 0.0)),
    34735: (3, (1, 1, 0, 3, 1024, 0, 1, 1, 1026, 34737, 7, 0, 2057, 34736, 1, 0)),
    34736: (12, (6378206.4,)),
    34737: (2, "UTM 11|"),
}


def save_scene(path, tags, **others):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, (kind, value) in tags.items():
        directory.tagtype[tag] = kind
        directory[tag] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, tiffinfo=directory, **others)


def read(where):
    """Values alone; a number by itself is as good as a tuple of one."""
    return {tag: np.ravel(value).tolist() for tag, (_, value) in where.items()}


def test_coordinates_come_through(tmp_path):
    save_scene(tmp_path / "scene.tif", UTM)
    where = geotiff.coordinates(tmp_path / "scene.tif")
    assert read(where) == read(UTM)
    labels = np.arange(960, dtype=np.uint8).reshape(24, 40) % 21
    geotiff.save_labels(tmp_path / "labels.tif", labels, voc_palette(), where)
    assert read(geotiff.coordinates(tmp_path / "labels.tif")) == read(UTM)
    with Image.open(tmp_path / "labels.tif") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), labels)
        assert image.convert("RGB").getpixel((1, 0)) == tuple(voc_palette()[1])


@pytest.mark.parametrize("tags", ({}, {**UTM, 274: (3, 6)}, {33550: UTM[33550]}))
def test_files_without(tmp_path, tags):
    """Or turned when they are read, or without a reference system."""
    save_scene(tmp_path / "scene.tif", tags)
    assert not geotiff.coordinates(tmp_path / "scene.tif")


def test_files_of_another_kind(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    for name in ("a.tif", "a.png", "none.tif"):
        assert not geotiff.coordinates(tmp_path / name)
