"""A run ends where evaluations get no better, interrupted or not."""

import json
import os
import signal

import jax
import jax.numpy as jnp
import pytest

from fcn_jax.config import checks
from fcn_jax.runs import occasions, results, trainer, watching
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")

# By step; the better one at 6 is never seen with a patience of 2.
SCORES = {1: 0.2, 2: 0.5, 3: 0.4, 4: 0.5, 5: 0.1, 6: 0.9}


@pytest.mark.parametrize(
    ("step", "patience", "ends"),
    ((1, 1, False), (3, 2, False), (3, 1, True), (4, 2, True), (5, 4, False)),
)
def test_evaluations_in_a_row(step, patience, ends):
    found = occasions.reason(SCORES, step, patience)
    assert bool(found) == ends
    assert not occasions.reason(SCORES, step, 0)


def test_what_is_said_and_what_is_undefined():
    """An equal score is no better one; one that is undefined is none."""
    found = occasions.reason({**SCORES, 3: None}, 4, 2)
    assert found == (
        "no better mean IU than 0.5000 of step 2 in 2 evaluations "
        "(config.early_stopping=2)"
    )
    assert not occasions.reason(dict.fromkeys(SCORES), 6, 2)


def test_a_number_without_sense_is_refused():
    with pytest.raises(ValueError, match="config.early_stopping=-1 is no whole number"):
        checks.check_numbers(tiny_config("F", early_stopping=-1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("folder"))


def step_without_a_network(state, batch):
    """What a step returns, sooner."""
    params = jax.tree.map(lambda x: x + 1, state.params)
    values = {"loss": jnp.ones((1,)), "grad_norm": jnp.ones((1,))}
    return state.replace(step=state.step + 1, params=params), values


@pytest.fixture
def scored(monkeypatch):
    """The steps that are scored, as `SCORES` says; those in the second list fail."""
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    steps, failing = [], []

    def score(evaluator, variables, log, step, *_):
        if step in failing:
            failing.remove(step)
            raise OSError("no mask")
        steps.append(step)
        log.write("eval", step, {"mean_iu": SCORES[step], "loss": 1.0})
        return {"mean_iu": SCORES[step]}, f"step {step}"

    monkeypatch.setattr(watching, "score", score)
    monkeypatch.setattr(trainer, "_compile", lambda *_: step_without_a_network)
    return steps, failing


def trained(folder, workdir, **changes):
    # The loss is logged at the end, wherever that is.
    options = {"eval_every": 1, "early_stopping": 2, "log_every": 100, **changes}
    trainer.train(tiny_config(folder, **options), workdir)
    return json.loads((workdir / "result.json").read_text())


@pytest.mark.long
def test_a_run_ends_early_and_says_so(folder, tmp_path, scored, capsys):
    steps, failing = scored
    whole = trained(folder, tmp_path / "whole")
    assert (steps, whole["step"]) == ([1, 2, 3, 4], 4)
    assert whole["best"] == {"mean_iu": 0.5, "step": 4}
    assert whole["ended_early"].startswith("no better mean IU than 0.5000 of step 2 in")
    assert "ended early, after step 4: no better" in capsys.readouterr().out
    # Ended by hand after step 1, and by a mistake in the evaluation of step 3.
    workdir = tmp_path / "run"
    trained(folder, workdir, num_steps=1)
    failing.append(3)
    with pytest.raises(OSError, match="no mask"):
        trained(folder, workdir)
    resumed = trained(folder, workdir)
    assert resumed["step"] == 4
    assert resumed["params_sha256"] == whole["params_sha256"]
    assert trained(folder, workdir) == resumed  # It has ended, and does not go on.
    further = trained(folder, workdir, early_stopping=0)
    assert (further["step"], further["ended_early"]) == (6, None)


def test_a_signal_while_the_curves_are_drawn_is_answered(
    folder, tmp_path, scored, monkeypatch, capsys
):
    draw = results.plots.plot_curves

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        draw(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(results.plots, "plot_curves", interrupted)
        with pytest.raises(SystemExit) as ended:
            trained(folder, tmp_path / "run", num_steps=1)
    assert ended.value.code == 128 + signal.SIGTERM
    said = capsys.readouterr().out
    assert said.endswith("\nterminated: step 1 is saved; run again to go on\n")
    assert not (tmp_path / "run" / "result.json").exists()
    assert trained(folder, tmp_path / "run", num_steps=1)["step"] == 1
