"""What it takes to add a loss: a file of fcn_jax/training and a line of LOSSES."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.config import losses
from fcn_jax.runs import logs, trainer
from fcn_jax.training.losses import LossOptions, PixelLoss
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@dataclasses.dataclass(frozen=True)
class Forgiving:
    """The file that a newcomer writes: Lin et al. 2017, arXiv:1708.02002, eq. 4."""

    options: LossOptions
    gamma: float = 2.0

    @property
    def reduction(self):
        """How its parts are divided."""
        return self.options.reduction

    def __call__(self, outputs, batch, keys):
        """See `Loss`."""
        del keys
        labels = batch["labels"].astype(jnp.int32)
        true = labels != self.options.ignore_label
        logs = jax.nn.log_softmax(outputs)
        label = jnp.where(true, labels, 0)[..., None]
        log_prob = jnp.take_along_axis(logs, label, -1)[..., 0]
        loss = -((1 - jnp.exp(log_prob)) ** self.gamma) * log_prob
        count = jnp.sum(true).astype(jnp.float32)
        return (PixelLoss(jnp.sum(jnp.where(true, loss, 0.0)), count, count),)


@pytest.fixture(autouse=True)
def _one_device(monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])


@pytest.mark.long
def test_it_trains(tmp_path, monkeypatch):
    monkeypatch.setitem(losses.LOSSES, "forgiving", Forgiving)
    folder = make_folder(tmp_path / "data")
    config = tiny_config(folder, **{"loss.name": "forgiving", "num_steps": 40})
    config.eval_every = config.checkpoint_every = 40
    trainer.train(config, tmp_path / "run")
    found = [
        entry["loss"]
        for entry in logs.read(tmp_path / "run" / "log.jsonl")
        if entry["kind"] == "train"
    ]
    # A fresh net gives every class a third: (2 / 3) ** 2 of the cross-entropy log 3.
    assert found[0] == pytest.approx(4 / 9 * np.log(3), rel=1e-4)
    assert min(found[-5:]) < found[0] / 2


def test_an_unknown_loss_is_named(tmp_path):
    config = tiny_config(tmp_path, **{"loss.name": "focl"})
    with pytest.raises(
        ValueError, match="loss.name='focl' is not known; did you mean 'focal'[?] ch"
    ):
        losses.make_loss(config)


def test_a_loss_of_pixels_is_refused(tmp_path, monkeypatch):
    """Parts are sums; what is not is a mistake of the loss, and is said to be one."""

    class Unsummed(Forgiving):
        def __call__(self, outputs, batch, keys):
            (part,) = super().__call__(outputs, batch, keys)
            return (part._replace(total=outputs[..., 0]),)

    monkeypatch.setitem(losses.LOSSES, "unsummed", Unsummed)
    folder = make_folder(tmp_path / "data")
    config = tiny_config(folder, **{"loss.name": "unsummed", "num_steps": 1})
    with pytest.raises(AssertionError, match="assert_shape failed"):
        trainer.train(config, tmp_path / "run")
