"""Arrays kept in files: names that tell content apart, files whole or absent."""

import os
import threading
from concurrent import futures

import numpy as np
import pytest

from fcn_jax.storage import array_cache
from tests.support.patience import SECONDS

ZEROS = np.zeros(4, np.uint8)


def test_equal_parts_have_equal_digests():
    one = array_cache.digest("a", {"x": 1, "y": (2.5, None)}, ZEROS)
    other = array_cache.digest("a", {"y": [2.5, None], "x": 1}, np.zeros(4, np.uint8))
    assert one == other
    assert len(one) == 16


@pytest.mark.parametrize(
    "parts",
    [
        ("b", ZEROS),
        ("a", np.array([0, 0, 0, 1], np.uint8)),
        ("a", ZEROS.reshape(2, 2)),
        ("a", ZEROS.astype(np.int8)),
        ("a", ZEROS, ""),
        (ZEROS, "a"),
    ],
)
def test_other_parts_have_another(parts):
    assert array_cache.digest(*parts) != array_cache.digest("a", ZEROS)


def test_parts_are_told_apart():
    assert array_cache.digest("ab", "c") != array_cache.digest("a", "bc")
    assert array_cache.digest(1, 2) != array_cache.digest(12)


def test_strided_arrays_count_by_content():
    array = np.arange(12).reshape(3, 4)
    assert array_cache.digest(array[:, ::2]) == array_cache.digest(array[:, ::2].copy())


def test_arrays_are_made_once(tmp_path):
    path, made = tmp_path / "new" / "a.npz", []

    def make():
        made.append(1)
        return {"x": np.arange(3, dtype=np.int32), "y": np.zeros((0, 4))}

    for _ in range(2):
        found = array_cache.cached(path, make)
        np.testing.assert_array_equal(found["x"], [0, 1, 2])
        assert (found["x"].dtype, found["y"].shape) == (np.int32, (0, 4))
    assert made == [1]
    assert list(path.parent.iterdir()) == [path]


def test_what_fails_leaves_no_file(tmp_path):
    def fail():
        raise ValueError("no arrays")

    with pytest.raises(ValueError, match="no arrays"):
        array_cache.cached(tmp_path / "a.npz", fail)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_file(tmp_path, monkeypatch):
    def fail(file, **arrays):
        file.write(b"PK")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    message = r"a.npz could not be written \(No space left .*Make room or choose"
    with pytest.raises(OSError, match=message):
        array_cache.cached(tmp_path / "a.npz", lambda: {"a": np.ones(3)})
    assert not list(tmp_path.iterdir())


def test_two_threads_make_it_at_once(tmp_path, monkeypatch):
    """As loaders do with an image that has no proposals yet: both are in the middle."""
    barrier = threading.Barrier(2, timeout=SECONDS)
    save = np.savez_compressed

    def together(file, **arrays):
        file.write(b"PK")
        barrier.wait()
        file.seek(0)
        save(file, **arrays)
        barrier.wait()

    monkeypatch.setattr(np, "savez_compressed", together)
    path = tmp_path / "a.npz"
    with futures.ThreadPoolExecutor(2) as pool:
        made = [
            pool.submit(array_cache.cached, path, lambda n=n: {"a": np.full(50, n)})
            for n in range(2)
        ]
        assert [int(each.result()["a"][0]) for each in made] == [0, 1]
    monkeypatch.undo()
    assert array_cache.cached(path, dict)["a"].shape == (50,)
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append("to disk"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *a: done.append("named") or replace(*a))
    array_cache.cached(tmp_path / "a.npz", lambda: {"a": ZEROS})
    assert done == ["to disk", "named", "to disk"]


@pytest.mark.parametrize("damage", range(0, 400, 7))
def test_any_damage_is_made_anew(tmp_path, damage):
    """Whatever zipfile, zlib and NumPy say of a byte that is another."""
    path = tmp_path / "x.npz"
    arrays = {"boxes": np.arange(12), "scores": np.ones(3, np.float32)}
    array_cache.cached(path, lambda: arrays)
    content = bytearray(path.read_bytes())
    for at in range(damage, min(len(content), damage + 7)):
        content[at] ^= 0xFF
    path.write_bytes(content)
    found = array_cache.cached(path, lambda: arrays, ("boxes", "scores"))
    assert found.keys() == arrays.keys()
    for name, x in arrays.items():
        np.testing.assert_array_equal(found[name], x)


@pytest.mark.parametrize("times", (1, 4, 5))
def test_what_another_thread_disturbs_is_read_again(tmp_path, monkeypatch, times):
    """As `ast.literal_eval` of Python 3.11 is, by which NumPy reads headers."""
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(3)}

    array_cache.cached(tmp_path / "a.npz", make)
    load, failed = np.load, []

    def disturbed(*given, **options):
        if len(failed) < times:
            failed.append(1)
            raise SystemError("AST constructor recursion depth mismatch")
        return load(*given, **options)

    monkeypatch.setattr(np, "load", disturbed)
    if times == 5:
        with pytest.raises(SystemError, match="recursion depth"):
            array_cache.cached(tmp_path / "a.npz", make)
    else:
        found = array_cache.cached(tmp_path / "a.npz", make)
        np.testing.assert_array_equal(found["a"], [0, 1, 2])
    assert (len(made), len(failed)) == (1, times)


def test_a_whole_file_of_other_arrays_is_made_anew(tmp_path, caplog):
    path = tmp_path / "x.npz"
    array_cache.cached(path, lambda: {"other": ZEROS})
    found = array_cache.cached(path, lambda: {"boxes": ZEROS}, ("boxes",))
    assert set(found) == {"boxes"}
    assert "it lacks boxes); it is made anew" in caplog.text
