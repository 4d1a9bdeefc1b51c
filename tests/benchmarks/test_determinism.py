"""What runs are compared, with what they know of each other, and in which time."""

import argparse
import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import determinism
from benchmarks.reports import gpu_report


@pytest.fixture
def trained(monkeypatch):
    """Runs that take no time; the digest of each, and what it was given."""
    seen, digests = [], {}

    def train(command, *, env, timeout, **_):
        (workdir,) = (Path(c[10:]) for c in command if c.startswith("--workdir="))
        seen.append((workdir.name, env["JAX_COMPILATION_CACHE_DIR"], timeout))
        kept = workdir / "autotuning" / "chosen"
        exact = "--config.deterministic=True" in command
        chosen = kept.read_text() if kept.exists() else workdir.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(chosen)
        digest = digests.get(workdir.name, "same" if exact else workdir.name)
        result = {"params_sha256": digest.format(chosen=chosen)}
        (workdir / "result.json").write_text(json.dumps(result))
        rates = (0, 10, 20 if exact else 40)
        lines = (json.dumps({"images_per_second": rate}) for rate in rates)
        (workdir / "log.jsonl").write_text("\n".join(lines))

    monkeypatch.setattr(determinism.subprocess, "run", train)
    return seen, digests


def measured(folder, limit=float("inf")):
    arguments = argparse.Namespace(
        steps=2, width=1.0, dtype="float32", limit=limit, smoke=True
    )
    return determinism.measure(folder, arguments)


def test_no_run_knows_what_another_compiled(tmp_path, trained, capsys):
    found = measured(tmp_path)
    names, caches, _ = zip(*trained[0], strict=True)
    assert names == ("first", "second", "again", "one", "other")
    assert len(set(caches)) == 5
    assert [each["equal"] for each in found.values()] == [True, True, False]
    assert determinism.cost(found) == 0.5
    told = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["run"] for line in told] == list(names)


def test_a_run_elsewhere_is_given_the_algorithms_of_the_first(tmp_path, trained):
    trained[1].update(dict.fromkeys(("first", "second", "again"), "{chosen}"))
    found = measured(tmp_path)
    assert found["deterministic"]["sha256"] == ("first", "second")
    assert found["resumed"]["sha256"] == ("first", "first")
    assert found["resumed"]["equal"]


def test_what_found_no_time_says_so(tmp_path, trained, monkeypatch):
    train, count = determinism.subprocess.run, iter(range(9))

    def late(command, **more):
        if next(count) == 3:
            raise subprocess.TimeoutExpired(command, more["timeout"])
        train(command, **more)

    monkeypatch.setattr(determinism.subprocess, "run", late)
    found = measured(tmp_path, limit=100.0)
    assert all(0 < timeout <= 100 for _, _, timeout in trained[0])
    assert found["resumed"]["equal"]
    assert found["as_is"] == {"unmeasured": "no time was left for it"}
    assert determinism.cost(found) is None
    _, line = gpu_report.LINES["determinism"]
    assert line(found) == (
        "as it is: unmeasured; deterministic: the same bits, 20 images/s; with the "
        "algorithms of another run: the same bits, 20 images/s"
    )


def test_without_the_first_a_resumed_run_is_none(tmp_path, monkeypatch):
    def late(command, **more):
        raise subprocess.TimeoutExpired(command, more["timeout"])

    monkeypatch.setattr(determinism.subprocess, "run", late)
    found = measured(tmp_path, limit=1.0)
    assert {each["unmeasured"] for each in found.values()} == {
        "no time was left for it"
    }
