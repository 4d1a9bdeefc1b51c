import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

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


def test_a_place_that_takes_files_stays_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.txt").touch()
    for place in ("x.txt", "new/deeper/x.txt", "there.txt", ".", str(tmp_path)):
        files.check_place(place)
    assert [path.name for path in tmp_path.iterdir()] == ["there.txt"]


def test_a_place_below_a_file_takes_none(tmp_path):
    (tmp_path / "file").touch()
    match = rf"^--out=x cannot be written \({tmp_path}/file is a file\)\. Choose anoth"
    for name in ("file/x.txt", "file/new/x.txt"):
        with pytest.raises(NotADirectoryError, match=match):
            files.check_place(tmp_path / name, "--out=x")
    with pytest.raises(OSError, match=r"xx cannot be written \(.*: File name too long"):
        files.check_place(tmp_path / ("x" * 300) / "xx")


@pytest.mark.parametrize(
    ("number", "text"),
    (
        (errno.EACCES, r"Permission denied\)\. Get the right to write there or"),
        (errno.EROFS, r"Read-only file system\)\. Mount it for writing or"),
    ),
)
def test_a_place_that_takes_no_files(tmp_path, monkeypatch, number, text):
    tried = []

    def refuse(dir):
        tried.append(dir)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refuse)
    place, match = (
        tmp_path / "new" / "x.txt",
        rf"cannot be written \({tmp_path}: {text}",
    )
    with pytest.raises(OSError, match=f"{place} {match} choose another place"):
        files.check_place(place)
    with pytest.raises(OSError, match=match):
        files.check_place(tmp_path)
    assert tried == [tmp_path, tmp_path]


@pytest.mark.parametrize(
    ("number", "remedy"),
    (
        (errno.ENOSPC, "Make room or"),
        (errno.EDQUOT, "Make room in your quota or"),
        (errno.EROFS, "Mount it for writing or"),
        (errno.EACCES, "Get the right to write there or"),
    ),
)
def test_the_disk_names_the_file_and_what_to_do(tmp_path, number, remedy):
    def fail(part):
        raise OSError(number, os.strerror(number))

    path = tmp_path / "x.txt"
    message = rf"x.txt could not be written .*as it was\. {remedy} choose another place"
    with pytest.raises(OSError, match=message) as found:
        files.write_whole(path, fail)
    assert found.value.errno == number


def test_a_directory_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    def fail(path, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(OSError, match=r"a/x.txt could not be written .*Mount it for"):
        files.write_text(tmp_path / "a/x.txt", "")


def test_a_remedy_for_what_libraries_say():
    error = ValueError("Error writing: [OS error 30: EROFS Read-only file system]")
    wrapped = RuntimeError("save failed")
    wrapped.__cause__ = error
    assert files.remedy(wrapped).startswith("Mount it for writing")
    assert files.remedy(ValueError("no")) == "Choose another place"
    other = files.remedy(ValueError("no"), "--workdir", "Make room")
    assert other == "Make room or choose another --workdir"


def test_two_who_write_one_file_fill_each_their_own(tmp_path):
    """Threads of one process, and processes: neither ends with half of the other."""
    path = tmp_path / "x.txt"
    parts = [files.part_of(path)]
    thread = threading.Thread(target=lambda: parts.append(files.part_of(path)))
    thread.start()
    thread.join()
    code = (
        "import sys; from pathlib import Path; from fcn_jax.storage import files\n"
        "print(files.part_of(Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    parts.append(Path(done.stdout.strip()))
    assert len(set(parts)) == 3
    assert {part.parent for part in parts} == {tmp_path}


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
    folder = theirs.with_name(theirs.name.replace(".a.b.png.", ".folder."))
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/file").touch()
    files.remove_stale_parts(tmp_path)
    assert set(ours.parent.iterdir()) == {ours, far, *others}
    files.remove_stale_parts(tmp_path / "nowhere")


def test_who_makes_a_folder_removes_what_a_killed_process_left_of_it(tmp_path):
    """Only of that folder: those of others may be anywhere, and theirs to remove."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = []
    for name in ("made", "made.too"):
        part = files.part_of(tmp_path / name)
        pids = (f"-{os.getpid()}-", f"-{ended.pid}-")
        left.append(part.with_name(part.name.replace(*pids)))
        left[-1].mkdir()
        (left[-1] / "half").touch()
    files.make_whole(tmp_path / "made", lambda place: None)
    assert set(tmp_path.iterdir()) == {tmp_path / "made", left[1]}


def test_a_directory_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    (tmp_path / "part/deeper").mkdir(parents=True)
    (tmp_path / "part/deeper/file").touch()
    done = []
    monkeypatch.setattr(files, "_to_disk", lambda path: done.append(path.name))
    files.give_name(tmp_path / "part", tmp_path / "whole")
    assert sorted(done[:-1]) == ["deeper", "file", "part"]
    assert done[-1] == tmp_path.name
    assert (tmp_path / "whole/deeper/file").exists()
