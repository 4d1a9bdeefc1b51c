"""fcn_jax doctor: what is printed and written, and how it ends."""

import dataclasses
import io
import json
import sys

import numpy as np
import pytest
from absl import app
from PIL import Image

from fcn_jax import __main__, data
from fcn_jax.commands import command
from fcn_jax.data import depth as depths
from fcn_jax.data.official import sift_flow
from fcn_jax.data.sources import archives, landscapes
from tests.support import annotations, folders, nyud, official

# ml_collections loads the file of a config in a way that is deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")


@pytest.fixture
def doctor(monkeypatch, capsys):
    """(exit status or message, what was printed) of a command line."""

    def run(*arguments):
        argv = ["fcn_jax", "doctor", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", argv)
        status = 0
        try:
            __main__.main(argv)
        except SystemExit as end:
            status = end.code or 0
        return status, capsys.readouterr().out

    monkeypatch.setattr(command.runtime, "prepare", lambda: None)
    monkeypatch.setattr(
        app, "run", lambda main, argv, flags_parser: main(flags_parser(argv))
    )
    return run


@pytest.fixture
def root(tmp_path):
    folders.write(tmp_path / "data", ("a", "b", "c"))
    folders.write_list(tmp_path / "data", "a\nb\n")
    folders.write_list(tmp_path / "data", "c\n", "val")
    return tmp_path / "data"


def test_a_folder_without_faults(doctor, root):
    status, out = doctor(root, "--threads=1", "--num-classes=3")
    assert status == 0
    assert out.splitlines()[:2] == [f"{root}: 2 of train, 1 of val", "masks: 3 grey"]
    assert out.endswith("Nothing is wrong.\n")


def test_letters_that_a_terminal_has_not(doctor, root, monkeypatch):
    """Names of classes and files are whatever they are; Windows prints cp1252."""
    (root / "classes.txt").write_text("ground\n\u732b\ntree\n", "utf-8")
    terminal = io.TextIOWrapper(io.BytesIO(), "cp1252", write_through=True)
    monkeypatch.setattr(sys, "stdout", terminal)
    assert doctor(root)[0] == 0
    assert rb"\u732b" in terminal.buffer.getvalue()


def test_hints_alone_do_not_stop(doctor, root):
    folders.save(root / "JPEGImages/d.jpg", folders.photo(9))
    status, out = doctor(root)
    assert (status, "Worth a look:" in out) == (0, True)


def test_what_stops_training_is_the_exit_status(doctor, root):
    masks = folders.labels() + np.uint8(252)
    folders.save(root / "SegmentationClass/a.png", np.minimum(masks, 254))
    status, out = doctor(root)
    assert status == 1
    assert "label 25" in out.split("What stops training")[1]


def test_keys_of_a_config_are_those_of_a_training(doctor, root):
    folders.save(
        root / "SegmentationClass/a.png",
        np.where(folders.labels() > 1, 254, folders.labels()).astype(np.uint8),
    )
    status, out = doctor(root)
    assert (status, "set --config.data.void_label=254" in out) == (1, True)
    assert doctor(root, "--config.data.void_label=254")[0] == 0
    assert "config has no key" in doctor(root, "--config.data.void_labl=254")[0]


def test_what_decoders_warn_of_is_a_finding_or_nothing(doctor, root):
    """Bytes behind an EXIF block that has none: Pillow warns, and reads the photo."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0"
    folders.save(root / "JPEGImages/a.jpg", folders.photo(), exif=exif)
    assert doctor(root)[0] == 0


def test_json(doctor, root, tmp_path):
    status, out = doctor(root, "--json=-")
    assert (status, json.loads(out)["images"]) == (0, {"train": 2, "val": 1})
    doctor(root, f"--json={tmp_path}/report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(out)


def test_the_sheet_shows_all_that_can_be_read(doctor, root, tmp_path):
    (root / "JPEGImages/b.jpg").write_text("no image")
    status, _ = doctor(root, f"--sheet={tmp_path}/sheet.png")
    assert status == 1
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 2 * 246 + 6


def test_a_data_set_of_a_name(doctor, monkeypatch):
    from tests.support import made_up

    monkeypatch.setitem(data.DATASETS, "made_up", made_up.OUTDOORS)
    status, out = doctor("made_up")
    assert (status, out.splitlines()[0]) == (0, "outdoors: 4 of train, 2 of val")


def test_a_tool_s_files_by_the_name_of_their_format(
    doctor, root, tmp_path, monkeypatch
):
    source = annotations.write("labelme", tmp_path / "src")
    keys = (f"--config.data.root={source}", f"--config.data.data_dir={tmp_path}/cache")
    status, out = doctor("labelme", *keys)
    first, note, masks = out.splitlines()[:3]
    assert (status, first) == (0, f"labelme {source}: 4 of train, 1 of val")
    assert note.startswith("note: divided by chance: 4 of 5 images are in train")
    assert masks == "masks: 5 palette"
    # A folder of that name is a folder.
    root.rename(tmp_path / "labelme")
    monkeypatch.chdir(tmp_path)
    assert doctor("labelme")[1].startswith("labelme: 2 of train, 1 of val")


@pytest.fixture
def official_sets(monkeypatch):
    """No checksum of an archive, and two images of SIFT Flow's test."""
    any_file = dataclasses.replace(archives.ARCHIVES["voc2010"], md5=())
    monkeypatch.setitem(archives.ARCHIVES, "voc2010", any_file)
    monkeypatch.setattr(sift_flow, "TEST", frozenset(official.TESTED))


@pytest.mark.parametrize("name", data.official.NAMES)
def test_a_data_set_of_its_authors(doctor, official_sets, tmp_path, name):
    """From archives, with the splits that it has."""
    packed = official.pack(name, tmp_path / "manual")
    keys = (f"--config.data.manual_dir={packed}", f"--config.data.data_dir={tmp_path}")
    status, out = doctor(name, *keys)
    train, scored = data.DATASETS[name].splits
    (first,) = [line for line in out.splitlines() if line.startswith("official_")]
    variant = data.official.layout_of(name).variant
    assert first.startswith(f"official_{name.replace('/', '_')}/{variant}/1.0.0: ")
    assert f"of {train}, " in first
    assert first.endswith(f"of {scored}")
    assert status == 0


def test_a_label_set_is_chosen_by_its_key(doctor, official_sets, tmp_path):
    root = official.unpack("pascal_context", tmp_path)
    keys = (f"--config.data.root={root}", "--config.data.classes=59")
    status, out = doctor("pascal_context", *keys)
    assert (status, out.splitlines()[0]) == (
        0, "pascal_context/59: 2 of train, 1 of val"
    )  # fmt: skip
    status, out = doctor("pascal_context", *keys, "--num_classes=60")
    assert status == 1
    assert "num_classes=60, but pascal_context/59 has 59 classes" in " ".join(
        out.split()
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give one data set: fcn_jax doctor DATA; given were none"),
        (("a", "b"), r"given were \['a', 'b'\]"),
        (("shape",), "'shape' is neither a folder nor .*; did you mean 'shapes'"),
        (("shapes", "--threads=0"), "--threads=0 is not positive"),
        (("shapes", "--num_classes=-1"), "--num_classes=-1 is negative"),
    ],
)
def test_mistakes_on_the_command_line(doctor, arguments, message):
    with pytest.raises(SystemExit, match=message):
        raise SystemExit(doctor(*arguments)[0])


