"""The training of a run: what it is made of, and the parts of its loop."""

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fcn_jax import parallel, training, viz, weights
from fcn_jax.config import build, datasets
from fcn_jax.config import predictor as predictors
from fcn_jax.config import workdir as workdirs
from fcn_jax.data import loader
from fcn_jax.evaluation import evaluate, metrics
from fcn_jax.runs import logs
from fcn_jax.runs.progress import Progress, duration
from fcn_jax.storage import checkpoints, files
from fcn_jax.viz import plots

_TERMINATED = 128 + signal.SIGTERM


class Run:
    """One training run: what it is made of, and the parts of its loop."""

    def __init__(self, config, workdir):
        self.config, self.workdir = config, Path(workdir)
        self.devices = jax.local_devices()
        parallel.check_batch_size(
            config.batch_size, len(self.devices), config.accumulate
        )
        parallel.check_batch_size(config.eval_batch_size, len(self.devices))
        self.train_source = datasets.open_source(config, "train")
        self.eval_source = datasets.open_source(config, "eval")
        self.model = build.make_model(config, axis_name=parallel.AXIS)
        self.recipe = build.make_preprocessing(config)
        self.predictor = predictors.make_predictor(
            config, self.model, self.recipe, (config.eval_scale,)
        )
        workdirs.claim_workdir(config, self.workdir)
        for source in (self.train_source, self.eval_source):
            print(datasets.describe_source(source), flush=True)
        self.store = checkpoints.Checkpoints(
            self.workdir / "checkpoints", config.keep_checkpoints
        )
        self.state, self.memory = self._initial_state()
        step = int(self.state.step)
        self.log = logs.RunLog(self.workdir, step)
        self.progress = Progress(config.num_steps, step, config.batch_size)
        self.say = self.progress.say
        self.pending = []  # Metrics of the steps since the last log line.
        self.terminated = False

    def _initial_state(self):
        """The state to go on from, and what the run remembers beside it."""
        config = self.config
        variables = training.init_variables(self.model, config.seed)
        saved = self.store.newest()
        if saved is None and config.init_from:
            variables = weights.load_weights(
                config.init_from,
                self.model,
                strict=False,
                preprocessing=self.recipe,
                inputs=config.init_inputs or None,
                initial=variables,
            )
        self.optimizer = build.make_optimizer(config, variables["params"])
        state = training.create_state(variables, self.optimizer)
        if saved is None:
            return state, {"best": None, "losses": []}
        print(f"going on from step {saved.step} in {self.workdir}", flush=True)
        state = checkpoints.into_state(saved.arrays, state)
        return state, {name: saved.metadata[name] for name in ("best", "losses")}

    def compile(self, batch):
        """The compiled training step; says what it costs before it is first run."""
        config = self.config
        step = parallel.data_parallel(
            training.train_step,
            self.devices,
            donate=(0,),
            model=self.model,
            optimizer=self.optimizer,
            seed=config.seed,
            preprocessing=self.recipe,
            frozen=tuple(config.optim.frozen),
            accumulate=config.accumulate,
            axis_name=parallel.AXIS,
            **build.loss_settings(config),
        )
        start = time.perf_counter()
        compiled = step.lower(self.state, batch).compile()
        self.say(training.param_table(self.model_params))
        self.say(
            f"{describe_cost(compiled)}; "
            f"compiled in {time.perf_counter() - start:.1f} s"
        )
        return compiled

    def run(self):
        """All steps that are left."""
        config = self.config
        first = int(self.state.step)
        self.model_params = self.state.params
        self.state = parallel.replicate(self.state, self.devices)
        self.eval_step = parallel.data_parallel(
            training.eval_step,
            self.devices,
            log_probs=self.predictor.log_probs,
            num_classes=config.model.num_classes,
        )
        compiled = None
        batches = datasets.train_batches(config, self.train_source, first)
        for step in range(first + 1, config.num_steps + 1):
            start = time.perf_counter()
            batch = self._to_devices(next(batches))
            if compiled is None:
                compiled = self.compile(batch)
                self.progress.skip_clock()
            else:
                self.progress.waiting(time.perf_counter() - start)
            self.state, step_metrics = compiled(self.state, batch)
            self.pending.append((step, step_metrics))
            self.progress.step_done()
            last = step == config.num_steps
            if last or step % config.log_every == 0:
                self.write_losses(step)
            mean_iu = None
            if last or step % config.eval_every == 0:
                mean_iu = self.evaluate(step)
            if (
                last
                or mean_iu is not None
                or self.terminated
                or step % config.checkpoint_every == 0
            ):
                self.save(step, mean_iu)
            if self.terminated:
                self.store.close()
                self.say(f"terminated: step {step} is saved; run again to go on")
                sys.exit(_TERMINATED)
        batches.close()
        self.finish()

    def _to_devices(self, batch):
        sent = {name: batch[name] for name in ("image", "labels")}
        if not self.config.data.crop:
            sent["sizes"] = batch["sizes"]
        return parallel.shard_batch(sent, self.devices, self.config.accumulate)

    def collect(self):
        """Read the pending metrics; stop if one is not finite.

        Raises:
            FloatingPointError: Naming the step and the last good checkpoint.
        """
        for step, values in self.pending:
            loss, norm = (
                float(values[name].addressable_shards[0].data[0])
                for name in ("loss", "grad_norm")
            )
            if not np.isfinite([loss, norm]).all():
                self.store.close()
                raise FloatingPointError(
                    f"step {step}: loss {loss}, gradient norm {norm}; training has "
                    f"diverged and was stopped. Good checkpoints: "
                    f"{self.store.steps() or 'none'} in {self.store.directory}. Lower "
                    f"config.optim.learning_rate or set config.optim.clip_norm."
                )
            self.memory["losses"].append(loss)
            self.grad_norm = norm
        self.pending = []

    def write_losses(self, step):
        """Log the loss of this step and the mean since the last line."""
        self.collect()
        losses = self.memory["losses"]
        values = {
            "loss": losses[-1],
            "mean_loss": float(np.mean(losses)),
            "grad_norm": self.grad_norm,
        }
        self.memory["losses"] = []
        speed = self.progress.measure(step)
        self.log.write("train", step, {**values, **speed})
        self.say(
            f"step {step}/{self.config.num_steps}  loss {values['loss']:.4f}  "
            f"mean {values['mean_loss']:.4f}  {speed['images_per_second']:.1f} "
            f"images/s  waiting {speed['waiting']:.0%}  ETA {duration(speed['eta'])}"
        )

    def evaluate(self, step):
        """Score the evaluation split; returns the mean IU, None if undefined."""
        config, source = self.config, self.eval_source
        start = time.perf_counter()
        pictures = []

        def draw(batch, pred):
            for row in np.flatnonzero(batch["example_valid"]):
                if len(pictures) == config.num_pictures:
                    return
                h, w = batch["sizes"][row]
                image, labels = batch["image"][row], batch["labels"][row]
                pictures.append((image[:h, :w], labels[:h, :w], pred[row, :h, :w]))

        confusion = evaluate.evaluate(
            self.eval_step,
            self.state.variables,
            loader.eval_batches(
                source,
                batch_size=config.eval_batch_size,
                num_classes=config.model.num_classes,
                scales=self.predictor.scales,
                windows=self.predictor.windows,
            ),
            self.devices,
            config.model.num_classes,
            draw if config.num_pictures else None,
        )
        scores = metrics.scores(confusion, source.classes)
        seconds = time.perf_counter() - start
        shown = {name: scores[name] for name in metrics.HEADLINE_METRICS}
        self.log.write("eval", step, {**shown, "iu": scores["iu"], "seconds": seconds})
        for number, rows in enumerate(pictures):
            sheet = viz.prediction_row(*rows, palette=source.palette)
            self.log.picture(f"prediction/{number}", step, sheet)
        mean_iu = scores["mean_iu"]
        best = self.memory["best"]
        if mean_iu is not None and (best is None or mean_iu > best["mean_iu"]):
            self.memory["best"] = {"mean_iu": mean_iu, "step": step}
        self.say(
            f"step {step}: {source.split} "
            + ", ".join(f"{n} {v:.4f}" for n, v in shown.items() if v is not None)
            + f"  ({len(source)} images, {duration(seconds)})"
        )
        self.progress.skip_clock()
        return mean_iu

    def save(self, step, mean_iu):
        """Begin to save the state, once its metrics are known to be finite."""
        self.collect()
        self.store.save(
            parallel.unreplicate(self.state),
            metadata={**workdirs.describe(self.config), **self.memory},
            mean_iu=mean_iu,
        )

    def finish(self):
        """Draw the curves and write the result."""
        self.store.close()
        self.close()
        entries = logs.read(self.log.path)
        plots.plot_curves(entries, self.workdir / "curves.png")
        losses = {e["step"]: e["loss"] for e in entries if e["kind"] == "train"}
        lowest = min(losses, key=losses.get)
        result = {
            "step": self.config.num_steps,
            "final_loss": losses[max(losses)],
            "lowest_loss": {"loss": losses[lowest], "step": lowest},
            "best": self.memory["best"],
            "params_sha256": checkpoints.content_hash(
                self.store.newest().arrays["params"]
            ),
            "scores": [e for e in entries if e["kind"] == "eval"][-1],
        }
        files.write_json(self.workdir / "result.json", result)
        print(
            f"done: loss {result['final_loss']:.4f}, lowest {losses[lowest]:.4f} at "
            f"step {lowest}; best {json.dumps(self.memory['best'])}; "
            f"curves in {self.workdir / 'curves.png'}"
        )

    def close(self):
        """Let go of the log and the progress bar."""
        self.log.close()
        self.progress.close()


def describe_cost(compiled: Any) -> str:
    """FLOPs and memory of a compiled step, as its compiler counts them."""
    cost = compiled.cost_analysis() or {}
    cost = cost[0] if isinstance(cost, list) else cost
    memory = compiled.memory_analysis()
    peak = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
    )
    return (
        f"a step takes {cost.get('flops', 0) / 1e9:,.1f} GFLOP and, at its peak, "
        f"{peak / 2**20:,.0f} MiB a device on {jax.default_backend()}"
    )


def train(config, workdir):
    """Train as `config` says, in `workdir`; go on if a run of it is there."""
    run = Run(config, workdir)

    def on_sigterm(*_):
        run.terminated = True

    before = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        run.run()
    finally:
        signal.signal(signal.SIGTERM, before)
        run.close()
