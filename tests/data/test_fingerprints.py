"""What of a data set is seen when it changes."""

import os

import numpy as np
import pytest

from fcn_jax.data import fingerprints
from fcn_jax.data.fingerprints import FileDigests
from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources.voc_folder import VocFolder
from fcn_jax.data.together import Together
from fcn_jax.data.weak.assignment import Rule
from fcn_jax.data.weak.boxsup import BoxSupSource
from fcn_jax.data.weak.source import WeakLabels
from tests.support import folders
from tests.support.made_up import PALETTE


def changed(root, change, options=None):
    before = fingerprints.of(VocFolder(root, "train"))
    assert fingerprints.of(VocFolder(root, "train")) == before
    change()
    after = fingerprints.of(VocFolder(root, "train", options=options))
    return {name for name in before if before[name] != after[name]}


def test_a_folder_as_it_was(tmp_path):
    folders.write(tmp_path, ("a", "b", "c"))
    mask = tmp_path / "SegmentationClass/b.png"

    def other_label():
        labels = folders.labels(seed=1)
        labels[3, 3] = (labels[3, 3] + 1) % 3
        folders.save(mask, labels)

    assert changed(tmp_path, other_label) == {"masks"}
    assert changed(tmp_path, lambda: None) == set()
    one_less = changed(tmp_path, lambda: folders.write_list(tmp_path, "a\nb\n"))
    assert one_less == {"ids", "images", "masks"}
    names = tmp_path / "classes.txt"
    renamed = changed(tmp_path, lambda: names.write_text("ground\nbus\ntree\n"))
    assert renamed == {"options"}
    turned = changed(tmp_path, lambda: None, FolderOptions(apply_exif=True))
    assert turned == {"options"}
    photo = tmp_path / "JPEGImages/a.jpg"
    assert changed(tmp_path, lambda: folders.save(photo, folders.photo(9))) == {
        "images"
    }


class Other:
    """A source without a fingerprint of its own."""

    name, split, classes, palette = "other", "train", ("a", "b"), PALETTE

    def __init__(self, sizes):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def image_sizes(self):
        return np.array(self.sizes, np.int32)


@pytest.mark.parametrize(
    ("sizes", "differing"),
    [
        ([(2, 3), (4, 5)], set()),
        ([(2, 3), (4, 6)], {"sizes"}),
        ([(2, 3)], {"name", "sizes"}),
    ],
)
def test_other_sources(sizes, differing):
    before = fingerprints.of(Other([(2, 3), (4, 5)]))
    after = fingerprints.of(Other(sizes))
    assert {name for name in before if before[name] != after[name]} == differing


def old(root):
    """Files that changed long ago."""
    for path in root.rglob("*.png"):
        os.utime(path, ns=(10**18, 10**18))


def test_masks_that_did_not_change_are_not_read_again(tmp_path):
    folders.write(tmp_path / "data", ("a", "b", "c"))
    old(tmp_path / "data")
    source = VocFolder(tmp_path / "data", "train")
    digests = FileDigests(tmp_path / "digests.json")
    first = fingerprints.of(source, digests)
    digests.save()
    assert digests.read == 3
    digests = FileDigests(tmp_path / "digests.json")
    assert fingerprints.of(source, digests) == first == fingerprints.of(source)
    assert digests.read == 0
    mask = tmp_path / "data/SegmentationClass/b.png"
    content = bytearray(mask.read_bytes())
    content[-9] ^= 1  # Of the same length, and its time put back.
    mask.write_bytes(content)
    os.utime(mask, ns=(10**18, 10**18))
    digests = FileDigests(tmp_path / "digests.json")
    assert fingerprints.of(source, digests)["masks"] != first["masks"]
    assert digests.read == 1


def test_a_file_that_has_just_changed_is_read_again(tmp_path):
    """It may change once more, and its time stay."""
    (tmp_path / "m.png").write_bytes(b"1")
    for _ in range(2):
        digests = FileDigests(tmp_path / "digests.json")
        digests.of(tmp_path / "m.png")
        digests.save()
        assert digests.read == 1


