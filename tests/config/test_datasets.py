"""From a config to sources: how a folder is read, and what is said of it."""

import numpy as np
import pytest

from fcn_jax.config import datasets, predictor
from fcn_jax.config.base import base_config
from fcn_jax.data import label_sets
from fcn_jax.data.options import FolderOptions, ToolOptions
from tests.support import annotations, folders


def folder_config(root, **changes):
    config = base_config()
    config.data.name, config.data.root = "folder", str(root)
    config.model.num_classes = 3
    config.update_from_flattened_dict({f"data.{k}": x for k, x in changes.items()})
    return config


def test_every_option_of_a_folder_is_a_key():
    assert datasets.folder_options(base_config()) == FolderOptions()
    config = folder_config("R", mask_dir="M", split=0.5, mask_values=(0, 255, 7))
    expected = FolderOptions(mask_dir="M", split=0.5, mask_values=(0, 255, 7))
    assert datasets.folder_options(config) == expected


def test_every_option_of_tools_files_is_a_key():
    assert datasets.tool_options(base_config()) == ToolOptions()
    config = folder_config("R", labels="L", images="I", masks="M", classes="59")
    assert datasets.tool_options(config) == ToolOptions("L", "I", "M", "59")
    with config.unlocked():
        del config.data.labels  # Of a run from before there were any.
    assert datasets.tool_options(config) == ToolOptions("", "I", "M", "59")


def test_an_older_config_is_read_as_it_was():
    config = base_config()
    with config.unlocked():
        del config.data.mask_dir, config.data.void_label
    assert datasets.folder_options(config) == FolderOptions()


def test_notes_stand_below_the_line_of_a_source(tmp_path):
    folders.write(tmp_path, ("a", "b", "c"))
    folders.write_list(tmp_path, "a\nb -1\nc 1\n")
    source = datasets.open_source(folder_config(tmp_path), "train")
    assert datasets.describe_source(source) == (
        "folder train: 2 images, 3 classes, masks stored as grey\n"
        "note: 1 of train.txt are left out, marked -1"
    )


def test_batches_that_are_padding_for_the_most_part(tmp_path):
    folders.write(tmp_path, ("a", "b", "c", "d"))
    wide = (24, 64)
    folders.save(tmp_path / "JPEGImages/d.jpg", folders.photo(size=wide))
    folders.save(tmp_path / "SegmentationClass/d.png", folders.labels(size=wide))
    config = folder_config(tmp_path)
    source = datasets.open_source(config, "train")
    note = datasets.padding_note(config, source)
    # Three images of 12x16 and one that fills the batch: 3/4 of 7/8.
    assert note.startswith("batches are padded to 24x64, the largest image's size, and")
    assert "66% of them is padding; --config.data.crop=(H,W) avoids it" in note
    assert note.endswith(" (the largest is d)")
    assert datasets.padding_note(folder_config(tmp_path, crop=(8, 8)), source) == ""
    folders.write_list(tmp_path, "a\nb\n")
    alike = datasets.open_source(config, "train")
    assert datasets.padding_note(config, alike) == ""


def test_classes_by_a_guess_and_a_number_of_ones_own(tmp_path):
    folders.write(tmp_path, classes="")
    with pytest.raises(ValueError, match="num_classes=3, but folder has 21 .*classes"):
        datasets.open_source(folder_config(tmp_path), "train")


def test_images_that_are_trained_on_and_scored(tmp_path):
    folders.write(tmp_path, ("a", "b", "c", "d", "e"))
    folders.write_list(tmp_path, "b\ne\nc\nd\n", "val")
    config = folder_config(tmp_path)
    train = datasets.open_source(config, "train")
    scored = datasets.open_source(config, "eval")
    assert datasets.overlap_note(train, scored) == (
        "4 of the 4 images of val are in train too (b, c, d, ...): scores over them "
        "are of what was learned by heart"
    )
    assert not datasets.overlap_note(train, train)  # On purpose.
    folders.write_list(tmp_path, "a\n", "other")
    config.data.eval_split = "other"
    other = datasets.open_source(config, "eval")
    assert datasets.overlap_note(train, other).startswith("1 of the 1 images of other")
    assert not datasets.overlap_note(other, scored)


