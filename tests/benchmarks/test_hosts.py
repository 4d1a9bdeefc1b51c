"""Which images several processes read, and what is counted of what they send."""

import pytest

from benchmarks import hosts


@pytest.mark.parametrize(
    "count", (4, pytest.param(64, marks=pytest.mark.slow)), ids=str
)
def test_every_image_is_read_once_whoever_reads_it(count):
    found = hosts.whose_images(count, 8 * count, 2 * count)
    assert found == {
        "processes": count,
        "images of an epoch": 8 * count,
        "times each, least and most": [1, 1],
        "batches are those of one": True,
        "images scored": 8 * count - 7,
        "times each scored, least and most": [1, 1],
    }


def test_the_loopback_s_counter_is_read(monkeypatch):
    table = (
        "Inter-|   Receive                    |  Transmit\n"
        " face |bytes packets errs drop fifo frame compressed multicast|bytes packets\n"
        "  eth0:  10 1 0 0 0 0 0 0  20 1 0 0 0 0 0 0\n"
        "    lo: 700 5 0 0 0 0 0 0 701 5 0 0 0 0 0 0\n"
    )
    monkeypatch.setattr(hosts.Path, "read_text", lambda path: table)
    assert hosts.sent() == 701
    monkeypatch.setattr(hosts.Path, "exists", lambda path: False)
    assert hosts.sent() == 0
