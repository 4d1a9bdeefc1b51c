"""BoxSup in a run: masks are estimated before each epoch, by the net as it is then.

They follow from the seed, the epoch and the net's variables at its start, and stand in
each checkpoint of the epoch: which candidate every box has. So a run that was killed
goes on with the masks that it had, whole, and one that was killed while they were
estimated estimates them again from the same variables.

References:
    Dai, He and Sun 2015, arXiv:1503.01640, sec. 4: masks and network parameters in
    turns, an epoch of updates each.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from fcn_jax import hosts, parallel
from fcn_jax.config import boxsup as of_config
from fcn_jax.config.parts import RunParts
from fcn_jax.data.contracts import Item, OneHead
from fcn_jax.data.weak import boxsup
from fcn_jax.data.weak.boxsup import BoxSupSource, Choice
from fcn_jax.evaluation import evaluate
from fcn_jax.inference.predictor import Variables
from fcn_jax.runs.progress import duration
from fcn_jax.storage.files import JsonObject

KEY = "boxsup"  # Of a checkpoint's metadata.


class Masks:
    """The masks of a run's images, where these have boxes; nothing of other runs.

    Args:
        parts: Of the run.
        devices: That train, of all processes.
        crew: The processes.
        memory: What the newest checkpoint says; the masks of its epoch are taken up.
        options: What XLA is told, as for the training step.

    Raises:
        ValueError: If the checkpoint's masks are of other candidates than there are.
    """

    def __init__(
        self,
        parts: RunParts,
        devices: Sequence[parallel.Device],
        crew: hosts.Crew,
        memory: Mapping[str, object],
        options: parallel.Options | None = None,
    ):
        self._crew = crew
        self._source: BoxSupSource | None = None
        self._epoch, self._picks = -1, ""
        if not isinstance(parts.train_source, BoxSupSource):
            return
        self._source = parts.train_source
        self._epoch_steps = of_config.epoch_steps(parts.config, len(self._source))
        self._threads = max(1, parts.config.data.num_threads)
        self._silent = parts.config.data.boxsup.silent_epochs
        ours, size = parallel.own(devices), parts.config.eval_batch_size
        seen = _Weak(self._source)
        self._evaluator = evaluate.Evaluator(parts.predictor, seen, size, ours, crew)
        self._step = parallel.data_parallel(
            parts.predictor.log_probs, ours, compiler_options=options
        )
        saved = memory.get(KEY)
        if not isinstance(saved, Mapping):
            return
        # A checkpoint of before says nothing of MCG's files.
        if not self._source.candidates.startswith(str(saved["candidates"])):
            raise ValueError(
                "the masks of the run's last epoch were chosen among other candidates "
                "than there are now, and would be of other pixels; make them as they "
                "were (the same options and version of OpenCV, the same files of MCG), "
                "or begin anew in a fresh --workdir."
            )
        self._epoch, self._picks = int(saved["epoch"]), str(saved["picks"])
        self._source.assign(boxsup.unpacked(self._picks))

    @property
    def metadata(self) -> JsonObject:
        """What a checkpoint says of them."""
        if self._source is None or self._epoch < 0:
            return {}
        return {
            KEY: {
                "epoch": self._epoch,
                "candidates": self._source.candidates,
                "picks": self._picks,
            }
        }

    def due(self, step: int) -> bool:
        """Whether the masks are to be estimated after a step.

        Args:
            step: Updates done.
        """
        if self._source is None:
            return False
        return step // self._epoch_steps != self._epoch

    def estimate(self, step: int, variables: Variables) -> str:
        """Choose the masks of the epoch that begins, and hand them to the source.

        Args:
            step: Updates done.
            variables: On all devices.

        Returns:
            A line that says what was chosen.

        Raises:
            ValueError: If no image has a box, or the net's scores are not finite.
        """
        assert self._source is not None  # It is due.
        source, start = self._source, time.perf_counter()
        epoch = step // self._epoch_steps
        chosen = self._chosen(source, epoch, variables)
        mine = {place: choice.picks for place, choice in chosen.items()}
        told = self._crew.gather("the masks", boxsup.packed(mine))
        picks: dict[int, np.ndarray] = {}
        for text in told:
            picks |= boxsup.unpacked(text)
        if not any(len(each) for each in picks.values()):
            raise ValueError(
                f"{source.name} {source.split}: none of {len(picks)} images has an "
                f"object, and BoxSup learns from their boxes; check the masks."
            )
        self._epoch, self._picks = epoch, boxsup.packed(picks)
        source.assign(picks, {place: c.labels for place, c in chosen.items()})
        return _line(epoch, chosen, time.perf_counter() - start)

    def _chosen(
        self, source: BoxSupSource, epoch: int, variables: Variables
    ) -> dict[int, Choice]:
        """The masks of this process's images, by place; threads choose them."""
        chosen: dict[int, Choice] = {}
        waiting: deque[tuple[int, Future[Choice]]] = deque()

        def settle(most: int) -> None:
            while len(waiting) > most:
                place, choice = waiting.popleft()
                chosen[place] = choice.result()

        with ThreadPoolExecutor(self._threads) as pool:
            try:
                for place, log_probs in self._seen(epoch, variables):
                    made = pool.submit(boxsup.choose, source, place, log_probs, epoch)
                    waiting.append((place, made))
                    settle(2 * self._threads)
                settle(0)
            finally:
                pool.shutdown(cancel_futures=True)
        return chosen

    def _seen(
        self, epoch: int, variables: Variables
    ) -> Iterator[tuple[int, np.ndarray | None]]:
        """The images of this process whose masks are estimated.

        Yields:
            Place, and class log-probabilities [H, W, C]; None: the net has no say.
        """
        source, crew = self._source, self._crew
        assert source is not None  # It is due.
        if not source.rule.weight or epoch < self._silent:
            for place in source.weak[crew.index :: crew.count]:
                yield place, None
            return
        for batch in self._evaluator.batches():
            sent = evaluate.to_devices(batch, self._evaluator.devices)
            found = np.asarray(self._step(variables, sent))
            found = found.reshape(-1, *found.shape[2:])
            for row in np.flatnonzero(batch["example_valid"]):
                height, width = batch["sizes"][row]
                place = source.weak[int(batch["index"][row])]
                yield place, found[row, :height, :width]


class _Weak(OneHead):
    """The images whose masks are estimated, as they are in the data set."""

    def __init__(self, source: BoxSupSource):
        self._source = source
        self.name, self.split, self.channels = (
            source.name,
            source.split,
            source.channels,
        )
        self.classes, self.palette = source.classes, source.palette
        self.ignore_label = source.ignore_label

    def __len__(self) -> int:
        return len(self._source.weak)

    def __getitem__(self, index: int) -> Item:
        return self._source.base[self._source.weak[index]]

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]."""
        return self._source.image_sizes()[self._source.weak]


def _line(epoch: int, chosen: Mapping[int, Choice], seconds: float) -> str:
    """What is said of the masks of an epoch."""
    boxes = sum(len(choice.picks) for choice in chosen.values())
    alone = sum(choice.rectangles for choice in chosen.values())
    iou = sum(choice.iou * len(choice.picks) for choice in chosen.values())
    rest = f", {alone} of them rectangles for want of a candidate" * bool(alone)
    return (
        f"masks of epoch {epoch}: {boxes} in {len(chosen)} images, their boxes at a "
        f"mean IoU of {iou / max(1, boxes):.3f} with those given{rest} "
        f"({duration(seconds)})"
    )
