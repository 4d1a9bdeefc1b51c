"""The endpoints, asked over a real socket; in the place of a network one that tells."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import fcn_jax
from fcn_jax.serving import guards
from fcn_jax.serving.application import Limits
from fcn_jax.serving.arrivals import Pace
from fcn_jax.serving.endings import Lingering
from fcn_jax.serving.questions import Question
from fcn_jax.serving.refusals import NO_IMAGE, Refusal
from tests.support import servers
from tests.support.patience import SECONDS
from tests.support.servers import ask, form

LIMITS = Limits(max_bytes=1000, waiting=1)


@pytest.fixture
def told():
    return servers.Told()


@pytest.fixture
def address(told):
    with servers.running(told, LIMITS) as address:
        yield address


def refused(answer, status, text):
    assert (answer[0], answer[2]) == (status, {"error": text})
    assert "\n" not in text


def test_health_and_classes(told, address):
    assert ask(address, "/health")[2] == {
        "ok": True, "fcn_jax": fcn_jax.__version__,
        "arriving": 0, "inside": 0, "answered": 0,
    }  # fmt: skip
    assert ask(address, "/classes")[2] == {"heads": [], "max_bytes": 1000}
    assert ask(address, "/predict", b"image")[0] == 200
    assert ask(address, "/health")[2]["answered"] == 1


def test_a_body_is_an_image(told, address):
    answer = ask(address, "/predict?x=1&y=2&crf=1", b"some bytes")
    assert (answer[0], answer[2]) == (200, {"bytes": 10})
    assert told.asked == [(b"some bytes", Question(True, points=((1, 2),)))]


def test_a_form_holds_one(told, address):
    body, kind = form(("image", b"\0\r\n--bytes", "a.png"), ("labels", "1"))
    assert ask(address, "/predict?x=1&y=2", body, kind)[0] == 200
    assert told.asked == [(b"\0\r\n--bytes", Question(labels=True, points=((1, 2),)))]


@pytest.mark.parametrize(
    ("parts", "text"),
    (
        ((), "the image is missing; send its bytes, or a form with it."),
        ((("a", "1"),), "the image is missing; send its bytes, or a form with it."),
        (
            (("image", b"1", "a"), ("image", b"2", "b")),
            "the form is not understood: Too many files. Maximum number of files is 1.",
        ),
        (
            (("image", b"1", "a"), ("labls", "1")),
            "the parameter 'labls' is not known; did you mean 'labels'? There are: "
            "crf, labels, picture, size, x, y.",
        ),
    ),
)
def test_forms_that_are_not_understood(told, address, parts, text):
    refused(ask(address, "/predict", *form(*parts)), 400, text)
    assert told.asked == []


def test_no_image_is_no_image(told, address):
    refused(
        ask(address, "/predict", b""),
        400,
        "the image is missing; send its bytes, or a form with it.",
    )
    answer = ask(address, "/predict", b"x", {"Content-Type": "multipart/form-data"})
    refused(answer, 400, "the form is not understood: Missing boundary in multipart.")


def test_a_body_of_just_the_limit(told, address):
    assert ask(address, "/predict", bytes(1000))[0] == 200
    text = (
        "what was sent has 1,001 bytes, and 1,000 is the most; send a smaller image, "
        "or start the server with --max_bytes."
    )
    refused(ask(address, "/predict", bytes(1001)), 413, text)
    in_pieces = ask(address, "/predict", iter([bytes(600), bytes(401)]))
    refused(in_pieces, 413, text)  # Whose length no header says.
    assert len(told.asked) == 1


def test_what_the_network_refuses(told, address, monkeypatch):
    def refuse(data, question):
        raise Refusal(NO_IMAGE, "that is a poem")

    monkeypatch.setattr(told, "answer", refuse)
    refused(ask(address, "/predict", b"image"), 415, "that is a poem.")


@pytest.mark.parametrize("debug", ("", "1"))
def test_what_fails_is_told_where_it_was_started(
    told, address, monkeypatch, caplog, debug
):
    def fail(data, question):
        raise RuntimeError("there is no such layer")

    monkeypatch.setenv("FCN_JAX_TRACEBACK", debug)
    monkeypatch.setattr(told, "answer", fail)
    text = "the server failed; what is wrong stands where it was started."
    refused(ask(address, "/predict", b"image"), 500, text)
    (record,) = caplog.records
    line = "an image could not be answered: RuntimeError: there is no such layer"
    assert record.getMessage() == line
    assert bool(record.exc_info) == bool(debug)
    assert ask(address, "/health")[0] == 200


def test_one_at_a_time_and_few_wait(told, address):
    told.may.clear()
    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(ask, address, "/predict", b"one")
        assert told.began.wait(SECONDS)
        second = clients.submit(ask, address, "/predict", b"two")
        while ask(address, "/health")[2]["inside"] < 2:
            pass
        third = ask(address, "/predict", b"three")
        refused(third, 503, "2 images are waiting already; try again soon.")
        assert third[1]["Retry-After"] == "2"
        assert [data for data, _ in told.asked] == [b"one"]
        told.may.set()
        assert (first.result()[0], second.result()[0]) == (200, 200)
    assert [data for data, _ in told.asked] == [b"one", b"two"]
    assert ask(address, "/predict", b"four")[0] == 200


def connected(address, length, body=b""):
    """A socket that has sent the beginning of a request."""
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    place = host, int(port)
    there = socket.create_connection(place, timeout=SECONDS)
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n"
    there.sendall(head.encode() + body)
    return there


def test_who_has_gone_away_is_not_looked_at(told, address):
    told.may.clear()
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(ask, address, "/predict", b"one")
        assert told.began.wait(SECONDS)
        with contextlib.closing(connected(address, 3, b"two")):
            while ask(address, "/health")[2]["inside"] < 2:
                pass
        told.may.set()
        assert first.result()[0] == 200
    while ask(address, "/health")[2]["inside"]:
        pass
    assert [data for data, _ in told.asked] == [b"one"]


def test_a_body_that_does_not_come(told):
    with (
        servers.running(told, Limits(pace=Pace(seconds=0.2))) as address,
        contextlib.closing(connected(address, 10, b"half")) as there,
    ):
        answer = there.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"\r\nconnection: close\r\n" in answer.lower()  # The rest is not read.
        text = "the image did not arrive within 0.2 seconds."
        assert json.loads(answer.rpartition(b"\r\n\r\n")[2]) == {"error": text}
        with contextlib.closing(connected(address, 10, b"half")):
            pass  # It hangs up.
        while ask(address, "/health")[2]["arriving"]:
            pass
    assert told.asked == []


def test_who_sends_on_hears_the_answer(told, monkeypatch):
    """It looks for one after its 200 pieces alone, and is answered after some."""
    monkeypatch.setattr(Lingering.__init__, "__defaults__", (SECONDS,))
    limits = Limits(max_bytes=10**9, pace=Pace(seconds=0.2))
    with (
        servers.running(told, limits) as address,
        contextlib.closing(connected(address, 10**9)) as there,
    ):
        for _ in range(200):
            there.sendall(bytes(10_000))
            time.sleep(0.002)
        answer = http.client.HTTPResponse(there)
        answer.begin()
        assert answer.status == 408


def trickle(there, stop):
    """Send a byte twice a second until it is told to stop or the other end is gone."""
    with contextlib.suppress(OSError):
        while not stop.wait(0.5):
            there.sendall(b".")


@pytest.fixture
def ahead(monkeypatch):
    """How many seconds a server's clock is ahead; it looks when somebody asks."""
    seconds, time_of = [0], asyncio.BaseEventLoop.time
    monkeypatch.setattr(
        asyncio.BaseEventLoop, "time", lambda loop: time_of(loop) + seconds[0]
    )
    return seconds


