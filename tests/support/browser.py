"""A headless Chromium, spoken to over a pipe: real clicks and keys, and its console.

Chrome DevTools protocol, messages of JSON ended by a zero byte; nothing but the browser
is needed.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 60
# The browser reads from 3 and writes to 4.
_START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find():
    """The path of a Chromium; None where there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


class Page:
    """One page of a browser.

    Attributes:
        problems: What the console said of errors and warnings, and what was asked of
            the network, but for the server of the page.
    """

    def __init__(self, browser, *more):
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs, self._write = _high(os.pipe())
        self._read, their_write = _high(os.pipe())
        options = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe",
            "--window-size=1280,900", f"--user-data-dir={self._home.name}",
            *more,
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _START, str(theirs), str(their_write)),
                *(browser, *options),
            ],
            pass_fds=(theirs, their_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(their_write)
        self._buffer, self._last, self._session = b"", 0, None
        self.problems, self._loaded = [], False
        self._own = ("data:", "file:", "blob:")
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def _attach(self):
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask(
            "Target.attachToTarget", targetId=target, flatten=True
        )["sessionId"]
        for part in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{part}.enable")

    def open(self, path):
        """Open a file, without a network, and wait until it is whole."""
        self._ask(
            "Network.emulateNetworkConditions",
            offline=True, latency=0, downloadThroughput=0, uploadThroughput=0,
        )  # fmt: skip
        self._navigate(f"file://{path}")

    def visit(self, url):
        """Open a page of a server; what it asks of others is a problem."""
        self._own = (*self._own, url)
        self._navigate(url)

    def _navigate(self, url):
        self.problems.clear()
        self._loaded = False
        self._ask("Page.navigate", url=url)
        while not self._loaded:
            self._receive()

    def until(self, script):
        """Wait until an expression is true, as the page goes on."""
        self.ask(
            "new Promise((done) => { const look = () => "
            f"({script}) ? done(true) : setTimeout(look, 20); look(); }})"
        )

    def attach(self, what, path):
        """Choose a file in an <input type=file>, given as an expression."""
        found = self._ask("Runtime.evaluate", expression=what)["result"]
        self._ask(
            "DOM.setFileInputFiles", files=[str(path)], objectId=found["objectId"]
        )

    def ask(self, script):
        """The value of an expression, or of what it promises."""
        found = self._ask(
            "Runtime.evaluate",
            expression=script, returnByValue=True, awaitPromise=True,
        )  # fmt: skip
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def click(self, what, across=0.5, down=0.5):
        """Click an element, given as an expression: its middle, or elsewhere."""
        x, y = self.ask(
            f"(() => {{ const e = {what}; e.scrollIntoView({{block: 'center'}});"
            "const r = e.getBoundingClientRect();"
            f"return [r.x + r.width * {across}, r.y + r.height * {down}]; }})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._ask(
                "Input.dispatchMouseEvent",
                type=kind, x=x, y=y, button="left", clickCount=1,
            )  # fmt: skip

    def press(self, key, code=0, text=None):
        """Press a key that has a name, such as Tab (9), ArrowRight (39), Enter (13)."""
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        down = {**event, **({"text": text} if text else {})}
        self._ask("Input.dispatchKeyEvent", type="keyDown", **down)
        self._ask("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text):
        """Type a text where the focus is."""
        self._ask("Input.insertText", text=text)

    def dark(self, dark):
        """Prefer dark colours, or light ones."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[feature])

    def picture(self):
        """A PNG of what is seen."""
        return base64.b64decode(self._ask("Page.captureScreenshot")["data"])

    def close(self):
        """End the browser."""
        self._process.terminate()
        self._process.wait(_SECONDS)
        os.close(self._read)
        os.close(self._write)
        self._home.cleanup()

    def _ask(self, method, **params):
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _receive(self):
        until = time.monotonic() + _SECONDS
        while b"\0" not in self._buffer:
            left = max(0, until - time.monotonic())
            if not select.select([self._read], [], [], left)[0]:
                raise TimeoutError("the browser says nothing")
            got = os.read(self._read, 1 << 16)
            assert got, "the browser has ended"
            self._buffer += got
        text, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(text)
        method, params = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        if method in ("Runtime.exceptionThrown", "Log.entryAdded") or (
            method == "Runtime.consoleAPICalled"
        ):
            self.problems.append(params)
        if method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith(self._own):
                self.problems.append(url)
        return message


def _high(ends):
    """The ends of a pipe as numbers that are not the browser's 3 and 4."""
    found = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 50) for end in ends]
    for end in ends:
        os.close(end)
    return found
