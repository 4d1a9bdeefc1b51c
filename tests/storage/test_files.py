import errno
import os
import subprocess
import sys

import pytest

from fcn_jax.storage import files


def test_a_file_appears_with_its_directory_and_alone(tmp_path):
    path = tmp_path / "deeper" / "x.txt"
    files.write_whole(str(path), lambda part: part.write_text("new"))
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def write(part):
        part.write_text("new")
        assert path.read_text() == "old"

    files.write_whole(path, write)
    assert path.read_text() == "new"


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def fail(part):
        part.write_text("half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        files.write_whole(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", (errno.ENOSPC, errno.EROFS))
def test_a_full_disk_names_the_file(tmp_path, number):
    def fail(part):
        raise OSError(number, os.strerror(number))

    path = tmp_path / "x.txt"
    with pytest.raises(OSError, match=r"x.txt could not be written .*Make r") as found:
        files.write_whole(path, fail)
    assert found.value.errno == number


def test_what_was_written_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """A power cut after the rename must not leave an empty file."""
    done = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append("to disk"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *a: done.append("named") or replace(*a))
    files.write_text(tmp_path / "x.txt", "new")
    assert done == ["to disk", "named", "to disk"]


@pytest.mark.parametrize("letter", ("n", "\u00fc", "\u6f22"))
def test_a_name_as_long_as_a_file_may_have(tmp_path, letter):
    size = len(letter.encode())
    path = tmp_path / (letter * (250 // size))
    files.write_text(path, "text")
    assert path.read_text() == "text"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stop", (ValueError, KeyboardInterrupt))
def test_a_folder_is_there_whole_or_not_at_all(tmp_path, stop):
    """Whatever interrupts it, Ctrl-C too, nothing is left beside it."""

    def fill(place):
        (place / "a/b").mkdir(parents=True)
        if stop_now:
            raise stop("now")

    stop_now = True
    with pytest.raises(stop, match="now"):
        files.make_whole(tmp_path / "made", fill)
    assert not list(tmp_path.iterdir())
    stop_now = False
    files.make_whole(tmp_path / "made", fill)
    assert [p.name for p in tmp_path.iterdir()] == ["made"]
    with pytest.raises(FileExistsError, match="made is there already; name a folder"):
        files.make_whole(tmp_path / "made", fill)


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    """Of a process that lives, or of another machine, nothing is touched."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    ours = files.part_of(tmp_path / "deep" / "a.b.png")
    pid = f"-{os.getpid()}-"
    theirs = ours.with_name(ours.name.replace(pid, f"-{ended.pid}-"))
    host = ours.name.split(".")[-2].partition("-")[0]
    far = theirs.with_name(theirs.name.replace(f".{host}-", ".0-"))
    others = [ours.with_name(name) for name in (".x.part", "x.part", ".1-2.part")]
    ours.parent.mkdir()
    for path in (ours, theirs, far, *others):
        path.touch()
    files.remove_stale_parts(tmp_path)
    assert set(ours.parent.iterdir()) == {ours, far, *others}
    files.remove_stale_parts(tmp_path / "nowhere")
