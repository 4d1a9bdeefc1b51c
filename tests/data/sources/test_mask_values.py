"""What values of masks stand for, where they could stand for something else."""

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources.voc_folder import VocFolder
from tests.support import folders

COLOURS = np.array([(9, 9, 9), (250, 50, 83), (51, 221, 255)], np.uint8)


def open_folder(root, palette=None, **options):
    return VocFolder(root, "train", palette=palette, options=FolderOptions(**options))


def write(root, masks, names=("a", "b"), **options):
    return folders.write(root, names, masks=masks, **options)


def test_palette_masks_are_read_by_a_file_of_colours(tmp_path):
    """Each numbers its colours anew; the file says which class each colour is."""
    orders = iter([(0, 1, 2), (2, 0, 1), (1, 2, 0)])

    def save(path, labels):
        order = np.array(next(orders))
        folders.save(path, np.argsort(order).astype("u1")[labels], COLOURS[order])

    write(tmp_path, save, ("a", "b", "c"))
    colours = tmp_path / "colours.txt"
    colours.write_text("".join(f"{r} {g} {b}\n" for r, g, b in COLOURS))
    source = open_folder(tmp_path, colours)
    for seed in range(3):
        expected = folders.labels(seed=seed)
        np.testing.assert_array_equal(source[seed]["labels"], expected)
    assert source.mask_format == "palette"


def test_masks_that_count_from_one(tmp_path):
    """Labels 1 to C - 1 fit, shifted by one: only a note can tell."""
    write(tmp_path, lambda p, x: folders.save(p, np.maximum(x, 1)))
    (note,) = open_folder(tmp_path).notes
    assert note.startswith("label 0 ('ground') occurs in none of the first 2 masks: if")
    assert not open_folder(tmp_path, reduce_zero_label=True).notes
    folders.save(tmp_path / "SegmentationClass/b.png", folders.labels())
    assert not open_folder(tmp_path).notes


def test_masks_that_count_from_one_to_the_number_of_classes(tmp_path):
    write(tmp_path, lambda p, x: folders.save(p, x + np.uint8(1)))
    with pytest.raises(
        ValueError, match="label 3 .* 0 does not occur in it, and 3 does: .*zero_label="
    ):
        open_folder(tmp_path)
    labels = open_folder(tmp_path, reduce_zero_label=True)[0]["labels"]
    np.testing.assert_array_equal(labels, folders.labels())


@pytest.mark.parametrize("kind", ("palette", "grey"))
def test_transparency_of_a_value_says_nothing(tmp_path, kind):
    """tRNS, by which editors and web tools hide the background."""
    palette = COLOURS if kind == "palette" else None
    write(tmp_path, lambda p, x: folders.save(p, x, palette, transparency=0))
    mask = tmp_path / "SegmentationClass/a.png"
    with Image.open(mask) as image:
        assert image.info["transparency"] == 0
    source = open_folder(tmp_path)
    np.testing.assert_array_equal(source[0]["labels"], folders.labels())
    assert source.mask_format == kind


def test_a_photo_of_twelve_million_pixels(tmp_path):
    folders.write(tmp_path, ("a",))
    large = np.zeros((3000, 4000), np.uint8)
    large[2999, 3999] = 1
    folders.save(tmp_path / "JPEGImages/a.jpg", np.stack([large] * 3, axis=-1))
    folders.save(tmp_path / "SegmentationClass/a.png", large)
    item = open_folder(tmp_path)[0]
    assert item["image"].shape == (3000, 4000, 3)
    assert item["labels"][2999, 3999] == 1
