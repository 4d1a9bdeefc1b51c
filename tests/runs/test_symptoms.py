"""What numbers of a run that does not learn say, and that a good one says nothing."""

import jax
import numpy as np
import pytest

from fcn_jax.evaluation import metrics
from fcn_jax.runs import results, symptoms, trainer, watching
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")

LOG_3 = float(np.log(3))


def watch(**changes):
    return symptoms.Symptoms(tiny_config("data", **changes))


def losses(mean, loss=1.0, norm=1.0):
    return {"mean_loss": mean, "loss": loss, "grad_norm": norm}


def test_a_loss_that_stays_at_log_c():
    found = watch()
    assert found.of_losses(10, losses(LOG_3)) == []  # It may have begun just now.
    (said,) = found.of_losses(20, losses(0.995 * LOG_3))
    assert said.startswith(
        "after 20 steps the loss is still 1.093, that of equal scores for all classes "
        "(log C = 1.099): nothing is learned. config.optim.learning_rate=0.01 may be"
    )
    assert found.of_losses(30, losses(LOG_3)) == []  # Said once.


@pytest.mark.parametrize("mean", (0.98 * LOG_3, 1.02 * LOG_3))
def test_a_loss_that_has_moved(mean):
    found = watch()
    assert not any(found.of_losses(step, losses(mean)) for step in (20, 40, 60))


def test_of_other_losses_log_c_is_not_known():
    for changes in ({"loss.reduction": "sum"}, {"loss.name": "other"}):
        found = watch(**changes)
        assert not any(found.of_losses(step, losses(LOG_3)) for step in (20, 40, 60))


def test_several_heads_have_a_loss_each():
    config = tiny_config("data")
    with config.unlocked(), config.model.ignore_type():
        config.model.num_classes = {"a": 3, "b": 9}
    found = symptoms.Symptoms(config)
    found.of_losses(20, losses(3 * LOG_3))
    assert "log C = 3.296" in found.of_losses(40, losses(3 * LOG_3))[0]


def test_a_gradient_of_zero():
    (said,) = watch().of_losses(5, losses(0.5, norm=0.0))
    assert said.startswith("the gradient of step 5 is 0: nothing learns. All that lea")
    assert watch().of_losses(5, losses(0.0, loss=0.0, norm=0.0)) == []  # All is void.


def one_class(found, mean, step=40, confusion=((90, 0, 0), (10, 0, 0), (0, 0, 0))):
    found.of_losses(step, losses(mean))
    scores = metrics.scores(np.array(confusion), ["road", "car", "sky"])
    return found.of_scores(step, scores)


def test_a_net_that_calls_all_alike():
    entropy = -0.9 * np.log(0.9) - 0.1 * np.log(0.1)
    (dead,) = one_class(watch(), entropy)
    assert dead.startswith(
        "every pixel is called 'road', and the loss of training, 0.325, is no less "
        "than for who knows how common the classes are (0.325): the scores do not dep"
    )
    (learning,) = one_class(watch(), 0.9 * entropy)
    assert "'road'; the net has learned more than that (loss 0.293, and 0.325 " in (
        learning
    )
    for changes in (
        {"loss.balance": "median_frequency"},
        {"loss.class_weights": (1.0, 2.0, 3.0)},
        {"loss.reduction": "sum"},
    ):
        (unclear,) = one_class(watch(**changes), entropy)
        assert unclear == (
            "every pixel is called 'road'; the net may be dead, or has learned little "
            "yet"
        )


UNCLEAR = "; the net may be dead, or has learned little yet"


def test_before_a_loss_is_logged_nothing_is_said_of_it():
    scores = metrics.scores(np.array([[90, 0], [10, 0]]), ["road", "car"])
    assert watch().of_scores(40, scores) == [f"every pixel is called 'road'{UNCLEAR}"]


def test_the_loss_of_several_heads_is_that_of_none():
    config = tiny_config("data")
    with config.unlocked(), config.model.ignore_type():
        config.model.num_classes = {"a": 2, "b": 9}
    found = symptoms.Symptoms(config)
    found.of_losses(40, losses(1.5))
    one = metrics.scores(np.array([[90, 0], [10, 0]]), ["road", "car"])
    (said,) = found.of_scores(40, {"heads": {"a": one}})
    assert said == f"every pixel is called 'road'{UNCLEAR}"


