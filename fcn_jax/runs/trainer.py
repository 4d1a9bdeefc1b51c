"""The training of a run: its state, the loop, and what it writes down."""

import contextlib
import signal
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import jax

from fcn_jax import hosts, parallel, training
from fcn_jax.config import build, datasets, sampling
from fcn_jax.config import workdir as workdirs
from fcn_jax.config.parts import RunParts, build_parts
from fcn_jax.config.types import Config
from fcn_jax.data.batch import Batch
from fcn_jax.evaluation import metrics
from fcn_jax.hosts import ends
from fcn_jax.runs import (
    boxsup,
    compilation,
    feed,
    logs,
    occasions,
    recorded,
    results,
    shared,
    symptoms,
    watching,
)
from fcn_jax.runs.data_record import DataRecord
from fcn_jax.runs.losses import RecentLosses
from fcn_jax.runs.progress import Progress, duration, note
from fcn_jax.runs.stopping import Stop, Stopping
from fcn_jax.storage import checkpoints, quiet, trees
from fcn_jax.storage.files import JsonObject


class Trainer:
    """One training run, from where it stands to its last step.

    Args:
        config: Of the run.
        workdir: Its directory; if a run of this config is there, it goes on.
        restart: Whether to begin at step 0 though checkpoints were there and are lost.
        allow_changed: "data": go on though the data are not those it began with.
        stopping: That says when to stop; None: nothing does.
        crew: The processes that train it together.

    Raises:
        ValueError: If the config has no sense, or the directory holds another run.
    """

    def __init__(
        self,
        config: Config,
        workdir: str | Path,
        restart: bool = False,
        allow_changed: Collection[str] = (),
        stopping: Stopping | None = None,
        crew: hosts.Crew = hosts.ALONE,
    ):
        self.config, self.workdir, self.crew = config, Path(workdir), crew
        self.stopping = stopping or Stopping(lambda: farewell(workdir))
        self.devices = shared.devices_of(crew)
        self.told = compilation.xla_options(config, self.devices, workdir, crew.first)
        self.parts = build_parts(config, self.devices)
        workdirs.check_workdir(config, self.workdir)
        _describe(self.parts)
        self.store = shared.open_store(config, self.workdir, crew)
        lost = recorded.lost_run(self.workdir, self.store, config)
        if not restart:
            recorded.check_restart(lost, self.workdir)
        sources = self.parts.train_source, self.parts.eval_source
        self.data = DataRecord(*sources, self.workdir)
        crew.agree(self.data.metadata)
        saved = shared.newest(self.store, crew)
        found = shared.start(self.parts, saved, self.workdir, crew)
        self.state, self.optimizer, memory = found
        self.data.check(memory, "data" in allow_changed)
        note(shared.set_aside(lost, self.store, self.workdir, crew))
        self.best = results.best_of(self.store, memory["best"])
        self.occasions = occasions.Occasions(config)
        self.losses = RecentLosses(memory["losses"], self.parts.learning_rate)
        self.symptoms = symptoms.Symptoms(config)
        self.evaluator = watching.evaluator(self.parts, self.devices, crew, self.told)
        self.step = self.saved = step = int(self.state.step)
        self.masks = boxsup.Masks(self.parts, self.devices, crew, memory, self.told)
        self.feed = feed.of_run(self.parts, self.devices, crew, step)
        note(logs.note_of_loss(self.workdir, step - len(self.losses.losses)))
        _note_damage(self.workdir)
        if crew.first:  # Now that nothing is refused.
            workdirs.write_config(config, self.workdir)
            self.data.keep()
            compilation.make_room(self.told)
        scored = self.store.scores.has(step)
        self.log = shared.open_log(self.workdir, step, scored, crew)
        images = sampling.images_of_update(config)
        self.progress = Progress(config.num_steps, step, images, crew.first)
        self.feed.waits = self.progress.waiting

    def run(self) -> None:
        """All steps that are left."""
        first, last = self.step, self.config.num_steps
        table = training.param_table(self.state.params)
        self.state = parallel.replicate(self.state, self.devices)
        compiled = None
        scored = self.store.scores.has(first)
        if first and self.occasions.evaluates(first) and not scored:
            with self.stopping.at_once():
                self.evaluate(first)  # It was saved, and the process ended then.
        for step in range(first + 1, last + 1):
            if self.ended_early:
                break
            self.crew.doing(f"the batch of step {step}")
            with self.stopping.at_once():
                if self.masks.due(step - 1):
                    _estimate_masks(self, step - 1)
                batch = self.feed.take()
                if compiled is None:
                    self.progress.write(table)
                    compiled = _compile(self, batch)
                    self.progress.skip_clock()
            self.crew.doing(f"step {step}")
            before = _averages(self, step)
            self.state, step_metrics = compiled(self.state, batch)
            self.step = step
            self.losses.add(step, step_metrics)
            _fetch_ahead(self, step, step_metrics)
            self.symptoms.of_statistics(step, before, _averages(self, step))
            self.progress.step_done()
            self._after_step(step)
        _finish(self)
        _write_results(self)

    @property
    def ended_early(self) -> str:
        """Why the run ends after the step that it has done; "" where it goes on."""
        return self.occasions.ends_early(self.store.scores.read(), self.step)

    def _after_step(self, step: int) -> None:
        """Log, save and evaluate where the config says so, in this order."""
        if self.occasions.logs(step):
            self.write_losses(step)
        if self.occasions.saves(step):
            self.save()
        self.stopping.check()
        if self.occasions.evaluates(step):
            with self.stopping.at_once():
                self.evaluate(step)

    def write_losses(self, step: int) -> None:
        """Log the loss of this step and the mean since the last line."""
        self.losses.collect(self.store)
        values = self.losses.summary()
        speed = self.progress.measure(step)
        rate = {"learning_rate": self.parts.learning_rate(step - 1)}
        self.log.note_saves(self.store.steps())
        self.log.write("train", step, {**values, **rate, **speed})
        self.progress.write(_line_of(step, self.config.num_steps, values | speed))
        _tell(self.progress, self.symptoms.of_losses(step, values))

    def evaluate(self, step: int) -> None:
        """Score the evaluation split, and record the score."""
        scores, line = _score(self, step)
        self.store.scores.record(step, scores["mean_iu"])
        self.best = results.best_of(self.store, self.best)
        self.progress.write(line)
        _tell(self.progress, self.symptoms.of_scores(step, scores))
        self.progress.skip_clock()

    def save(self) -> None:
        """Begin to save the state, once its metrics are known to be finite."""
        self.losses.collect(self.store)
        self.log.flush()  # What led to a checkpoint is on disk when it is.
        arrays = trees.to_arrays(parallel.unreplicate(self.state))
        metadata = _metadata_of(self)
        # It waits for the save before it.
        with self.stopping.saving(), ends.writing:
            self.store.save(arrays, metadata=metadata)
        self.log.note_saves(self.store.steps())  # Those before it.
        self.saved = self.step

    def close(self) -> None:
        """Let go of the log and the progress bar."""
        self.log.close()
        self.progress.close()


