"""Data on a server that speaks S3 (moto's, on this machine), as users have them."""

import hashlib
import importlib
import logging

import pytest

from fcn_jax import data, messages
from fcn_jax.storage import mirrors
from tests.support.runs import make_folder

_MISSING = messages.lacking(["s3fs", "moto", "flask"])
pytestmark = [
    pytest.mark.skipif(
        bool(_MISSING),
        reason=f"{', '.join(_MISSING)} not installed: pip install s3fs 'moto[server]'",
    ),
    # Theirs, of other libraries.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def store():
    """s3fs, on a bucket "bucket" of a server that is there for these tests alone."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = importlib.import_module("moto.server").ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        s3fs = importlib.import_module("s3fs")
        s3fs.S3FileSystem.clear_instance_cache()
        system = s3fs.S3FileSystem()
        system.mkdir("bucket")
        yield system
    server.stop()


def test_a_folder_is_read_from_s3(store, tmp_path):
    folder = make_folder(tmp_path / "data")
    store.put(str(folder), "bucket/voc", recursive=True)
    theirs = data.open_source("folder", "train", root=str(folder))
    kept = str(tmp_path / "kept")
    ours = data.open_source("folder", "train", root="s3://bucket/voc", data_dir=kept)
    assert [x["id"] for x in ours] == [x["id"] for x in theirs]
    assert ours.fingerprint() == theirs.fingerprint()


def test_a_changed_object_is_noticed_and_large_ones_are_whole(store, tmp_path):
    content = bytes(range(256)) * 50_000  # In parts: its ETag is no MD5.
    with store.open("bucket/more/large", "wb", block_size=6 << 20) as file:
        file.write(content)
    store.pipe("bucket/more/small", b"one")
    first = mirrors.mirrored("s3://bucket/more", tmp_path)
    copied = hashlib.sha256((first / "large").read_bytes()).digest()
    assert copied == hashlib.sha256(content).digest()
    assert mirrors.mirrored("s3://bucket/more", tmp_path) == first
    store.pipe("bucket/more/small", b"two")
    assert mirrors.mirrored("s3://bucket/more", tmp_path) != first


def test_a_bucket_that_is_not_there_is_named(store, tmp_path):
    with pytest.raises(OSError, match="s3://nowhere/voc"):
        mirrors.mirrored("s3://nowhere/voc", tmp_path)
