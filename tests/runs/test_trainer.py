"""What the training of a run asks of what is around it, one thing at a time."""

from types import SimpleNamespace

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


class Limited(hosts.Crew):
    def limit(self, seconds, dumps):
        self.limited = seconds, dumps


def test_the_watchdog_waits_as_long_as_the_config_says(tmp_path, monkeypatch):
    """And leaves stack traces in the run's directory."""
    made = SimpleNamespace(run=nothing, close=nothing)
    monkeypatch.setattr(trainer, "Trainer", lambda *_: made)
    config = tiny_config("F", hang_timeout=7.0)
    crew = Limited()
    trainer.train(config, tmp_path / "run", crew=crew)
    assert crew.limited == (7.0, tmp_path / "run")
    older = Config(config.to_dict())
    del older["hang_timeout"]
    trainer.train(older, tmp_path / "run", crew=crew)
    assert crew.limited[0] == 0
