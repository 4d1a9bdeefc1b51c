"""Memory that processes share: what is put is what is got, and nothing is left."""

import gc
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fcn_jax.data import shared_items
from fcn_jax.data.shared_items import SharedItems

pytestmark = pytest.mark.skipif(
    not shared_items.AVAILABLE, reason="needs memfd_create (Linux)"
)
TABLE = 64  # Bytes of the table of three places: 4 x 2 words.


@pytest.fixture
def items():
    return SharedItems(3, 1 << 16)


ARRAYS = {
    "image": np.arange(90, dtype=np.uint8).reshape(5, 6, 3),
    "columns first": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "every other": np.arange(20)[::2],
    "none": np.zeros((0, 4), np.int32),
}


def test_arrays_are_as_they_were(items):
    items.put(1, {**ARRAYS, "id": "b", "by head": {"parts": ARRAYS["image"]}})
    found = items.get(1)
    assert found.pop("id") == "b"
    np.testing.assert_array_equal(found.pop("by head")["parts"], ARRAYS["image"])
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_nothing_is_where_nothing_was_put(items):
    items.put(1, "one")
    assert [items.get(place) for place in range(3)] == [None, "one", None]


def test_what_is_kept_cannot_be_changed(items):
    items.put(0, ARRAYS["image"])
    with pytest.raises(ValueError, match="read-only"):
        items.get(0)[0, 0, 0] = 1


def test_the_first_that_is_put_stays(items):
    items.put(0, "first")
    used = items.bytes
    items.put(0, "second")
    assert (items.get(0), items.bytes) == ("first", used)


def test_no_more_than_the_limit(items):
    """What has no room is left out, and what is smaller still goes in."""
    small, large = np.zeros(100, np.uint8), np.zeros(9000, np.uint8)
    alone = SharedItems(3, 1 << 16)
    alone.put(0, small)
    size = alone.bytes - SharedItems(3, 0).bytes
    assert 100 < size < 1000
    tight = SharedItems(3, TABLE + 2 * size)
    for place, array in enumerate((small, large, small)):
        tight.put(place, array)
    assert tight.get(1) is None
    assert all(len(tight.get(place)) == 100 for place in (0, 2))
    assert tight.bytes == TABLE + 2 * size == os.fstat(tight._file).st_size


def test_a_limit_below_the_table_keeps_nothing():
    none = SharedItems(3, 10)
    none.put(0, "a")
    assert (none.get(0), none.bytes) == (None, TABLE)


def test_who_has_it_pickled_has_the_same_memory(items):
    items.put(0, "ours")
    other = pickle.loads(pickle.dumps(items))
    other.put(1, ARRAYS["image"])
    assert other.get(0) == "ours"
    np.testing.assert_array_equal(items.get(1), ARRAYS["image"])
    assert items.bytes == other.bytes


@pytest.mark.parametrize("by", ("a file", "another memory"))
def test_what_took_its_handle_meanwhile_is_not_taken_for_it(tmp_path, by):
    """Into which things would be written."""
    items, other = (SharedItems(3, 1 << 16) for _ in range(2))
    pickled, handle = pickle.dumps(items), items._file
    del items
    gc.collect()
    path = tmp_path / "own"
    path.write_bytes(bytes(1 << 16))
    taken = os.open(path, os.O_RDWR) if by == "a file" else os.dup(other._file)
    if taken != handle:
        os.dup2(taken, handle)
        os.close(taken)
    with pytest.raises(OSError, match=f"fd/{handle} is no longer the memory that"):
        pickle.loads(pickled)
    os.close(handle)
    assert not any(path.read_bytes())


def test_what_another_is_writing_is_not_there_yet(items):
    """One that was killed meanwhile has left room unused, and nothing half written."""
    other = pickle.loads(pickle.dumps(items))
    assert other._claim(0, 100)
    items.put(0, "again")
    assert items.get(0) is None
    items.put(1, "more")
    assert other.get(1) == "more"


def test_threads_write_each_thing_once(items):
    value = np.arange(1000)
    one = SharedItems(3, 1 << 16)
    one.put(0, value)
    many = [items, *(pickle.loads(pickle.dumps(items)) for _ in range(3))]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: many[k % 4].put(0, value), range(200)))
    np.testing.assert_array_equal(items.get(0), value)
    assert items.bytes == one.bytes


def test_it_has_no_name(items):
    """However its processes end, nothing is left of it."""
    assert os.fstat(items._file).st_nlink == 0
    assert os.readlink(f"/proc/self/fd/{items._file}").startswith("/memfd:fcn_jax")


def test_an_array_outlives_the_one_that_gave_it():
    items = SharedItems(1, 1 << 12)
    items.put(0, ARRAYS["image"])
    found, file = items.get(0), items._file
    del items
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)
    np.testing.assert_array_equal(found, ARRAYS["image"])


def test_a_system_without_such_memory_is_told(monkeypatch):
    monkeypatch.setattr(shared_items, "AVAILABLE", False)
    with pytest.raises(OSError, match="has no memfd_create, .* keep items in each"):
        SharedItems(1, 100)
