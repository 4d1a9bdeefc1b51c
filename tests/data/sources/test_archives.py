"""Downloads against a server on this machine that misbehaves on request."""

import functools
import hashlib
import http.server
import threading

import pytest

from fcn_jax.data.sources import archives
from fcn_jax.storage import downloading

CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"ffff\r\n" + CONTENT[:1000])  # Much less than it says.
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path == "/cut":
            self.wfile.write(CONTENT[:1000])
        elif self.path == "/wrong":
            self.wfile.write(CONTENT[::-1])
        else:
            self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=functools.partial(server.serve_forever, 0.01))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(downloading, "_PAUSE", 0)


def archive(*addresses):
    return archives.Archive("a.tar", (MD5,), addresses)


def test_a_file_comes_whole(server, tmp_path):
    archives.fetch(archive(f"{server}/good"), tmp_path / "deep" / "a.tar")
    assert (tmp_path / "deep" / "a.tar").read_bytes() == CONTENT
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.tar"]


def test_the_next_address_is_tried(server, tmp_path):
    names = ("missing", "cut", "chunks", "wrong", "good")
    addresses = [f"{server}/{name}" for name in names]
    archives.fetch(archive(*addresses), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "404"),
        ("cut", "1,000 bytes of 256,000 came"),
        ("chunks", "IncompleteRead"),
        ("wrong", f"MD5 checksum .*; expected {MD5}; it was removed"),
    ],
)
def test_a_failure_says_what_came_and_what_to_do(server, tmp_path, name, message):
    with pytest.raises(
        OSError, match=rf"a.tar could not be downloaded .*{message}.*as manual_dir"
    ):
        archives.fetch(archive(f"{server}/{name}"), tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()


def test_after_an_interruption_the_name_is_not_taken(server, tmp_path, monkeypatch):
    def interrupted(path, checksums):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(downloading, "mismatch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            archives.fetch(archive(f"{server}/good"), tmp_path / "a.tar")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.part"]
    archives.fetch(archive(f"{server}/good"), tmp_path / "a.tar")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar"]


def test_find_downloads_once(server, tmp_path, monkeypatch):
    monkeypatch.setitem(archives.ARCHIVES, "x", archive(f"{server}/good"))
    path = archives.find("x", tmp_path, None)
    assert path.stat().st_size > 0
    monkeypatch.setitem(archives.ARCHIVES, "x", archive(f"{server}/missing"))
    assert archives.find("x", tmp_path, None) == path
    path.write_bytes(b"other")
    with pytest.raises(ValueError, match=f"has the MD5 checksum .*; expected {MD5}"):
        archives.find("x", tmp_path, None)


def test_a_file_put_there_by_hand(tmp_path, monkeypatch):
    monkeypatch.setitem(archives.ARCHIVES, "x", archive("http://127.0.0.1/"))
    with pytest.raises(FileNotFoundError, match="a.tar does not exist; get it from"):
        archives.find("x", tmp_path / "downloads", tmp_path)
    (tmp_path / "a.tar").write_bytes(CONTENT)
    assert archives.find("x", tmp_path / "downloads", tmp_path) == tmp_path / "a.tar"


def test_a_file_put_there_under_its_other_name(tmp_path, monkeypatch):
    wanted = archives.Archive("a.tgz", ("0" * 32, MD5), (), ("a.tar",))
    monkeypatch.setitem(archives.ARCHIVES, "x", wanted)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.tar").write_bytes(CONTENT)
    assert archives.find("x", tmp_path / "downloads", "~") == tmp_path / "a.tar"
    (tmp_path / "a.tar").write_bytes(b"other")
    with pytest.raises(ValueError, match=f"a.tar has the MD5 .*0 or {MD5}. It is"):
        archives.find("x", tmp_path / "downloads", tmp_path)


def test_archives_that_are_unpacked_already(tmp_path):
    (tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "VOCdevkit"):
        with pytest.raises(
            FileNotFoundError, match="is unpacked already: .*=folder .*VOC2012 reads it"
        ):
            archives.find("voc2012", tmp_path, folder)
