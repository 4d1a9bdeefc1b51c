"""What of a data set is seen when it changes."""

import numpy as np
import pytest

from fcn_jax.data import fingerprints
from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources.voc_folder import VocFolder
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
