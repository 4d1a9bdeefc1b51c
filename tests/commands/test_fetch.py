"""fcn_jax fetch: what it prints, and mistakes."""

import functools
import re
import sys

import pytest
from absl import flags

from fcn_jax.__main__ import main as run_command
from fcn_jax.commands import command as command_line
from fcn_jax.commands import fetch as command
from fcn_jax.storage import downloading
from fcn_jax.weights import zoo
from tests.support import weight_server
from tests.support.weight_server import CONTENT, FILE, NAME, SHA1, set_weights


@pytest.fixture
def server():
    with weight_server.serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _settings(monkeypatch, tmp_path):
    monkeypatch.setattr(downloading, "_PAUSE", 0)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    set_weights(monkeypatch)


def run(monkeypatch, *arguments):
    """The command in this process, with flags of its own."""
    monkeypatch.setattr(flags, "FLAGS", flags.FlagValues())
    for name in ("string", "integer", "bool"):
        define = functools.partial(
            getattr(flags, f"DEFINE_{name}"), flag_values=flags.FLAGS
        )
        monkeypatch.setattr(command.flags, f"DEFINE_{name}", define)
    command.define_flags()
    found = command_line.parse_flags(command.COMMAND, ["fcn_jax fetch", *arguments])
    command_line.run(command.COMMAND, found[1:])


def test_the_command_fetches_and_says_how_to_go_on(
    server, tmp_path, monkeypatch, capsys
):
    run(monkeypatch, NAME, f"--cache_dir={tmp_path}", f"--address={server.address}/cut")
    out = capsys.readouterr().out
    path = tmp_path / FILE
    assert path.read_bytes() == CONTENT
    assert f"checksum   sha1:{SHA1}" in out
    assert (
        f"\n{path}\nin Python: variables, report = fcn_jax.load_weights({str(path)!r}"
        in out
    )


def test_the_command_lists_and_reports_mistakes(monkeypatch, capsys):
    run(monkeypatch)
    out = capsys.readouterr().out
    assert all(f"{name}\n  file " in out for name in zoo.WEIGHTS)
    for arguments, message in (
        (["fcn8s"], "error: weights 'fcn8s' are not known; did you mean"),
        (["a", "b"], r"fetch: there is more than one name, \['a', 'b'\]; usage"),
        (["--size=3"], "fetch: --size is for a NAME, which is missing; usage"),
    ):
        with pytest.raises(SystemExit, match=message):
            run(monkeypatch, *arguments)


def test_the_command_is_registered(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["fcn_jax"])
    with pytest.raises(SystemExit) as error:
        run_command(sys.argv)
    assert re.search(r"\n  fetch +download known weights", str(error.value))
