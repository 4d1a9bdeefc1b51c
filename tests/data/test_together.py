"""Two sources as one: whose items, what they say of themselves, what must be alike."""

import pickle

import numpy as np
import pytest

from fcn_jax.data import contracts, fingerprints
from fcn_jax.data.contracts import OneHead
from fcn_jax.data.sources.voc_folder import VocFolder
from fcn_jax.data.together import Together
from tests.support import folders, made_up


@pytest.fixture
def pair(tmp_path):
    first = VocFolder(folders.write(tmp_path / "a", ("a", "b")), "train")
    return first, VocFolder(folders.write(tmp_path / "b", ("c", "d", "e")), "train")


def test_the_items_of_both(pair):
    both = Together(*pair)
    assert len(both) == 5
    assert both.ids == ("a", "b", "c", "d", "e")
    assert [both[i]["id"] for i in range(5)] == list(both.ids)
    np.testing.assert_array_equal(both[3]["labels"], pair[1][1]["labels"])
    assert contracts.ids_of(both) == list(both.ids)
    assert both.image_sizes().shape == (5, 2)
    assert (both.name, both.split) == ("folder", "train")
    assert both.root == pair[0].root  # The rest is that of the first.
    assert both.notes[-1] == "3 of these images are from folder train"
    assert pickle.loads(pickle.dumps(both)).ids == both.ids


def test_an_end_of_a_loop(pair):
    assert len(list(Together(*pair))) == 5


def test_a_change_of_either_is_seen(pair, tmp_path):
    before = fingerprints.of(Together(*pair))
    assert before.keys() == {*fingerprints.of(pair[0]), *(
        f"extra {name}" for name in fingerprints.of(pair[1])
    )}  # fmt: skip
    folders.save(tmp_path / "b/SegmentationClass/c.png", folders.labels(seed=9))
    after = fingerprints.of(Together(*pair))
    assert [n for n in before if before[n] != after[n]] == ["extra masks"]


def test_ids_that_one_does_not_tell(pair):
    class Nameless(OneHead):
        name, split = "made", "train"
        classes, palette = pair[0].classes, pair[0].palette

        def __len__(self):
            return 1

    assert getattr(Together(pair[0], Nameless()), "ids", ()) == ()


def test_other_classes_are_refused(pair, tmp_path):
    other = folders.write(tmp_path / "c", classes="ground\ntree\ncar\n")
    match = (
        r"config.data.extra: the classes of folder are 3 \(ground, tree, car, ...\), "
        r"and those of folder 3 \(ground, car, tree, ...\); they must be the same"
    )
    with pytest.raises(ValueError, match=match):
        Together(pair[0], VocFolder(other, "train"))


def test_other_channels_are_refused():
    class Grey(made_up.Outdoors):
        channels = "grey"

    match = "the channels of outdoors are grey, and those of outdoors rgb; they must"
    with pytest.raises(ValueError, match=match):
        Together(made_up.Outdoors("train", 2), Grey("train", 2))