def _score(trainer: Trainer, step: int) -> tuple[metrics.Scores, str]:
    """The scores of the evaluation split, and a line that says them."""
    variables = parallel.own_part(trainer.state.variables, trainer.devices)
    with trainer.crew.unhurried():
        return watching.score(
            trainer.evaluator,
            variables,
            trainer.log,
            step,
            trainer.config.num_pictures,
            trainer.stopping.check,
        )


def _estimate_masks(trainer: Trainer, step: int) -> None:
    """Choose the masks of the epoch that begins; batches made before are of no use."""
    trainer.feed.drop()
    variables = parallel.own_part(trainer.state.variables, trainer.devices)
    with trainer.crew.unhurried():
        trainer.progress.write(trainer.masks.estimate(step, variables))
    trainer.feed.renew(step)
    trainer.progress.skip_clock()


def _fetch_ahead(trainer: Trainer, step: int, result: object) -> None:
    """Send the batch of the next step, while the devices compute this one."""
    with trainer.stopping.at_once():
        trainer.feed.follow(result)
        if step < trainer.config.num_steps and not trainer.masks.due(step):
            trainer.crew.doing(f"the batch of step {step + 1}")
            trainer.feed.fetch()
            trainer.crew.doing(f"step {step}")


def _finish(trainer: Trainer) -> None:
    """Wait for the last save, whatever signal comes, and let go of the files."""
    trainer.feed.close()
    with trainer.stopping.saving(), trainer.crew.unhurried(), ends.writing:
        trainer.store.close()
    trainer.log.note_saves(trainer.store.steps())
    trainer.close()


def _write_results(trainer: Trainer) -> None:
    """What a run that is done leaves."""
    with trainer.stopping.at_once(), trainer.crew.unhurried():
        if trainer.crew.first:
            results.write(
                trainer.workdir,
                trainer.step,
                trainer.ended_early,
                trainer.best,
                trainer.store,
            )


def _tell(progress: Progress, notes: Sequence[str]) -> None:
    for text in notes:
        progress.write(f"note: {text}")


def _averages(trainer: Trainer, step: int) -> symptoms.Statistics:
    """BatchNorm's, where a step is one after which the run is scored."""
    if not trainer.occasions.evaluates(step):
        return {}
    return symptoms.statistics(trainer.state)


def _line_of(step: int, num_steps: int, values: Mapping[str, float]) -> str:
    """What is printed of a step that is logged."""
    return (
        f"step {step}/{num_steps}  loss {values['loss']:.4f}  mean "
        f"{values['mean_loss']:.4f}  {values['images_per_second']:.1f} images/s  "
        f"waiting {values['waiting']:.0%}  ETA {duration(values['eta'])}"
    )