def test_the_channels_that_a_training_would_read(doctor, tmp_path):
    """Depth is looked at where it is asked for; a kind that is not there is refused."""
    root = nyud.make_folder(tmp_path)
    given = ("nyud", f"--config.data.root={root}", "--threads=1")
    status, printed = doctor(*given)
    assert status == 0
    # As it is trained on and scored: splits.mat of the labelled file has no others.
    assert "nyud: 3 of trainval, 2 of test" in printed
    depth = np.ones((14, 18))
    depth[2, 3] = 0
    depths.write(depth, root / "data/depth/img_5003.png")
    assert doctor(*given)[0] == 0
    status, printed = doctor(*given, "--config.data.channels=rgbd")
    assert status == 1
    found = "data/depth/img_5003.png: depth 0 at row 2, column 3 (1 of 252 pixels hav"
    assert found in printed
    status, _ = doctor(*given, "--config.data.channels=depth")
    assert "data set 'nyud' has no channels 'depth'; set --config.data" in str(status)


def test_several_heads_and_a_class_that_may_be_absent(doctor, monkeypatch):
    """The moon is in no image that is scored, and that is how it should be."""
    monkeypatch.setattr(landscapes, "SIZES", {"train": 24, "test": 24})
    status, printed = doctor("landscapes", "--threads=1")
    assert status == 0
    assert "it has 2 heads (sem, geo); a sheet shows the labels of sem" in printed
    for head, one in (("sem", "building"), ("geo", "horizontal")):
        table = printed.partition(f"\nhead {head}:\nclass ")[2].partition("\n\n")[0]
        assert f"\n{one}" in table
        assert table.count("weights: by median frequency") == 1
    assert "divide the images anew (moon)" not in printed
    assert "has not, which are not scored" not in printed
