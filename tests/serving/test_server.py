"""The socket, its names, and how a server ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys

import pytest

from fcn_jax.serving import guards, server
from tests.support import servers
from tests.support.paths import ROOT
from tests.support.patience import SECONDS


def test_port_0_is_any_that_is_free():
    with contextlib.closing(server.listen("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert server.address(listening) == f"http://127.0.0.1:{port}/"
        assert not server.is_open(listening)
        match = (
            rf"^port {port} of 127.0.0.1 is in use; give another --port, or --port=0 "
            r"for any that is free\.$"
        )
        with pytest.raises(OSError, match=match):
            server.listen("127.0.0.1", port)
    server.listen("127.0.0.1", port).close()  # At once again.


def test_all_interfaces_are_told():
    with contextlib.closing(server.listen("0.0.0.0", 0)) as listening:
        port = listening.getsockname()[1]
        assert server.address(listening) == f"http://localhost:{port}/"
        assert server.is_open(listening)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_of_ipv6():
    try:
        listening = server.listen("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with contextlib.closing(listening):
        port = listening.getsockname()[1]
        assert server.address(listening) == f"http://[::1]:{port}/"
        assert not server.is_open(listening)


def test_what_is_no_address():
    with pytest.raises(OSError, match=r"--host=no such host is not known \(.*\); give"):
        server.listen("no such host", 0)
    # TEST-NET-1 (RFC 5737), which no machine has.
    with pytest.raises(OSError, match=r"^192.0.2.1 is no address to listen on \(.*"):
        server.listen("192.0.2.1", 0)


def test_a_port_for_others(monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    match = r"^port 80 of 127.0.0.1 is not for this user \(Permission denied\); give a"
    with pytest.raises(OSError, match=match):
        server.listen("127.0.0.1", 80)


def test_the_names_of_a_server():
    assert guards.known_names("127.0.0.1") == {"localhost", "127.0.0.1"}
    assert guards.known_names("localhost", ["Seg.Example"]) == {
        "localhost", "seg.example",
    }  # fmt: skip
    for given in ("Seg.Example:8000", "seg.example"):
        assert "seg.example" in guards.known_names("localhost", [given])
    assert "[::1" in guards.known_names("localhost", ["[::1"])
    own = socket.gethostname().lower()
    assert {own, f"{own}.local", "localhost"} <= guards.known_names("0.0.0.0")


# A server that is busy for ever, as a command.
BUSY = """
import signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # As in the foreground.
from fcn_jax.commands.command import Command, start
from fcn_jax.serving import application, server


class Busy:
    def answer(self, data, question):
        print("busy", flush=True)
        threading.Event().wait()


def work(values):
    listening = server.listen("127.0.0.1", 0)
    print(server.address(listening), flush=True)
    server.Loop(application.make(Busy())).run(listening)


start(Command(text="", define_flags=lambda: None, run=work), ["busy"])
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "answer"),
    ((signal.SIGINT, "interrupted\n"), (signal.SIGTERM, "terminated\n")),
)
def test_a_signal_ends_it_whatever_it_does(number, answer):
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = process.stdout.readline().strip()
    assert servers.ask(address, "/health")[0] == 200
    client = subprocess.Popen(
        [
            sys.executable, "-c",
            "import sys, urllib.request as r; r.urlopen(sys.argv[1], b'image')",
            f"{address}predict",
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout.readline() == "busy\n"
    process.send_signal(number)
    out, error = process.communicate(timeout=SECONDS)
    client.wait(SECONDS)
    assert (process.returncode, out, error) == (128 + number, "", answer)