def test_who_sends_slowly_holds_nobody_up(told, ahead):
    """Of more slow bodies than may wait each is ended; a quick one is answered."""
    pace = Pace(seconds=7200, window=3600, least=1000)
    limits = Limits(max_bytes=1000, waiting=1, pace=pace)
    stop = threading.Event()
    with (
        servers.running(told, limits) as address,
        ThreadPoolExecutor(4) as clients,
        contextlib.ExitStack() as stack,
    ):
        slow = [
            stack.enter_context(contextlib.closing(connected(address, 900)))
            for _ in range(4)
        ]
        stack.callback(stop.set)
        for there in slow:
            clients.submit(trickle, there, stop)
        while ask(address, "/health")[2]["arriving"] < 4:
            pass
        assert ask(address, "/predict", b"image")[0] == 200
        ahead[0] += 3600
        for there in slow:
            answer = http.client.HTTPResponse(there)
            answer.begin()
            assert answer.status == 408
            text = (
                "the image came at less than 1,000 bytes a second; send a smaller one."
            )
            assert json.loads(answer.read()) == {"error": text}
        assert ask(address, "/health")[2]["arriving"] == 0
    assert [data for data, _ in told.asked] == [b"image"]


def test_what_is_on_its_way_has_room_for_as_many_as_may_wait(told):
    slow = Pace(seconds=3600, window=3600)
    limits = Limits(max_bytes=1000, waiting=1, pace=slow)
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(servers.running(told, limits))
        for _ in range(2):
            there = connected(address, 1000, bytes(900))
            stack.enter_context(contextlib.closing(there))
        while ask(address, "/health")[2]["arriving"] < 2:
            pass
        assert ask(address, "/predict", bytes(100))[0] == 200
        answer = ask(address, "/predict", bytes(600))
        refused(answer, 503, "3 images are on their way already; try again soon.")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    (
        ("GET", "/predict", 405),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/page.py", 404),
        ("GET", "/static/page.js", 404),
        ("POST", "/classes", 405),
    ),
)
def test_what_is_not_there(told, address, method, path, status):
    found = ask(address, path, b"" if method == "POST" else None, method=method)
    refused(
        found,
        status,
        f"there is no '{method} {path}'; there are GET /, /page.css, /page.js, "
        f"/health, /classes, and POST /predict with an image.",
    )


