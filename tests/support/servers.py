"""A server in a thread, and requests to it."""

import base64
import contextlib
import http.client
import io
import json
import threading

import numpy as np
from PIL import Image

from fcn_jax.serving import application, server
from tests.support.patience import SECONDS

BOUNDARY = "0123456789"


class Told:
    """In the place of a network: says what it was asked, once it may.

    Attributes:
        asked: (bytes, question) of each image.
        began: Is set when it begins to answer.
        may: It answers when this is set.
    """

    def __init__(self):
        self.asked = []
        self.began, self.may = threading.Event(), threading.Event()
        self.may.set()

    def about(self):
        return {"heads": []}

    def answer(self, data, question):
        self.asked.append((data, question))
        self.began.set()
        assert self.may.wait(SECONDS)
        return {"bytes": len(data)}


@contextlib.contextmanager
def running(answers, limits=None, names=("localhost",)):
    """Its address, "http://127.0.0.1:PORT/", while it runs."""
    with contextlib.closing(server.listen("127.0.0.1", 0)) as listening:
        loop = server.Loop(application.make(answers, limits, names))
        thread = threading.Thread(target=loop.run, args=(listening,))
        thread.start()
        try:
            yield server.address(listening)
        finally:
            loop.stop()
            thread.join(SECONDS)
            assert not thread.is_alive()


def ask(address, path, body=None, headers=None, method=None):
    """(status, headers, what the JSON says or the bytes) of a request."""
    host = address.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(host, timeout=SECONDS)
    with contextlib.closing(connection):
        method = method or ("GET" if body is None else "POST")
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        if response.headers.get_content_type() == "application/json":
            content = json.loads(content)
        return response.status, response.headers, content


def form(*parts):
    """Body and headers of a form; a part is (name, value) or (name, bytes, file)."""
    lines = []
    for name, value, *file in parts:
        ending = f'; filename="{file[0]}"' if file else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{ending}'
        content = value if isinstance(value, bytes) else value.encode()
        lines.append(head.encode() + b"\r\n\r\n" + content + b"\r\n")
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode(), kind


def file_of(pixels, kind="PNG", **options):
    """An image's bytes, of an array or of Pillow's."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def base64_of(image, kind):
    """The same as text."""
    return base64.b64encode(file_of(image, kind)).decode()


def scene(height=24, width=32, seed=0):
    """Halves of two brightnesses, with noise."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
    image[:, width // 2 :] += 120
    return image
