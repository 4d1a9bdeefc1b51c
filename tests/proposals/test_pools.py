"""Pools of candidates: kept on disk or in memory, told apart by what made them."""

import functools
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.io

from fcn_jax.proposals import candidates, opencv, pools
from tests.support.patience import SECONDS
from tests.support.proposals import scene

BOXES = np.array([[30, 20, 70, 90]])


@pytest.fixture
def counted(monkeypatch):
    """How often segments are made; they are the columns and the whole."""
    pytest.importorskip("cv2", reason="needs OpenCV, of the extra [proposals]")
    calls, propose = [], pools.segments.propose

    @functools.wraps(propose)
    def counting(image, **options):
        calls.append(options)
        return propose(image, **options)

    monkeypatch.setitem(pools._FUNCTIONS, "segments", counting)
    return calls


@pytest.mark.parametrize("on_disk", (True, False))
def test_a_pool_is_made_once(tmp_path, counted, on_disk):
    directory = tmp_path if on_disk else None
    kept = pools.Pools(directory=directory, num=7, options={"seed": 3})
    one, again = (kept(scene(), "a/b", BOXES) for _ in range(2))
    np.testing.assert_array_equal(one.regions, again.regions)
    np.testing.assert_array_equal(one.member, again.member)
    assert counted == [{"num": 7, "seed": 3}]
    assert len(one) <= 7
    if on_disk:
        (file,) = tmp_path.iterdir()
        assert file.name.startswith("a_b-")
        pools.Pools(directory=directory, num=7, options={"seed": 3})(
            scene(), "a/b", BOXES[:0]
        )  # These do not depend on boxes.
        assert len(counted) == 1
        file.write_bytes(b"damaged")
        kept(scene(), "a/b", BOXES)
        assert len(counted) == 2


@pytest.fixture
def whole(monkeypatch):
    """What is proposed is the whole image; the shapes of those that were asked for."""
    calls = []

    def propose(image, *, num):
        del num
        calls.append(image.shape[:2])
        return candidates.from_masks(np.ones((1, *image.shape[:2]), bool))

    monkeypatch.setitem(pools._FUNCTIONS, "segments", propose)
    return calls


def test_images_of_one_name_have_pools_of_their_own(whole):
    """Photographs have none: `fcn_jax predict` calls each "image"."""
    kept = pools.Pools()
    for image in (scene(), scene()[:, :60], scene()):
        assert kept(image, "image", BOXES).regions.shape == image.shape[:2]
    assert whole == [(100, 120), (100, 60)]


def test_memory_holds_the_first_that_it_has_room_for(whole):
    kept = pools.Pools(most_bytes=100 * 120 + 50)
    for image in (scene(), scene()[:, :60], scene(), scene()[:, :60]):
        kept(image, "image", BOXES)
    assert whole == [(100, 120), (100, 60), (100, 60)]


def test_what_two_threads_make_at_once_is_counted_once(whole, monkeypatch):
    both, propose = threading.Barrier(2, timeout=SECONDS), pools._FUNCTIONS["segments"]

    def together(image, *, num):
        found = propose(image, num=num)
        if len(whole) <= 2:
            both.wait()
        return found

    monkeypatch.setitem(pools._FUNCTIONS, "segments", together)
    kept = pools.Pools(most_bytes=2 * 100 * 120 + 100)
    with ThreadPoolExecutor(2) as threads:
        for made in [threads.submit(kept, scene(), "im", BOXES) for _ in range(2)]:
            made.result(SECONDS)
    for image in (scene()[:, :60], scene(), scene()[:, :60]):
        kept(image, "im", BOXES)
    assert whole == [(100, 120), (100, 120), (100, 60)]


def test_what_is_kept_does_not_go_to_other_processes(whole):
    """To each that reads images goes its source, anew in every epoch of BoxSup."""
    kept = pools.Pools()
    kept(scene(), "im", BOXES)
    there = pickle.loads(pickle.dumps(kept))
    assert (there.key, len(pickle.dumps(kept)) < 2000) == (kept.key, True)
    there(scene(), "im", BOXES)
    kept(scene(), "im", BOXES)
    assert len(whole) == 2


def test_keys_tell_how_pools_are_made(monkeypatch):
    keys = [
        pools.Pools().key,
        pools.Pools(num=3).key,
        pools.Pools(options={"min_side": 3}).key,
        pools.Pools("grabcut").key,
        pools.Pools("mcg", files="DIR").key,
    ]
    monkeypatch.setattr(opencv, "version", lambda: "another")
    keys.append(pools.Pools().key)
    assert len(set(keys)) == 6
    assert pools.Pools("mcg", files="ELSEWHERE").key == keys[4]


def test_other_files_of_mcg_are_other_candidates(tmp_path):
    """Wherever they are; those of before are known by the same digits in front."""

    def unasked():
        raise AssertionError("ids may take long to find")

    for name, content in (("one", b"1"), ("same", b"1"), ("other", b"12")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "im.mat").write_bytes(content)
    kept = {n: pools.Pools("mcg", files=tmp_path / n) for n in ("one", "same", "other")}
    one, same, other = (kept[n].key_of(lambda: ["im"]) for n in kept)
    assert one == same != other
    assert one.startswith(kept["one"].key)
    assert kept["one"].key_of(lambda: ["im", "not there"]) not in (one, other)
    assert pools.Pools().key_of(unasked) == pools.Pools().key


def test_grabcut_pools_are_of_boxes(tmp_path):
    pytest.importorskip("cv2", reason="needs OpenCV, of the extra [proposals]")
    options = {"runs": 2, "iterations": 1}
    kept = pools.Pools("grabcut", directory=tmp_path, options=options)
    assert 1 <= len(kept(scene(), "im", BOXES)) <= 2
    kept(scene(), "im", BOXES + 1)
    assert len(list(tmp_path.iterdir())) == 2


def test_mcg_is_read_from_its_files(tmp_path):
    cell = np.empty((1, 1), object)
    cell[0, 0] = [[1.0]]
    scipy.io.savemat(tmp_path / "im.mat", {"superpixels": [[1.0, 2]], "labels": cell})
    kept = pools.Pools("mcg", files=tmp_path)
    assert kept(scene(), "im", BOXES).mask(0).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "gop"}, "method 'gop' is not known; there are segments, mcg, grab"),
        ({"num": 0}, "candidates: num=0; give 1 or more"),
        ({"options": {"runs": 3}}, "segments has no option 'runs'; it has min_side, s"),
        (
            {"method": "mcg"},
            "read from files that MCG has written.*data.boxsup.mcg_dir",
        ),
        (
            {"method": "mcg", "options": {"seed": 1}},
            "mcg has no option 'seed'; it has none",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        pools.Pools(**arguments)


def test_an_image_that_has_no_pool_is_named():
    pytest.importorskip("cv2", reason="needs OpenCV, of the extra [proposals]")
    with pytest.raises(ValueError, match="im7: segments: an image of shape"):
        pools.Pools()(np.zeros((3, 3), np.uint8), "im7", BOXES)
