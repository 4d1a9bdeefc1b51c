"""While the devices compute a step, the batch of the next is on its way to them."""

import threading
from types import SimpleNamespace

import jax
import pytest

from fcn_jax.runs import feed, trainer
from tests.support.runs import make_folder, tiny_config


class Devices:
    """Compute the steps that they are given one by one, each once it is let."""

    def __init__(self, events):
        self.events, self.let = events, [threading.Event() for _ in range(9)]

    def step(self, number):
        self.events.append(f"step {number}")

        def block_until_ready():
            assert self.let[number].wait(60)

        return SimpleNamespace(block_until_ready=block_until_ready)


class Fed:
    """A feed whose batches are numbers, with what has happened to it, in order."""

    def __init__(self, done=0, damaged=None):
        self.events, self.waits, self.now, self.takes = [], [], 0.0, 0.0
        self.damaged = damaged
        self.devices = Devices(self.events)
        self.feed = feed.Feed(self.make, self.send, done, lambda: self.now)
        self.feed.waits = self.waits.append

    def make(self, done):
        self.events.append(f"open {done}")
        try:
            while True:
                done += 1
                self.now += self.takes
                self.made(done)
                if done == self.damaged:
                    raise ValueError(f"image {done} is damaged")
                yield done
        finally:
            self.events.append("closed")

    def made(self, number):
        """What happens while a batch is made."""

    def send(self, batch):
        self.events.append(f"send {batch}")
        return batch

    def train(self, step):
        """As the trainer does; steps end once the next is given."""
        assert self.feed.take() == step
        result = self.devices.step(step)
        self.devices.let[step - 1].set()
        self.feed.follow(result)
        self.feed.fetch()


@pytest.fixture
def fed(request):
    made = Fed(**getattr(request, "param", {}))
    yield made
    for each in made.devices.let:
        each.set()
    made.feed.close()


def test_the_next_batch_is_sent_while_a_step_is_computed(fed):
    """Each `send` comes before its step, while the one before has not ended."""
    for step in (1, 2, 3):
        fed.train(step)
        assert not fed.devices.let[step].is_set()
        assert fed.events[-2:] == [f"step {step}", f"send {step + 1}"]
    assert fed.events[:3] == ["open 0", "send 1", "step 1"]


def test_one_batch_is_ahead_and_no_more(fed):
    fed.train(1)
    for _ in range(3):
        fed.feed.fetch()
    assert fed.events == ["open 0", "send 1", "step 1", "send 2"]


def test_the_devices_have_two_steps_at_most(fed):
    """Or as many batches would lie there as the host can run ahead."""
    fed.train(1)
    fed.feed.take()
    result = fed.devices.step(2)
    ahead = threading.Thread(target=fed.feed.follow, args=(result,), daemon=True)
    ahead.start()
    ahead.join(0.2)
    assert ahead.is_alive()  # Step 1 is not done.
    fed.devices.let[1].set()
    ahead.join(60)
    assert not ahead.is_alive()


@pytest.mark.parametrize("fed", ({"done": 5},), indirect=True)
def test_a_run_that_goes_on_begins_with_the_batch_after_its_last_step(fed):
    """What was sent for a step that was never done is made again."""
    fed.train(6)
    assert fed.events == ["open 5", "send 6", "step 6", "send 7"]


def test_batches_made_before_the_data_changed_are_dropped(fed):
    fed.train(1)
    fed.feed.drop()
    assert fed.events[-1] == "closed"
    fed.feed.renew(1)
    fed.devices.let[1].set()
    assert fed.feed.take() == 2
    assert fed.events[3:] == ["send 2", "closed", "open 1", "send 2"]


@pytest.mark.parametrize("fed", ({"damaged": 2},), indirect=True)
def test_a_damaged_batch_is_told_when_its_step_comes(fed):
    """Not before the step that is computed is logged and saved."""
    fed.train(1)
    with pytest.raises(ValueError, match="image 2 is damaged"):
        fed.feed.take()


def test_a_batch_that_comes_while_the_devices_compute_is_not_waited_for(fed):
    fed.takes = 7.0
    fed.train(1)
    assert fed.waits == [7, 0]  # Nothing was computed while the first was made.


def test_what_is_waited_for_is_the_time_after_the_step_ended(fed):
    """A step of 3 s, a batch of 8 s: the devices have nothing to do for 5."""

    def made(number):
        if number == 2:
            fed.now += 3
            fed.devices.let[1].set()
            fed.feed._steps._last[-1].result(60)
            fed.now += 5

    fed.made = made
    fed.train(1)
    assert fed.waits == [0, 5]


def test_after_an_evaluation_all_of_it_is_waited_for(fed):
    fed.train(1)
    fed.feed.drop()
    fed.devices.let[1].set()
    fed.feed._steps._last[-1].result(60)
    fed.now, fed.takes = 100.0, 2.0
    fed.feed.renew(1)
    fed.feed.fetch()
    assert fed.waits[-1] == 2


def test_a_step_that_fails_ends_no_thread(fed):
    """Who reads what it returned is told why."""

    def fail():
        raise RuntimeError("out of memory")

    fed.feed.follow(SimpleNamespace(block_until_ready=fail))
    fed.feed.follow(fed.devices.step(1))
    fed.devices.let[1].set()
    fed.feed._steps._last[-1].result(60)


def test_the_thread_ends_with_the_run(fed):
    assert fed.feed._steps._thread.is_alive()
    fed.feed.close()
    assert not fed.feed._steps._thread.is_alive()


@pytest.mark.usefixtures("quick_runs_only")
@pytest.mark.parametrize("devices", (1, 2))
def test_a_run_sends_each_batch_before_the_step_before_is_logged(
    tmp_path, monkeypatch, devices
):
    """Micro-batches, on one device and on two; after the last step nothing is sent."""
    events, shard, write = [], feed.parallel.shard_batch, trainer.Trainer.write_losses
    compiled = trainer._compile
    all_devices = jax.local_devices()[:devices]
    monkeypatch.setattr(jax, "local_devices", lambda: all_devices)

    def sent(batch, *rest):
        found = shard(batch, *rest)
        assert found["image"].shape[:2] == (devices, 4 // devices)
        events.append("send")
        return found

    def noted(run, batch):
        step = compiled(run, batch)
        return lambda *given: events.append("step") or step(*given)

    def logged(run, step):
        events.append("log")
        write(run, step)

    monkeypatch.setattr(feed.parallel, "shard_batch", sent)
    monkeypatch.setattr(trainer, "_compile", noted)
    monkeypatch.setattr(trainer.Trainer, "write_losses", logged)
    config = tiny_config(make_folder(tmp_path), batch_size=4, accumulate=2, num_steps=3)
    with config.unlocked():
        config.eval_every = config.checkpoint_every = 4
    for owner, name in ((trainer.Trainer, "evaluate"), (trainer, "_write_results")):
        monkeypatch.setattr(owner, name, lambda *_: None)
    trainer.train(config, tmp_path / "run")
    assert events == ["send", *("step", "send", "log") * 2, "step", "log"]
