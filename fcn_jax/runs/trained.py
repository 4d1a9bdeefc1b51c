"""From the directory of a run, or of two, to scores on a split."""

from pathlib import Path

import jax
import numpy as np

from fcn_jax import parallel, training
from fcn_jax.config import build, datasets
from fcn_jax.config import predictor as predictors
from fcn_jax.config import workdir as workdirs
from fcn_jax.data import loader
from fcn_jax.evaluation import evaluate, metrics
from fcn_jax.preprocessing import Preprocessing
from fcn_jax.storage import checkpoints


class Member:
    """A trained network: its checkpoint, variables, and what it was trained with."""

    def __init__(self, config, workdir, step, devices):
        self.config, self.workdir = config, Path(workdir)
        self.model = build.make_model(config)
        self.checkpoint = self._checkpoint(step)
        self.recipe = Preprocessing.from_dict(self.checkpoint.metadata["preprocessing"])
        template = training.init_variables(self.model, config.seed)
        self.variables = parallel.replicate(
            checkpoints.into_variables(self.checkpoint.arrays, template), devices
        )
        if config.batch_stats_batches:
            self.variables = self._recompute_batch_stats(devices)

    def _checkpoint(self, step):
        store = checkpoints.Checkpoints(self.workdir / "checkpoints")
        found = store.best() if step is None else store.read(step)
        if found is None:
            raise FileNotFoundError(
                f"{self.workdir} holds no checkpoint; train first: python train.py "
                f"--config=... --workdir={self.workdir}"
            )
        return found

    def _recompute_batch_stats(self, devices):
        config = self.config
        count = config.batch_stats_batches
        step = parallel.data_parallel(
            training.batch_statistics,
            devices,
            model=self.model,
            preprocessing=self.recipe,
            axis_name=parallel.AXIS,
        )
        source = datasets.open_source(config, "train")
        print(f"taking the statistics of BatchNorm over {count} training batches")
        batches = datasets.train_batches(config, source, start_step=0)
        return evaluate.recompute_batch_stats(
            step, self.variables, batches, devices, count
        )

    def predictor(self, scales=None, flip=False):
        """How this network is asked; `scales` are the config's own by default."""
        if scales is None:
            scales = (self.config.eval_scale,)
        return predictors.make_predictor(
            self.config, self.model, self.recipe, scales, flip
        )


class Evaluation:
    """Trained networks on a split, ready to be scored in one way or another.

    Args:
        config: Of the run.
        workdir: Of the run.
        split: Name of the split; None: the config's.
        step: Checkpoint; None: the best.
        devices: None: all.
        with_run: Directory of a second run, which makes an ensemble of the two.
        combine: How their predictions are combined; see `fcn_jax.inference.ensembles`.
    """

    def __init__(
        self,
        config,
        workdir,
        split=None,
        step=None,
        devices=None,
        with_run=None,
        combine="mean_prob",
    ):
        self.config, self.combine = config, combine
        if split:
            config.data.eval_split = split
        self.devices = devices or jax.local_devices()
        parallel.check_batch_size(config.eval_batch_size, len(self.devices))
        self.source = datasets.open_source(config, "eval")
        print(datasets.describe_source(self.source))
        self.members = [Member(config, workdir, step, self.devices)]
        if with_run:
            second = workdirs.config_of_run(with_run)
            _check_same_classes(config, second, with_run)
            self.members.append(Member(second, with_run, None, self.devices))

    @property
    def checkpoint(self):
        """That of the first network."""
        return self.members[0].checkpoint

    def score(self, scales=None, flip=False, on_batch=None, members=None, crf=True):
        """The scores of the split.

        Args:
            scales: Input scales of whole images; None: each config's own.
            flip: Whether whole images are seen mirrored too.
            on_batch: See `evaluation.evaluate`.
            members: Networks that take part; None: all.
            crf: Whether the CRF of the config, if there is one, comes after them.

        Returns:
            See `metrics.scores`.
        """
        predictor, variables = self._asked(members, scales, flip)
        if crf and self.config.crf.parameters:
            predictor = predictors.with_crf(predictor, self.config)
        num_classes = self.config.model.num_classes
        step = parallel.data_parallel(
            training.eval_step,
            self.devices,
            log_probs=predictor.log_probs,
            num_classes=num_classes,
        )
        confusion = evaluate.evaluate(
            step,
            variables,
            self._batches(predictor),
            self.devices,
            num_classes,
            on_batch,
        )
        return metrics.scores(confusion, self.source.classes)

    def log_probs(self):
        """Image by image what the networks say, before any CRF.

        Yields:
            Image uint8 RGB [H, W, 3], labels uint8 [H, W], and class log-probabilities
            float32 [H, W, C].
        """
        predictor, variables = self._asked()
        step = parallel.data_parallel(predictor.log_probs, self.devices)
        for batch in self._batches(predictor):
            sent = evaluate.to_devices(batch, self.devices)
            found = np.asarray(step(variables, sent))
            found = found.reshape(-1, *found.shape[2:])
            for row in np.flatnonzero(batch["example_valid"]):
                h, w = batch["sizes"][row]
                yield (
                    batch["image"][row, :h, :w],
                    batch["labels"][row, :h, :w],
                    found[row, :h, :w],
                )

    def _asked(self, members=None, scales=None, flip=False):
        """How networks are asked together, and their variables."""
        members = members or self.members
        asked = [member.predictor(scales, flip) for member in members]
        if len(members) == 1:
            return asked[0], members[0].variables
        variables = tuple(member.variables for member in members)
        return predictors.combine(asked, self.combine), variables

    def _batches(self, predictor):
        return loader.eval_batches(
            self.source,
            batch_size=self.config.eval_batch_size,
            num_classes=self.config.model.num_classes,
            scales=predictor.scales,
            windows=predictor.windows,
        )


def _check_same_classes(config, second, with_run):
    ours, theirs = config.model.num_classes, second.model.num_classes
    if ours != theirs:
        raise ValueError(
            f"--with_run={with_run} scores {theirs} classes, this run {ours}; an "
            f"ensemble needs two runs that were trained on the same classes."
        )
