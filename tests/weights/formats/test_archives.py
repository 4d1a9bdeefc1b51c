"""Archives whose directory lies about their members."""

import io
import zipfile

import pytest

from fcn_jax.weights import WeightsError
from fcn_jax.weights.formats import archives


def two_members():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a", b"1234")
        file.writestr("b", b"5678")
    return bytearray(out.getvalue())


def put(at, value, size, which=0):
    """An archive with one number of the directory's entry `which` changed."""
    data = two_members()
    entry = data.index(b"PK\x01\x02") + which * 47
    data[entry + at : entry + at + size] = value.to_bytes(size, "little")
    return data


def bigger():
    data = put(20, 10**6, 4)
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (10**6).to_bytes(4, "little")
    return data


@pytest.mark.parametrize(
    ("data", "text"),
    (
        (put(8, 1, 2), "member 'a' is encrypted"),
        (put(10, 8, 2), "member 'a' is compressed"),
        (put(24, 5, 4), "member 'a' reaches beyond the file"),
        (bigger(), "member 'a' reaches beyond the file"),
        (put(42, 10**6, 4), "member 'a' begins beyond the file"),
        (put(42, 1, 4), "member 'a' is not where it should be"),
        (put(42, 0, 4, which=1), "two of its members overlap"),
    ),
)
def test_a_lie_is_refused(tmp_path, data, text):
    path = tmp_path / "archive"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=text):
        archives.open_stored(path)


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_MEMBERS", 1)
    path = tmp_path / "archive"
    path.write_bytes(two_members())
    with pytest.raises(WeightsError, match="it has 2 members"):
        archives.open_stored(path)


def test_a_member_shorter_than_it_claims_is_refused(tmp_path):
    path = tmp_path / "archive"
    path.write_bytes(put(24, 5, 4))
    with pytest.raises(WeightsError, match="has 4 bytes, its directory says 5"):
        archives.read_members(path, 16, 0)