def _metadata_of(trainer: Trainer) -> JsonObject:
    """What a checkpoint says beside its arrays."""
    return {
        **workdirs.checkpoint_metadata(trainer.config),
        "best": trainer.best,
        "losses": trainer.losses.losses,
        **recorded.labels_of(trainer.parts.train_source),
        **recorded.weights_of(trainer.parts.class_weights),
        **trainer.data.metadata,
        **trainer.masks.metadata,
    }


def _note_damage(workdir: Path) -> None:
    """Say which files are damaged that the run writes anew."""
    damaged = {"config.json": workdirs.damage(workdir), **results.damage(workdir)}
    for name, why in damaged.items():
        note(why and f"{workdir / name} was damaged ({why}); it is written anew")


def _describe(parts: RunParts) -> None:
    """Say what a run is trained and scored on."""
    for source in (parts.train_source, parts.eval_source):
        print(datasets.describe_source(source), flush=True)
    note(datasets.padding_note(parts.config, parts.train_source))
    note(datasets.overlap_note(parts.train_source, parts.eval_source))
    note(datasets.batch_note(parts.config, parts.train_source))
    note(build.optimizer_note(parts.config))


def _compile(trainer: Trainer, batch: Batch) -> jax.stages.Compiled:
    """The compiled training step; says what it costs before it is first run."""
    parts = trainer.parts
    step = compilation.training_step(
        trainer.config,
        trainer.devices,
        model=parts.model,
        optimizer=trainer.optimizer,
        loss=parts.loss,
        preprocessing=parts.preprocessing,
    )
    start = time.perf_counter()
    with trainer.crew.unhurried():
        compiled = compilation.compile_step(step, trainer.told, trainer.state, batch)
        # The first collective of gloo waits half a minute for the others, no longer.
        trainer.crew.gather("the compiled step", None)
    cost = compilation.describe_cost(compiled)
    trainer.progress.write(f"{cost}; compiled in {time.perf_counter() - start:.1f} s")
    return compiled


def farewell(workdir: str | Path) -> str:
    """What is said to whom stops a run.

    Args:
        workdir: Of the run.
    """
    steps = checkpoints.CheckpointReader(Path(workdir) / "checkpoints").steps()
    what = f"step {steps[-1]} is saved" if steps else "nothing is saved yet"
    return f"terminated: {what}; run again to go on"


def _stop(trainer: Trainer | None, workdir: str | Path, stopping: Stopping) -> None:
    """Save what is not saved yet, say so and end the process with the signal's code.

    A notebook, or another session, is not ended by Ctrl-C: it holds more than this.
    """
    with stopping.saving(), contextlib.ExitStack() as stack:
        if trainer is not None:
            stack.enter_context(trainer.crew.unhurried())
            if trainer.step > trainer.saved:
                if trainer.losses.since_a_line and trainer.occasions.logs(trainer.step):
                    trainer.write_losses(trainer.step)
                trainer.save()
            stack.enter_context(ends.writing)  # It needs no other process any more.
            trainer.feed.close()
            trainer.store.close()
            trainer.log.note_saves(trainer.store.steps())
            trainer.progress.close()
    said = farewell(workdir)
    print(said, flush=True)
    if stopping.asked == signal.SIGINT and hasattr(sys, "ps1"):
        raise KeyboardInterrupt(said)
    sys.exit(stopping.exit_code)


def train(
    config: Config,
    workdir: str | Path,
    restart: bool = False,
    allow_changed: Collection[str] = (),
    crew: hosts.Crew = hosts.ALONE,
) -> None:
    """Train as `config` says, in `workdir`; go on if a run of it is there.

    Args:
        config: See `fcn_jax.config.base`.
        workdir: Directory of the run; of several processes one that all see.
        restart: Whether to begin at step 0 though checkpoints were there and are lost.
        allow_changed: "data": go on though the data are not those it began with.
        crew: The processes that train it together; see `fcn_jax.hosts.join`.

    Raises:
        ValueError: If another process trains there, or as `Trainer`.
        SystemExit: If SIGTERM or SIGINT came: 143 or 130, the state saved.
        KeyboardInterrupt: If SIGINT came in an interactive session, likewise.
    """
    shared.check_alike(config, crew)
    with shared.held(workdir, crew), quiet.saves():
        stopping = Stopping(lambda: farewell(workdir), crew=crew)
        seconds = config.hang_timeout if "hang_timeout" in config else 0.0  # Of old.
        crew.limit(seconds, Path(workdir))
        with stopping, contextlib.ExitStack() as written:
            trainer = None
            try:
                with stopping.at_once(), crew.unhurried():
                    trainer = Trainer(
                        config, workdir, restart, allow_changed, stopping, crew
                    )
                written.enter_context(ends.awaiting(trainer.store.wait))
                trainer.run()
            except Stop:
                _stop(trainer, workdir, stopping)
            except Exception:
                if trainer is not None:
                    with contextlib.suppress(OSError):
                        trainer.store.wait()  # What was being saved is whole.
                raise
            finally:
                if trainer is not None:
                    trainer.close()