def test_the_page_is_given_and_loads_nothing_from_elsewhere(told, address):
    for path, kind in (("/", "html"), ("/page.css", "css"), ("/page.js", "javascript")):
        status, headers, content = ask(address, path)
        assert (status, headers.get_content_subtype()) == (200, kind)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert (
            "default-src 'none'; script-src 'self'"
            in (headers["Content-Security-Policy"])
        )
        assert b"://" not in content.replace(b"http://www.w3.org", b"")


@pytest.mark.parametrize(
    ("headers", "text"),
    (
        ({"Host": "evil.example"}, "this server is not called 'evil.example'; ask by "),
        ({"Host": "localhost.evil.example:1"}, "this server is not called 'localhost"),
        ({"Host": "[::1"}, "this server is not called"),
        ({"Host": ""}, "this server is not called ''"),
        ({"Origin": "http://evil.example"}, "posts of pages of other sites are not an"),
        ({"Origin": "null"}, "posts of pages of other sites"),
        ({"Origin": "http://127.0.0.1:1"}, "posts of pages of other sites"),
        ({"Origin": "http://[::1"}, "posts of pages of other sites"),
        ({"Sec-Fetch-Site": "cross-site"}, "posts of pages of other sites"),
        ({"Sec-Fetch-Site": "same-site"}, "posts of pages of other sites"),
    ),
)
def test_pages_of_other_sites_are_refused(told, address, headers, text):
    status, sent, answer = ask(address, "/predict", b"image", headers)
    assert (status, told.asked) == (403, [])
    assert answer["error"].startswith(text)
    assert answer["error"].endswith(".")
    assert "Access-Control-Allow-Origin" not in sent


def test_its_own_page_and_programs_are_answered(told, address):
    host = address.removeprefix("http://").rstrip("/")
    for headers in (
        {},
        {"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"},
        {"Host": "LOCALHOST:9", "Origin": "http://localhost:9"},  # A tunnel.
        {"Host": "[::1]:8000", "Sec-Fetch-Site": "none"},
        {"Host": "192.168.1.7:80"},
    ):
        assert ask(address, "/predict", b"image", headers)[0] == 200, headers


def test_a_name_has_to_be_known(told):
    names = guards.known_names("192.0.2.1", ["seg.example:8000"]) - {"localhost"}
    with servers.running(told, names=names) as address:
        for host in ("seg.example", "seg.example:8000", "Seg.Example:80"):
            assert ask(address, "/health", headers={"Host": host})[0] == 200
        assert ask(address, "/health", headers={"Host": "localhost"})[0] == 403


def test_two_servers_in_one_process(told):
    with servers.running(told) as one, servers.running(servers.Told()) as two:
        assert one != two
        assert ask(two, "/predict", b"image")[0] == 200
    assert told.asked == []
    assert not any(t.name.startswith("network") for t in threading.enumerate())


@pytest.mark.parametrize(
    ("charset", "value", "text"),
    (
        (
            "unicode_escape",
            "\\ud800",
            "x=? is not understood; give a whole number, 0 or more.",
        ),
        (
            "undefined",
            "1",
            "the form is not understood: its charset is odd; send UTF-8.",
        ),
    ),
)
def test_a_form_of_an_odd_charset(address, charset, value, text):
    body, kind = form(("image", b"1", "a"), ("x", value))
    kind["Content-Type"] += f"; charset={charset}"
    refused(ask(address, "/predict", body, kind), 400, text)