def test_where_one_class_is_no_symptom():
    assert one_class(watch(), 1.0, step=19) == []
    assert one_class(watch(), 1.0, confusion=((9, 0, 0), (0, 0, 0), (0, 0, 0))) == []
    assert one_class(watch(), 1.0, confusion=((9, 1, 0), (1, 0, 0), (0, 0, 0))) == []
    found = watch()
    assert len(one_class(found, 1.0)) == 1
    assert one_class(found, 1.0) == []  # Said once.


def averages(mean, var, channels=5):
    return {"mean": np.full(channels, mean), "var": np.full(channels, var)}


def normalised(mean, var, step=100, momentum=0.9, **changes):
    """What is said of a batch of these statistics after averages of 0 and 1."""
    found = watch(**{"model.bn_momentum": momentum, **changes})
    keeps = momentum ** changes.get("accumulate", 1)
    before = {"good": averages(0.0, 1.0), "bn5_3": averages(0.0, 1.0)}
    after = {
        "good": before["good"],
        "bn5_3": averages((1 - keeps) * mean, keeps + (1 - keeps) * var),
    }
    found.of_statistics(step, before, after)
    scores = metrics.scores(np.eye(3, dtype=int), ["a", "b", "c"])
    return found.of_scores(step, scores)


def test_averages_that_are_not_those_of_the_batch():
    (said,) = normalised(3.0, 1.0)
    # The average has come a tenth of the way: 2.7 are left.
    assert "disagree with the batches that it learns by: in bn5_3 the mean of the " in (
        said
    )
    assert "is 2.7 standard deviations from the average, its variance 1.0 times" in said
    (said,) = normalised(0.0, 1e-3)
    assert "is 0.0 standard deviations from the average, its variance 900.1 ti" in said
    (said,) = normalised(3.0, 1.0, accumulate=2)
    assert "is 2.4 standard deviations" in said


def test_averages_that_are_as_near_as_batches_are():
    assert normalised(0.9, 1.0) == []
    assert normalised(0.0, 3.0) == []
    assert normalised(3.0, 1.0, step=20) == []  # The start is still in them.
    assert normalised(3.0, 1.0, step=29) != []
    dead = averages(0.0, 0.0)
    assert symptoms._distance(dead, dead, 0.9) == (0.0, 1.0)


def test_it_is_told_while_a_run_goes_on(tmp_path, monkeypatch, capsys):
    """Of steps that learn nothing and move the averages, and of scores that are bad."""
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    monkeypatch.setattr(symptoms, "_LEAST", 4)
    values = {
        name: jax.device_put(np.array([x], np.float32))
        for name, x in (("loss", LOG_3), ("grad_norm", 1.0))
    }

    def step(state, batch):
        moved = {
            layer: {**found, "mean": found["mean"] + np.float32(9)}
            for layer, found in state.batch_stats.items()
        }
        return state.replace(step=state.step + 1, batch_stats=moved), values

    scores = metrics.scores(np.array([[9, 0], [1, 0]]), ["dark", "bright"])
    monkeypatch.setattr(trainer, "_compile", lambda *_: step)
    monkeypatch.setattr(watching, "score", lambda *_: (scores, "the scores"))
    config = tiny_config(make_folder(tmp_path / "data"), num_steps=6, log_every=2)
    config.model.bn_momentum = 0.3
    monkeypatch.setattr(results, "write", lambda *_: None)
    trainer.train(config, tmp_path / "run")
    said = [
        x for x in capsys.readouterr().out.splitlines() if x[:4] in ("note", "the ")
    ]
    starts = (
        "the scores",  # Of step 3, after which no loss is known yet.
        "note: BatchNorm's running averages, with which a net is scored, disagree wit",
        "note: after 4 steps the loss is still 1.099, that of equal scores for all cl",
        "the scores",
        "note: every pixel is called 'dark', and the loss of training, 1.099, is no l",
    )
    said = said[-len(starts) :]
    assert [x[: len(y)] for x, y in zip(said, starts, strict=True)] == [*starts]