def test_tiles_are_seen_at_the_scale_of_the_run():
    """A net that was trained on halved images sees halved tiles."""
    config = base_config()
    config.inference.method, config.inference.side = "tiles", 100
    image = np.zeros((300, 400, 3), np.uint8)
    tiles = predictor.make_windows(config, 0.5)
    assert {(b[2] - b[0], b[3] - b[1]) for b in tiles(image, "")} == {(200, 200)}
    found = predictor.make_predictor(config, None, None, (0.5,))
    assert found.windows.side == 200
    with pytest.raises(ValueError, match=r"scales \(0.5, 1.0\) and flip=False are for"):
        predictor.make_predictor(config, None, None, (0.5, 1.0))


@pytest.mark.parametrize(
    ("size", "note"),
    (
        (4, ""),
        (10, "config.batch_size=10 is more than the 4 images of train: each update"),
        (10**6, "config.batch_size=1,000,000 is more than the 4 images of train: e"),
    ),
)
def test_a_batch_that_is_larger_than_the_data_set(size, note):
    class Images(list):
        split = "train"

    source = Images(range(4))
    config = folder_config("F")
    config.batch_size = size
    said = datasets.batch_note(config, source)
    assert said.startswith(note)
    assert bool(said) == bool(note)
    assert "sees them 2.5 times" in said or size != 10


def test_more_images_to_train_on(tmp_path):
    """`data.extra` is trained on beside the data set, and never scored."""
    first = folders.write(tmp_path / "a", ("a", "b"))
    folders.write_list(first, "a\n", "val")
    folders.write(tmp_path / "b", ("c", "d", "e"))
    config = folder_config(first, extra="folder", extra_root=str(tmp_path / "b"))
    source = datasets.open_source(config, "train")
    assert source.ids == ("a", "b", "c", "d", "e")
    assert "3 of these images are from folder train" in datasets.describe_source(source)
    scored = datasets.open_source(config, "eval")
    assert len(scored) == 1
    assert datasets.overlap_note(source, scored)  # Image a is in both.
    config.data.cache = 0.1
    assert len(datasets.open_source(config, "train")) == 5
    with config.unlocked():
        del config.data.extra  # Of a run from before there was any.
    assert len(datasets.open_source(config, "train")) == 2


@pytest.mark.parametrize(
    ("changes", "match"),
    (
        (
            {"extra": "coco_vco"},
            "extra='coco_vco' is no data set; did you mean 'coco_vo",
        ),
        (
            {"extra": "coco_voc"},
            "extra='coco_voc' needs the path .*data.extra_root=DIR",
        ),
    ),
)
def test_an_extra_that_there_is_not(tmp_path, changes, match):
    config = folder_config(folders.write(tmp_path), **changes)
    with pytest.raises(ValueError, match=match):
        datasets.open_source(config, "train")


def test_coco_beside_voc(tmp_path):
    """Objects of COCO have VOC's labels, whatever the names and ids there."""
    voc = folders.write(tmp_path / "voc", classes="\n".join(label_sets.VOC.classes))
    annotations.write("coco_voc", tmp_path / "coco")
    more = {"extra": "coco_voc", "extra_root": str(tmp_path / "coco")}
    config = folder_config(voc, **more, data_dir=str(tmp_path / "cache"))
    config.model.num_classes = 21
    source = datasets.open_source(config, "train")
    assert len(source) == 2 + 3
    held = {int(label) for i in (2, 3, 4) for label in np.unique(source[i]["labels"])}
    assert {0, 8, 12} <= held <= {0, 8, 12, 255}  # A cat and a dog.


def test_more_images_have_the_channels_of_the_data_set():
    config = base_config()
    config.data.name = config.data.extra = "indoor"
    config.data.train_split, config.data.extra_split = "train[:2]", "val[:3]"
    config.data.channels = "hha"
    config.model.num_classes = 6
    source = datasets.open_source(config, "train")
    assert (len(source), source.channels) == (5, "hha")
    assert source[4]["image"].shape == (96, 128, 3)
    config.data.extra = "shapes"  # Which has colours alone.
    with pytest.raises(ValueError, match="config.data.extra: the classes of shapes"):
        datasets.open_source(config, "train")
