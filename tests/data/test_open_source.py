"""Which data set a name opens."""

import pytest

import fcn_jax.data
from fcn_jax.data import official
from fcn_jax.data.imports import FORMATS
from fcn_jax.data.sources import (
    imported,
    indoor,
    landscapes,
    nyud,
    shapes,
    voc,
    voc_folder,
)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(
        ValueError, match="data set 'shape' is not known; did you mean 'shapes'. There"
    ) as caught:
        fcn_jax.data.open_source("shape", "train")
    for name in fcn_jax.data.DATASETS:
        assert name in str(caught.value)
    with pytest.raises(ValueError, match="mean 'voc_segmentation/2012'"):
        fcn_jax.data.open_source("voc2012", "train")
    with pytest.raises(ValueError, match="did you mean 'cityscapes'"):
        fcn_jax.data.open_source("cityscape", "train")


def test_a_name_unlike_all_gets_the_list_alone():
    with pytest.raises(ValueError, match="data set '!!' is not known; There are: fold"):
        fcn_jax.data.open_source("!!", "train")


@pytest.mark.parametrize("root", (None, ""))
def test_a_folder_needs_its_root(root):
    with pytest.raises(
        ValueError, match="needs the path of its folder; set .*data.roo"
    ):
        fcn_jax.data.open_source("folder", "train", root=root)


def test_every_name_opens_its_own(monkeypatch):
    monkeypatch.setattr(
        voc_folder,
        "VocFolder",
        lambda *args, palette, options: ("folder", *args, palette, options.split),
    )
    monkeypatch.setattr(shapes, "open_shapes", lambda *args: ("shapes", *args))
    monkeypatch.setattr(voc, "open_voc", lambda *args: ("voc", *args))
    monkeypatch.setattr(
        imported, "open_imported", lambda form, split, o: (form, split, o.root)
    )
    monkeypatch.setattr(
        official, "open_official", lambda name, split, o: ("official", name, o.root)
    )
    monkeypatch.setattr(landscapes, "Landscapes", lambda split: ("landscapes", split))
    monkeypatch.setattr(indoor, "Indoor", lambda *args: ("indoor", *args))
    monkeypatch.setattr(nyud, "open_nyud", lambda split, o: ("nyud", split, o.root))
    where = {"root": "R", "data_dir": "D", "manual_dir": "M"}
    opened = {
        name: fcn_jax.data.open_source(name, "val", **where)
        for name in fcn_jax.data.DATASETS
    }
    assert opened == {
        "folder": ("folder", "R", "val", None, 0),
        "shapes": ("shapes", "val", "D", "shapes"),
        "shapes_any_size": ("shapes", "val", "D", "shapes_any_size"),
        "landscapes": ("landscapes", "val"),
        "indoor": ("indoor", "val", "rgb"),
        "nyud": ("nyud", "val", "R"),
        "voc_segmentation/2011": ("voc", "2011", "val", "D", "M"),
        "voc_segmentation/2012": ("voc", "2012", "val", "D", "M"),
        "voc_segmentation/sbd": ("voc", "sbd", "val", "D", "M"),
        **{name: ("official", name, "R") for name in official.NAMES},
        # With a root, what has a format too is read as its files are imported.
        **{form: (form, "val", "R") for form in FORMATS},
    }
    for name in official.NAMES:
        opened = fcn_jax.data.open_source(name, "val", manual_dir="M")
        assert opened == ("official", name, None)
    opened = fcn_jax.data.open_source(
        "folder",
        "val",
        root="R",
        palette="P",
        folder=fcn_jax.data.FolderOptions(split=0.5),
    )
    assert opened == ("folder", "R", "val", "P", 0.5)


def test_only_a_folder_takes_a_palette():
    with pytest.raises(
        ValueError, match="'shapes' has colours of its own, but palette='P' is given; l"
    ):
        fcn_jax.data.open_source("shapes", "val", palette="P")
