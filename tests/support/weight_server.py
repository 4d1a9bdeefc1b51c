"""A server of weights on this machine that misbehaves on request."""

import contextlib
import functools
import hashlib
import http.server
import threading

from fcn_jax.weights import zoo

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SHA1 = hashlib.sha1(CONTENT, usedforsecurity=False).hexdigest()
CUT = 100_000
NAME = "x"
FILE = "x.caffemodel"

_ENDLESS = 2**25  # Bytes; more than any bound of the tests.


class Handler(http.server.BaseHTTPRequestHandler):
    """What a path does: "/cut" stops early, "/norange" never resumes, and so on."""

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        faults = self.path.strip("/").split("-")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if "norange" in faults:
            start = 0
        elif "changed" in faults and asked:
            assert self.headers["If-Range"] == '"1"'
            start = 0  # The file is another one now.
        if "missing" in faults:
            self.send_error(404)
        elif "busy" in faults and len(self.server.asked) < 3:
            self.send_error(503)
        elif start >= len(CONTENT):
            self.send_response(416)
            total = "*" if "vague" in faults else len(CONTENT)
            self.send_header("Content-Range", f"bytes */{total}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif "endless" in faults:
            self.endless()
        else:
            self.answer(faults, start)

    def endless(self):
        self.send_response(200)
        self.end_headers()  # No length: the body ends when the connection does.
        try:
            for _ in range(_ENDLESS // len(CONTENT)):  # Else a fault would stall.
                self.wfile.write(CONTENT)
        except OSError:
            pass  # The client has had enough.

    def answer(self, faults, start):
        body = CONTENT[::-1] if "wrong" in faults else CONTENT
        rest = body[start:]
        self.send_response(206 if start else 200)
        if start:
            first = start + ("shifted" in faults)
            self.send_header(
                "Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}"
            )
        if "etag" in faults or "changed" in faults:
            self.send_header("ETag", '"1"')
        if "nolength" not in faults:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        once = "once" in faults and len(self.server.asked) > 1
        if "cut" in faults and not once:
            rest = rest[:CUT]
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    """The server, in a thread; it keeps what it was asked."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=functools.partial(server.serve_forever, 0.01))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def set_weights(monkeypatch, **facts):
    facts = {"checksums": (f"sha1:{SHA1}",), "source": "example.org"} | facts
    weights = zoo.Weights(FILE, model="fcn8s", num_classes=21, **facts)
    monkeypatch.setitem(zoo.WEIGHTS, NAME, weights)
