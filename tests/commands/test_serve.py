"""fcn_jax serve, as it is started."""

import os
import signal
import subprocess
import sys

import pytest

from fcn_jax import __main__
from fcn_jax.commands import serve
from fcn_jax.runs import trained
from fcn_jax.serving import answers, application, served, server
from tests.support import servers
from tests.support.paths import GOLDEN, ROOT
from tests.support.patience import SECONDS

RUN = GOLDEN / "trained" / "fcn8s"


def start(monkeypatch, *arguments):
    monkeypatch.setattr(
        "absl.app.run", lambda main, argv, flags_parser: main(flags_parser(argv))
    )
    monkeypatch.setattr("fcn_jax.runtime.prepare", lambda: None)
    __main__.main(["fcn_jax", "serve", *arguments])


@pytest.fixture
def started(monkeypatch):
    """The command up to its loop; what this and the network would get."""
    calls = {}

    class Loop:
        def run(self, listening):
            calls["address"] = server.address(listening)

    def load(*given):
        calls["loaded"] = given
        head = type("Head", (), {"num_classes": 3})
        config = type("Config", (), {"model": type("Model", (), {"name": "fcn8s"})})
        return type("Net", (), {"heads": [head, head], "config": config})

    def make(*given):
        calls["made"] = given

    monkeypatch.setattr(trained, "load", load)
    monkeypatch.setattr(
        served, "Served", lambda *given: calls.setdefault("served", given)
    )
    monkeypatch.setattr(answers, "Answers", lambda given: given)
    monkeypatch.setattr(application, "make", make)
    monkeypatch.setattr(server, "Loop", lambda app: Loop())
    return calls


def test_the_flags_become_limits(started, monkeypatch, tmp_path, capsys):
    start(
        monkeypatch, str(tmp_path), "--port=0", "--crf=deeplab", "--size=64",
        "--max_bytes=9", "--max_pixels=8", "--waiting=0", "--names=a.b,c",
        "--step=4", "--scales=0.5,1", "--flip",
    )  # fmt: skip
    assert started["loaded"] == (str(tmp_path), 4, None, (0.5, 1.0), True)
    assert started["served"][1:] == ("deeplab", 8, 64)
    assert started["made"][1] == application.Limits(9, 0)
    assert started["made"][2] == {"localhost", "127.0.0.1", "a.b", "c"}
    said = capsys.readouterr()
    where = started["address"]
    assert where.startswith("http://127.0.0.1:")
    assert said.out == f"fcn8s of {tmp_path}, 6 classes: {where} (Ctrl-C ends it)\n"
    assert said.err == ""


def test_who_may_ask_is_told(started, monkeypatch, tmp_path, capsys):
    start(monkeypatch, str(tmp_path), "--port=0", "--host=0.0.0.0")
    assert capsys.readouterr().err == (
        "note: everybody who reaches this machine may ask, without a password\n"
    )


@pytest.mark.parametrize(
    ("given", "match"),
    (
        ((), r"^fcn_jax serve: a run is missing; usage: fcn_jax serve RUN \[--port=80"),
        (("a", "b"), "^fcn_jax serve: there are 2 runs; name one; usage: fcn_jax "),
        ((__file__,), r"test_serve.py is a file where a run's .* convert .* makes one"),
        ((".", "--port=70000"), r"flag --port=70000: .* in the range \[0, 65535\]$"),
        ((".", "--max_bytes=0"), "flag --max_bytes=0: 0 is not a positive integer$"),
        ((".", "--waiting=-1"), "flag --waiting=-1: -1 is not a non-negative in"),
        ((".", "--crf=dense"), "^error: CRF parameters 'dense' are not known; give "),
        ((".", "--scales=0"), "^error: --scales=0 is not understood; give positive "),
        ((".", "--port=0"), "^error: .*is not the directory of a run"),
        (("nowhere", "--port=0"), "^error: .*nowhere"),
    ),
)
def test_mistakes_are_one_line(monkeypatch, tmp_path, given, match):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=match) as refused:
        start(monkeypatch, *given)
    assert "\n" not in str(refused.value).strip()
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(started, monkeypatch):
    listening = server.listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    with pytest.raises(SystemExit, match=f"^error: port {port} of 127.0.0.1 is in use"):
        start(monkeypatch, ".", f"--port={port}")
    listening.close()
    assert not started


@pytest.mark.parametrize(
    ("module", "name"),
    (("starlette", "starlette"), ("python_multipart", "python-multipart")),
)
def test_without_the_extra_it_is_one_line(monkeypatch, module, name):
    monkeypatch.setitem(sys.modules, module, None)
    match = (
        rf"^error: fcn_jax serve needs {name}: pip install {name} \(the extra \[serve"
    )
    with pytest.raises(SystemExit, match=match):
        start(monkeypatch, ".")


def test_its_help_has_examples(monkeypatch, capsys):
    start(monkeypatch, "--help")
    text = capsys.readouterr().out
    assert text.count("\nfcn_jax serve runs/x") == 2
    assert "curl -F image=@photo.jpg" in text
    for flag in ("host", "port", "max_pixels", "max_bytes", "crf", "names"):
        assert f"\n  --{flag} " in text
    assert serve.COMMAND.text == serve.__doc__


@pytest.mark.long
def test_from_the_shell_to_an_answer_and_the_end(tmp_path):
    """Nothing but its one line is printed, and nothing is written."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fcn_jax", "serve", str(RUN), "--port=0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        address = line.split(": ")[1].split()[0]
        assert line == f"fcn8s of {RUN}, 3 classes: {address} (Ctrl-C ends it)\n"
        data = servers.file_of(servers.scene())
        body, kind = servers.form(("image", data, "../../a.png"), ("labels", "1"))
        status, _, found = servers.ask(address, "/predict?x=31&y=0", body, kind)
        assert (status, found["width"], found["height"]) == (200, 32, 24)
        assert set(found["pixels"][0]["probabilities"]) == {"0", "1", "2"}
        assert servers.ask(address, "/predict", b"no image")[0] == 415
    finally:
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, error) == (130, "", "interrupted\n")
    assert not list(tmp_path.iterdir())
