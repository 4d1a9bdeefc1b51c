"""Ten random faults in a run, the short form of an hour of them, and how they end."""

import json
import random
import re
import signal
import sys

import pytest

from benchmarks import chaos, measures


@pytest.mark.slow
def test_ten_faults(tmp_path):
    report = chaos.chaos(tmp_path, 10, random.Random(3))
    assert sum(report.faults.values()) == 10
    assert report.failures == []


def test_the_page_and_the_file_say_alike_how_long_it_takes():
    said = re.compile(r"benchmarks\.chaos --count=200 .*# (.*)")
    page = (measures.ROOT / "docs/reliability.md").read_text()
    assert said.findall(page) == said.findall(chaos.__doc__) != []


@pytest.mark.parametrize(
    ("code", "output", "is_one"),
    (
        (143, "step 1\nterminated: step 1 is saved; run again to go on\n", True),
        (130, "interrupted\n", True),
        (0, "done: loss 1\n", True),
        (-signal.SIGTERM, "", True),
        (143, "step 1\n", False),
        (143, "terminated: step 1 is saved\nterminated\n", False),
        (143, "Traceback (most recent call last):\nterminated\n", False),
        (0, "Traceback (most recent call last):\n", False),
        (1, "terminated\n", False),
        (-signal.SIGKILL, "", False),
    ),
)
def test_one_line_answers_a_signal(code, output, is_one):
    assert chaos.is_an_answer(chaos.Ended(code, output)) == is_one


@pytest.mark.parametrize(
    ("error", "text"),
    ((KeyError("a"), "KeyError: 'a'"), (KeyboardInterrupt(), "KeyboardInterrupt: ")),
)
def test_what_was_found_is_written_whatever_happens(tmp_path, monkeypatch, error, text):
    def fail(folder, count, rng, report):
        report.faults["kill"] += 1
        raise error

    out = tmp_path / "chaos.json"
    monkeypatch.setattr(chaos, "chaos", fail)
    monkeypatch.setattr(chaos, "_in_its_own_mounts", lambda: None)
    monkeypatch.setattr(sys, "argv", ["chaos", f"--out={out}"])
    with pytest.raises(type(error)):
        chaos.main()
    report = json.loads(out.read_text())
    assert report["faults"] == {"kill": 1}
    assert report["failures"] == [f"the benchmark itself: {text}"]


def test_no_mount_is_made_that_others_see(tmp_path, monkeypatch):
    """Only a process that has mounts of its own makes one."""
    asked = []
    monkeypatch.setattr(
        chaos.subprocess, "run", lambda *given, **_: asked.append(given)
    )
    monkeypatch.setenv("CHAOS_OWN_MOUNTS", "1")  # Another process's.
    assert not chaos.Run(tmp_path).is_small
    assert asked == []


def test_a_result_that_is_damaged_is_none(tmp_path):
    run = chaos.Run(tmp_path)
    assert run.finished() == ""
    run.workdir.mkdir()
    for text in ("{", "{}", "[]"):
        (run.workdir / "result.json").write_text(text)
        assert run.finished() == ""
    (run.workdir / "result.json").write_text('{"params_sha256": "1"}')
    assert run.finished() == "1"
