"""Data on servers that speak S3 and GCS (on this machine), as users have them."""

import hashlib
import importlib
import logging
import socket

import pytest

from fcn_jax import data, messages
from fcn_jax.storage import mirrors
from tests.support.runs import make_folder

_NEEDED = {
    "s3": ["s3fs", "moto", "flask", "flask_cors"],
    "gs": ["gcsfs", "gcp_storage_emulator", "pkg_resources"],
}
# Theirs, of other libraries.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:pkg_resources is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", params=_NEEDED)
def scheme(request):
    lacking = messages.lacking(_NEEDED[request.param])
    if lacking:
        pytest.skip(f"{', '.join(lacking)} not installed: make storage")
    return request.param


@pytest.fixture(scope="module")
def store(scheme):
    """The store, with a "bucket", of a server that is there for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        if scheme == "s3":
            system, stop = _s3(patch)
        else:
            system, stop = _gcs(patch)
        yield system
        stop()


def _s3(patch):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = importlib.import_module("moto.server").ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "testing")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    s3fs = importlib.import_module("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("bucket")
    return system, server.stop


def _gcs(patch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    emulator = importlib.import_module("gcp_storage_emulator.server")
    server = emulator.create_server(
        "127.0.0.1", port, in_memory=True, default_bucket="bucket"
    )
    server.start()
    patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    patch.setenv("NO_GCE_CHECK", "true")
    # gcsfs 2026.10 asks for the kind of a bucket by gRPC, which no emulator has.
    patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    gcsfs = importlib.import_module("gcsfs")
    gcsfs.GCSFileSystem.clear_instance_cache()
    return gcsfs.GCSFileSystem(), server.stop


def test_a_folder_is_read_from_a_bucket(store, scheme, tmp_path):
    folder = make_folder(tmp_path / "data")
    store.put(str(folder), "bucket/voc", recursive=True)
    theirs = data.open_source("folder", "train", root=str(folder))
    kept = str(tmp_path / "kept")
    ours = data.open_source(
        "folder", "train", root=f"{scheme}://bucket/voc", data_dir=kept
    )
    assert [x["id"] for x in ours] == [x["id"] for x in theirs]
    assert ours.fingerprint() == theirs.fingerprint()


def test_a_changed_object_is_noticed_and_large_ones_are_whole(store, scheme, tmp_path):
    content = bytes(range(256)) * 50_000
    # In parts on S3, where its ETag is no MD5 then; the other server takes none.
    parts = {"s3": 6 << 20, "gs": 16 << 20}[scheme]
    with store.open("bucket/more/large", "wb", block_size=parts) as file:
        file.write(content)
    store.pipe("bucket/more/small", b"one")
    first = mirrors.mirrored(f"{scheme}://bucket/more", tmp_path)
    copied = hashlib.sha256((first / "large").read_bytes()).digest()
    assert copied == hashlib.sha256(content).digest()
    assert mirrors.mirrored(f"{scheme}://bucket/more", tmp_path) == first
    store.pipe("bucket/more/small", b"two")
    assert mirrors.mirrored(f"{scheme}://bucket/more", tmp_path) != first


def test_a_bucket_that_is_not_there_is_named(store, scheme, tmp_path):
    with pytest.raises(OSError, match=f"{scheme}://nowhere/voc"):
        mirrors.mirrored(f"{scheme}://nowhere/voc", tmp_path)
