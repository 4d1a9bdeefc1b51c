"""What the training of a run asks of what is around it, one thing at a time."""

import contextlib
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from fcn_jax import hosts
from fcn_jax.config.types import Config
from fcn_jax.runs import trainer
from tests.support.runs import tiny_config


def nothing(*_):
    pass


def test_the_last_save_is_waited_for_whatever_signal_comes():
    """A process that is asked to stop is ended after some seconds, unless it saves."""
    stopping, seen = trainer.Stopping(str), []
    made = SimpleNamespace(
        stopping=stopping,
        crew=hosts.ALONE,
        batches=SimpleNamespace(close=lambda: seen.append("batches")),
        store=SimpleNamespace(
            close=lambda: seen.append(stopping._saving), steps=lambda: [3]
        ),
        log=SimpleNamespace(note_saves=seen.append),
        close=lambda: seen.append("log"),
    )
    trainer._finish(made)
    assert seen == ["batches", True, [3], "log"]
    assert not stopping._saving


@pytest.mark.parametrize("index", (0, 1))
def test_the_first_process_alone_writes_results(monkeypatch, index):
    written = []
    monkeypatch.setattr(trainer.results, "write", lambda *_: written.append(index))
    crew = hosts.Crew()
    crew.index = index
    made = SimpleNamespace(
        stopping=trainer.Stopping(str),
        crew=crew,
        workdir=None,
        step=1,
        ended_early="",
        best=None,
        store=None,
    )
    trainer._write_results(made)
    assert written == [0][index:]


class Noting(hosts.Crew):
    """Notes the limit of a step, and what may take longer."""

    patient = False

    def limit(self, seconds, dumps):
        self.limited = seconds, dumps

    @contextlib.contextmanager
    def unhurried(self):
        self.patient = True
        yield
        self.patient = False


def test_compilation_and_evaluation_may_take_longer_than_a_step(monkeypatch):
    crew, seen = Noting(), []

    def note(*_, **__):
        seen.append(crew.patient)
        return "compiled"

    for owner, name in (
        (trainer.compilation, "training_step"),
        (trainer.compilation, "compile_step"),
        (trainer.compilation, "describe_cost"),
        (trainer.watching, "score"),
        (trainer.parallel, "own_part"),
    ):
        monkeypatch.setattr(owner, name, note)
    made = MagicMock(crew=crew)
    assert trainer._compile(made, {}) == "compiled"
    assert seen == [False, True, False]
    trainer._score(made, 1)
    assert seen[3:] == [False, True]


def test_the_watchdog_waits_as_long_as_the_config_says(tmp_path, monkeypatch):
    """And leaves stack traces in the run's directory."""
    made = SimpleNamespace(run=nothing, close=nothing)
    monkeypatch.setattr(trainer, "Trainer", lambda *_: made)
    config = tiny_config("F", hang_timeout=7.0)
    crew = Noting()
    trainer.train(config, tmp_path / "run", crew=crew)
    assert crew.limited == (7.0, tmp_path / "run")
    older = Config(config.to_dict())
    del older["hang_timeout"]
    trainer.train(older, tmp_path / "run", crew=crew)
    assert crew.limited[0] == 0