@pytest.mark.parametrize("text", ("", "{", "[1]", '{"M": 3}', '{"M": [1, 2, 3]}'))
def test_damaged_digests_are_found_anew(tmp_path, text):
    mask = tmp_path / "m.png"
    mask.write_bytes(b"1")
    old(tmp_path)
    kept = tmp_path / "digests.json"
    kept.write_text(text.replace("M", str(mask)))
    digests = FileDigests(kept)
    found = digests.of(mask)
    digests.save()
    assert digests.read == 1
    digests = FileDigests(kept)
    assert (digests.of(mask), digests.read) == (found, 0)


COLOURS = np.array([(0, 0, 0), (250, 50, 83), (51, 221, 255)], np.uint8)


def write_colours(path, order=(0, 1, 2), void=""):
    """The classes in their order, with the colours in another."""
    names = zip("xyz", order, strict=True)
    lines = [f"{name} {' '.join(map(str, COLOURS[c]))}" for name, c in names]
    path.write_text("\n".join(lines) + void)


@pytest.mark.parametrize("kind", ("RGB", "P", "L"))
@pytest.mark.parametrize("place", ("palette", "label_colors.txt"))
@pytest.mark.parametrize("change", ({"order": (0, 2, 1)}, {"void": "\nvoid 9 9 9"}))
def test_colours_by_which_masks_are_read(tmp_path, kind, place, change):
    """Exchanged, they are other labels in the same files; grey masks have none."""

    def save(path, labels):
        if kind == "RGB":
            folders.save(path, COLOURS[labels])
        else:
            folders.save(path, labels, COLOURS if kind == "P" else None)

    named = place == "label_colors.txt"
    folders.write(tmp_path, classes="" if named else "x\ny\nz\n", masks=save)
    palette = None if named else tmp_path / place
    write_colours(tmp_path / place)
    before = fingerprints.of(VocFolder(tmp_path, "train", palette=palette))
    write_colours(tmp_path / place, **change)
    after = fingerprints.of(VocFolder(tmp_path, "train", palette=palette))
    expected = [] if kind == "L" else ["colours"]
    assert fingerprints.differing(after, before) == expected


def test_older_fingerprints_are_compared_as_far_as_they_go():
    now = {"ids": "1", "masks": "2:5", "colours": "7"}
    assert fingerprints.differing(now, {"ids": "1", "masks": "4"}) == []
    assert fingerprints.differing(now, {"ids": "2", "masks": "4"}) == ["ids"]
    assert fingerprints.differing(now, {"ids": "1", "masks": "2:4"}) == ["masks"]
    assert fingerprints.differing({"name": "1"}, now) == ["ids", "masks", "colours"]


def test_names_that_are_not_in_utf_8_have_digits():
    assert fingerprints.digits(["\udce9"]) != fingerprints.digits(["\udcea"])


def test_objects_count_where_they_are_looked_at(tmp_path):
    """Boxes follow from them; what learns from masks alone does not care."""
    mask = np.zeros(folders.SIZE, np.uint8)
    mask[2:8, 2:8] = 1
    for name in ("one", "other"):
        root = folders.write(tmp_path / name, classes="background\ncar\ntree\n")
        folders.save(root / "SegmentationObject/b.png", mask)

    def found():
        one, other = (VocFolder(tmp_path / x, "train") for x in ("one", "other"))
        sources = {
            "masks": one,
            "classes": WeakLabels(one, "image_labels"),
            "boxes": WeakLabels(one, "boxes"),
            "boxsup": BoxSupSource(one, lambda *_: None, rule=Rule()),
            "extra": WeakLabels(Together(other, one), "boxes"),
        }
        return {name: fingerprints.of(x) for name, x in sources.items()}

    before = found()
    folders.save(tmp_path / "one/SegmentationObject/b.png", mask * 2)
    after = found()
    assert {
        name: fingerprints.differing(after[name], before[name]) for name in before
    } == {
        "masks": [],
        "classes": [],
        "boxes": ["objects"],
        "boxsup": ["objects"],
        "extra": ["extra objects"],
    }
