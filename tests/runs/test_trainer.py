"""What the training of a run asks of what is around it, one thing at a time."""

import contextlib
import threading
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from fcn_jax import hosts
from fcn_jax.config.types import Config
from fcn_jax.hosts import ends
from fcn_jax.runs import trainer
from fcn_jax.runs.losses import RecentLosses
from tests.support.runs import tiny_config


def nothing(*_):
    pass


def test_the_last_save_is_waited_for_whatever_signal_comes():
    """A process that is asked to stop is ended after some seconds, unless it saves."""
    stopping, seen = trainer.Stopping(str), []
    made = SimpleNamespace(
        stopping=stopping,
        crew=hosts.ALONE,
        feed=SimpleNamespace(close=lambda: seen.append("batches")),
        store=SimpleNamespace(
            close=lambda: seen.append(stopping._saving), steps=lambda: [3]
        ),
        log=SimpleNamespace(note_saves=seen.append),
        close=lambda: seen.append("log"),
    )
    trainer._finish(made)
    assert seen == ["batches", True, [3], "log"]
    assert not stopping._saving


def is_held():
    """Whether no other thread may end this process now."""
    found = []

    def ask():
        free = ends.writing.acquire(blocking=False)
        found.append(not free)
        if free:
            ends.writing.release()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return found[0]


def test_who_is_gone_breaks_no_save_off(monkeypatch, tmp_path):
    """What is saved needs no other process; what leads to it does."""
    for owner, name in (
        (trainer.parallel, "unreplicate"),
        (trainer.trees, "to_arrays"),
        (trainer, "_metadata_of"),
    ):
        monkeypatch.setattr(owner, name, lambda *_: seen.append(is_held()))
    seen = []
    made = MagicMock(step=3, saved=3)
    made.stopping.exit_code = 143
    made.store.close.side_effect = lambda: seen.append(is_held())
    made.store.save.side_effect = lambda *_, **__: seen.append(is_held())
    trainer.Trainer.save(made)
    assert seen == [False, False, False, True]
    trainer._finish(made)
    with pytest.raises(SystemExit):
        trainer._stop(made, tmp_path, made.stopping)
    assert seen[4:] == [True, True]
    assert not is_held()


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
    kept = SimpleNamespace(wait=nothing)
    made = SimpleNamespace(run=nothing, close=nothing, store=kept)
    monkeypatch.setattr(trainer, "Trainer", lambda *_: made)
    config = tiny_config("F", hang_timeout=7.0)
    crew = Noting()
    trainer.train(config, tmp_path / "run", crew=crew)
    assert crew.limited == (7.0, tmp_path / "run")
    older = Config(config.to_dict())
    del older["hang_timeout"]
    trainer.train(older, tmp_path / "run", crew=crew)
    assert crew.limited[0] == 0


def test_an_end_waits_for_what_a_run_saves(tmp_path, monkeypatch):
    """Where another process of it is gone."""
    store, waits = SimpleNamespace(wait=lambda: None), []

    def run():
        waits.extend(ends._unfinished)

    made = SimpleNamespace(store=store, run=run, close=lambda: None)
    monkeypatch.setattr(trainer, "Trainer", lambda *_: made)
    trainer.train(tiny_config("F"), tmp_path)
    assert waits == [store.wait]
    assert ends._unfinished == []


@pytest.mark.parametrize(
    ("logs", "waiting", "seen"),
    (
        (True, 1, ["line 2", "saved", "closed"]),
        (True, 0, ["saved", "closed"]),
        (False, 1, ["saved", "closed"]),
    ),
)
def test_who_is_stopped_before_a_step_is_logged_logs_it(tmp_path, logs, waiting, seen):
    """While the next batch is made: the step is done, and its line is due."""
    found = []
    losses = RecentLosses()
    losses._pending = [(2, {})] * waiting
    made = SimpleNamespace(
        crew=hosts.ALONE,
        step=2,
        saved=0,
        losses=losses,
        occasions=SimpleNamespace(logs=lambda step: logs),
        write_losses=lambda step: found.append(f"line {step}"),
        save=lambda: found.append("saved"),
        feed=SimpleNamespace(close=nothing),
        store=SimpleNamespace(close=lambda: found.append("closed"), steps=list),
        log=SimpleNamespace(note_saves=nothing),
        progress=SimpleNamespace(close=nothing),
    )
    stopping = trainer.Stopping(str)
    stopping.asked = 15
    with pytest.raises(SystemExit, match="143"):
        trainer._stop(made, tmp_path, stopping)
    assert found == seen
