import errno
import json
import logging
import os
import shutil
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

from fcn_jax.storage import checkpoints, reading, trees
from tests.support.patience import SECONDS
from tests.support.states import train_state


@pytest.fixture
def store(tmp_path):
    store = checkpoints.CheckpointStore(tmp_path / "checkpoints")
    yield store
    store.close()


def save(store, *steps, scores=()):
    scores = dict(scores)
    for step in steps:
        store.save(
            trees.to_arrays(train_state(step, seed=step)), metadata={"note": step}
        )
        if step in scores:
            store.scores.record(step, scores[step])
    store.wait()


def damage(store, step, how):
    folder = store.directory / str(step) / "state"
    files = [path for path in folder.rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    if how == "truncated":
        largest.write_bytes(content[: len(content) // 2])
    elif how == "removed":
        (folder / "_METADATA").unlink()
    else:
        for path in files:
            if path.parent.name == "d":
                content = bytearray(path.read_bytes())
                for at in range(0, len(content), 61):
                    content[at] ^= 1
                path.write_bytes(content)
    for path in folder.rglob("*"):  # Or a cache takes it for the file it has read.
        os.utime(path, (0, 0))


def test_what_is_saved_comes_back_equal(store):
    save(store, 3)
    restored = trees.into_state(store.newest().arrays, train_state(seed=9))
    expected = train_state(3, seed=3)
    assert jax.tree.structure(restored) == jax.tree.structure(expected)
    for ours, theirs in zip(
        jax.tree.leaves(restored), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert store.newest().metadata == {"note": 3}


def test_what_changes_after_a_save_has_begun_is_not_in_it(store, monkeypatch):
    """Orbax writes what JSON holds in a thread, which may come to it much later."""
    losses, begin = [0.5], checkpoints.ocp.CheckpointManager.save

    def run_goes_on(*args, **options):
        losses.append(0.25)
        return begin(*args, **options)

    monkeypatch.setattr(checkpoints.ocp.CheckpointManager, "save", run_goes_on)
    arrays = trees.to_arrays(train_state(1))
    store.save(arrays, metadata={"data": {"losses": losses}})
    store.wait()
    assert losses == [0.5, 0.25]
    assert store.read(1).metadata == {"data": {"losses": [0.5]}}


def test_without_checkpoints_there_is_nothing_and_nothing_is_made(store):
    assert (store.steps(), store.newest(), store.best()) == ([], None, None)
    assert not store.directory.exists()


def test_the_newest_two_and_the_best_are_kept(store):
    save(store, 1, 2, 3, 4, 5, 6, scores={2: 0.5, 4: 0.3, 6: 0.2})
    assert store.steps() == [2, 5, 6]
    assert (store.best().step, store.newest().step) == (2, 6)


# When several arrays cannot be read, Orbax leaves the later ones' errors unretrieved.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", ("truncated", "removed", "flipped"))
def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(store, how, caplog):
    save(store, 1, 2)
    damage(store, 2, how)
    with caplog.at_level(logging.WARNING):
        assert store.newest().step == 1
    assert "checkpoint 2" in caplog.text
    assert "going back to the one before" in caplog.text
    assert store.steps() == [1]
    save(store, 2)  # Its step can be done, and saved, again.
    assert store.newest().step == 2


def odd(path):
    """What may be left of a file: a part, nothing, or JSON of another kind."""
    content = path.read_bytes()
    cuts = [content[:n] for n in (0, 1, len(content) // 2, len(content) - 1)]
    texts = [b"[]", b"null", b"{}", b'{"tree_metadata": null}', b'{"tree_metadata": 3}']
    empty = b'{"tree_metadata": {"(\'step\',)": null}}'
    is_json = content.startswith(b"{")
    return [None, bytes(len(content)), *cuts, *[*texts, empty] * is_json]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_is_torn_the_run_goes_on(store, tmp_path):
    """From that checkpoint, as it was saved, or from the one before it."""
    save(store, 1, 2)
    expected = {n: trees.content_hash(store.read(n).arrays) for n in (1, 2)}
    files = [p for p in (store.directory / "2").rglob("*") if p.is_file()]
    went_back = set()
    for path in files:
        place = path.relative_to(store.directory)
        for number, content in enumerate(odd(path)):
            copy = tmp_path / f"{len(went_back)}-{place.name}-{number}" / "checkpoints"
            shutil.copytree(store.directory, copy)
            torn = copy / place
            torn.unlink() if content is None else torn.write_bytes(content)
            other = checkpoints.CheckpointStore(copy)
            found = other.newest()
            other.close()
            assert trees.content_hash(found.arrays) == expected[found.step]
            if found.step == 1:
                went_back.add(place.as_posix())
            shutil.rmtree(copy.parent)
    assert went_back >= {"2/metadata/metadata", "2/state/_METADATA"}


def test_another_that_is_read_shows_that_the_file_is_damaged(store, monkeypatch):
    """A library that fails at the newest and not at the one before is not to blame."""
    save(store, 1, 2)
    read = reading._read

    def fail(path):
        if path.name == "2":
            raise TypeError("'int' object is not subscriptable")
        return read(path)

    monkeypatch.setattr(reading, "_read", fail)
    with pytest.raises(OSError, match="it is damaged, or was written by another versi"):
        store.read(2)
    assert store.newest().step == 1
    assert store.steps() == [1]


def test_a_wrong_hash_is_named(store):
    save(store, 1)
    path = store.directory / "1" / "metadata" / "metadata"
    metadata = json.loads(path.read_text())
    del metadata["metadata_sha256"]  # As before there was one.
    path.write_text(json.dumps({**metadata, "sha256": "0" * 64}))
    with pytest.raises(ValueError, match=r"is corrupt: its arrays hash to \w+"):
        store.read(1)


def test_when_all_are_damaged_that_is_an_error(store):
    save(store, 1, 2)
    damage(store, 1, "removed")
    damage(store, 2, "truncated")
    with pytest.raises(ValueError, match=r"every checkpoint is damaged \(steps \[2, 1"):
        store.newest()


def test_a_torn_checkpoint_says_so(store):
    save(store, 1)
    damage(store, 1, "removed")
    with pytest.raises(ValueError, match="cannot be read .*: it is torn or corrupt"):
        store.read(1)


def test_a_step_that_is_not_there_is_named_with_those_that_are(store):
    save(store, 1)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint of step 7 .* \[1\]"):
        store.read(7)


def test_saving_a_step_twice_is_refused(store):
    save(store, 2)
    with pytest.raises(OSError, match="checkpoint 2 .* (not saved|not be written)"):
        save(store, 2)


@pytest.mark.long
def test_a_full_disk_is_an_error_and_the_finished_checkpoints_stay(tmp_path):
    script = f"""
        import resource, sys
        sys.path[:0] = {sys.path!r}
        import numpy as np
        from fcn_jax import training
        from fcn_jax.storage import checkpoints, quiet, reading, trees
        def state(step, n):
            params = {{"fc6": {{"kernel": np.arange(n, dtype=np.float32) * 1.7}}}}
            return training.TrainState(np.int32(step), params, {{}}, ())
        store = checkpoints.CheckpointStore({str(tmp_path / "checkpoints")!r})
        store.save(trees.to_arrays(state(1, 10)), metadata={{}})
        store.wait()
        # No file may grow past 1 MiB: writing fails as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        rng = np.random.default_rng(0)
        big = state(2, 10)
        big.params["fc6"]["kernel"] = rng.normal(size=2**20).astype(np.float32)
        try:
            with quiet.saves():
                store.save(trees.to_arrays(big), metadata={{}})
                store.wait()
        except OSError as error:
            print("OSError:", error)
        print(checkpoints.CheckpointStore(store.directory).newest().step)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert "could not be written" in result.stdout, result.stderr
    assert "Make room or choose another --workdir" in result.stdout
    assert result.stdout.split()[-1] == "1"
    assert "Traceback" not in result.stderr


def rewrite(store, step, change):
    """Change what a checkpoint says of itself."""
    path = store.directory / str(step) / "metadata" / "metadata"
    metadata = json.loads(path.read_text())
    change(metadata)
    path.write_text(json.dumps(metadata))


@pytest.mark.parametrize(
    "change",
    (
        lambda m: m.update(note=2),
        lambda m: m.update(more=1),
        lambda m: m.pop("note"),
        lambda m: m.update(sha256="0" * 64),
    ),
)
def test_all_that_a_checkpoint_says_is_checked(store, change):
    save(store, 1)
    rewrite(store, 1, change)
    with pytest.raises(ValueError, match="is corrupt: what it says of its config, its"):
        store.read(1)


def test_what_older_versions_saved_is_read(store):
    """Their score is in the checkpoint, and they have no hash of what it says."""
    save(store, 1, 2)
    for step, score in ((1, 0.7), (2, 0.5)):
        rewrite(store, step, lambda m, s=score: m.update(mean_iu=s, note=9))
        rewrite(store, step, lambda m: m.pop("metadata_sha256"))
    assert store.read(2).metadata == {"note": 9}
    assert store.best().step == 1
    assert store.scores.has(2)
    store.scores.record(2, 0.9)  # Scores of this version come first.
    assert store.best().step == 2


def test_a_step_may_be_scored_after_it_was_saved(store):
    save(store, 1, 2, 3)
    assert store.steps() == [2, 3]
    assert not store.scores.has(3)
    store.scores.record(3, None)  # Undefined, but it was evaluated.
    store.scores.record(2, 0.5)
    assert store.scores.has(3)
    assert store.scores.read() == {2: 0.5, 3: None}
    save(store, 4, 5, 6)
    assert store.steps() == [2, 5, 6]
    assert store.best().step == 2
    store.scores.record(6, 0.6)
    store.close()  # What the last score made needless goes.
    assert store.steps() == [5, 6]


@pytest.mark.parametrize("text", ("", "{", "[]", '{"mean_iu": {"a": 1}}'))
def test_damaged_scores_are_named(store, text):
    save(store, 1)
    store.scores.record(1, 0.5)
    path = store.directory.with_name("checkpoints_scores.json")
    path.write_text(text)
    with pytest.raises(ValueError, match="checkpoints_scores.json is damaged .* delet"):
        store.best()
    path.unlink()
    assert store.best().step == 1


@pytest.mark.parametrize(
    "error",
    (
        OSError(errno.EIO, "Input/output error"),
        PermissionError(errno.EACCES, "Permission denied"),
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError("no memory"),
        ValueError("RESOURCE_EXHAUSTED: Error reading chunk"),
        AttributeError("module 'orbax' has no attribute 'x'"),
    ),
)
def test_what_cannot_be_read_now_is_no_damage(store, monkeypatch, error):
    """A good checkpoint is never moved away because of the system or a library."""
    save(store, 1, 2)

    def fail(path):
        raise error

    monkeypatch.setattr(reading, "_read", fail)
    with pytest.raises(OSError, match="could not be read now .* stays where it is"):
        store.newest()
    assert store.steps() == [1, 2]
    assert not store.directory.with_name("checkpoints_damaged").exists()


def test_a_second_damaged_checkpoint_keeps_the_first(store):
    for _ in range(2):
        save(store, 1, 2)
        damage(store, 2, "truncated")
        assert store.newest().step == 1
        store.close()
        for path in store.directory.iterdir():
            if path.name.isdigit():
                shutil.rmtree(path)
    aside = store.directory.with_name("checkpoints_damaged")
    assert sorted(path.name for path in aside.iterdir()) == ["2", "2_2"]


@pytest.mark.parametrize("gone", ("", "metadata", "state/_METADATA"))
def test_a_reader_beside_a_writer_tries_again(store, monkeypatch, gone):
    """What was the best may be deleted, file by file, between listing and reading."""
    save(store, 1, 2)
    store.scores.record(1, 0.5)
    read, tries = reading.read, []

    def slow(directory, step):
        tries.append(step)
        if step == 1:
            store.scores.record(2, 0.9)  # Else the run would keep it.
            path = directory / "1" / gone
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return read(directory, step)

    monkeypatch.setattr(reading, "read", slow)
    assert store.best().step == 2
    assert tries == [1, 2]


def test_without_scores_the_newest_checkpoint_knows_the_best(store):
    for step in (1, 2):
        best = {"step": 1, "mean_iu": 0.5} if step == 2 else None
        arrays = trees.to_arrays(train_state(step))
        store.save(arrays, metadata={"best": best})
    store.wait()
    assert store.best().step == 1
    shutil.rmtree(store.directory / "1")
    assert store.best().step == 2


def test_a_torn_best_checkpoint_says_which_others_there_are(store):
    save(store, 1, 2)
    store.scores.record(1, 0.9)
    damage(store, 1, "truncated")
    with pytest.raises(
        ValueError, match=r"It is the best; of others \(2\) --step=N takes"
    ):
        store.best()


def test_the_newest_config_without_its_arrays(store):
    assert store.newest_metadata() is None
    save(store, 1, 2)
    damage(store, 2, "truncated")
    assert store.newest_metadata()["note"] == 2
    path = store.directory / "2" / "metadata" / "metadata"
    path.write_text("{")
    assert store.newest_metadata()["note"] == 1


def test_one_bad_checkpoint_does_not_spoil_the_choice(store):
    save(store, 1, 2)
    (store.directory / "1" / "metadata" / "metadata").write_text("[")
    assert store.best().step == 2
