"""The mean and variance of a network's features over the training set, before step 1.

Networks that standardise what their frozen encoder finds (`fcn_jax.models.zoomout`)
keep these among their variables, so that checkpoints hold them.
"""

import itertools

import jax
import numpy as np
from flax.typing import VariableDict

from fcn_jax.config import sampling
from fcn_jax.config.parts import RunParts
from fcn_jax.data.batch import Batch
from fcn_jax.data.superpixels import KEY
from fcn_jax.models.zoomout import Zoomout
from fcn_jax.preprocessing import preprocess
from fcn_jax.runs import compilation
from fcn_jax.runs.progress import Counter

# Of a mean: a standard deviation that is no more is the rounding of float32.
_ROUNDING = 1e-6


class Moments:
    """Mean and variance of rows that come in parts, in float64.

    Each part is compared with its own mean and joined by that (Chan, Golub and LeVeque
    1983), so that nothing is lost by a mean that is large.
    """

    def __init__(self):
        self.count = 0
        self._mean = self._squares = np.zeros(())

    def add(self, rows: np.ndarray) -> None:
        """Count rows.

        Args:
            rows: [n, F].
        """
        if not len(rows):
            return
        rows = rows.astype(np.float64)
        mean = rows.mean(axis=0)
        squares = np.square(rows - mean).sum(axis=0)
        total = self.count + len(rows)
        apart = mean - self._mean
        self._squares = (
            self._squares + squares + apart**2 * (self.count * len(rows) / total)
        )
        self._mean = self._mean + apart * (len(rows) / total)
        self.count = total

    def mean(self) -> np.ndarray:
        """The mean, float32 [F].

        Raises:
            ValueError: If there were no rows.
        """
        self._check()
        return self._mean.astype(np.float32)

    def variance(self) -> np.ndarray:
        """The variance, float32 [F]; 0 where it is nothing but rounding.

        Raises:
            ValueError: If there were no rows.
        """
        self._check()
        found = self._squares / self.count
        rounding = np.square(_ROUNDING * self._mean)
        return np.where(found > rounding, found, 0).astype(np.float32)

    def _check(self) -> None:
        if not self.count:
            raise ValueError(
                "there are no superpixels to take a mean of: every image was empty."
            )


def standardized(parts: RunParts, variables: VariableDict) -> VariableDict:
    """Variables whose features are standardised over the training set.

    It is seen in batches as training sees it, `config.standardize_batches` of them.

    Args:
        parts: Of the run.
        variables: Of its network; what the encoder finds is theirs.

    Returns:
        The same with other `batch_stats`; of a network that standardises nothing the
        same.
    """
    network = parts.model.network
    if not isinstance(network, Zoomout):
        return variables
    found = Moments()
    features = jax.jit(
        lambda variables, *given: _features(parts, variables, *given),
        compiler_options=compilation.xla_options(parts.config, jax.local_devices()),
    )
    images = sampling.images_of_update(parts.config)
    count = parts.config.standardize_batches or -(-len(parts.train_source) // images)
    batches = parts.train_batches(0)
    with Counter(count * images) as counter:
        for batch in itertools.islice(batches, count):
            rows = np.asarray(features(variables, *_given(parts, batch)))
            for row, superpixels in zip(rows, batch[KEY], strict=True):
                found.add(row[: superpixels.max() + 1])
            counter.update(len(rows))
    batches.close()
    mean, variance = found.mean(), found.variance()
    print(
        f"{len(mean):,} features standardised over {found.count:,} superpixels; "
        f"{np.count_nonzero(variance == 0):,} do not vary",
        flush=True,
    )
    statistics = {"mean": jax.numpy.asarray(mean), "var": jax.numpy.asarray(variance)}
    return {
        **variables,
        "batch_stats": {**variables["batch_stats"], "standardize": statistics},
    }


def _given(
    parts: RunParts, batch: Batch
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    sizes = None if parts.config.data.crop else batch["sizes"]
    return batch["image"], sizes, batch[KEY]


def _features(
    parts: RunParts,
    variables: VariableDict,
    images: jax.Array,
    sizes: jax.Array | None,
    superpixels: jax.Array,
):
    return parts.model.network.apply(
        variables,
        preprocess(images, parts.preprocessing),
        sizes,
        superpixels,
        method="features",
    )
