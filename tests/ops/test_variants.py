"""Array functions give the same under `jit`, without it, and under `pmap`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from fcn_jax.evaluation import metrics
from fcn_jax.ops import bilinear, extents, normalization, pooling, window_pooling
from fcn_jax.training import losses


def maps(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


class VariantsTest(chex.TestCase):
    def check(self, fn, *arguments):
        """`fn`, as the variant runs it, against `fn` run as it stands."""
        found = self.variant(fn)(*arguments)
        chex.assert_trees_all_close(found, fn(*arguments), rtol=1e-6, atol=1e-6)

    @chex.all_variants
    def test_unpooling_undoes_pooling_where_maxima_were(self):
        def there_and_back(x):
            maxima, switches = pooling.max_pool_with_switches(x)
            return pooling.max_unpool(maxima, switches, output_size=(5, 6)), switches

        self.check(there_and_back, maps(1, 5, 6, 3))

    @chex.all_variants
    def test_windows_that_overlap(self):
        self.check(
            lambda x: window_pooling.max_pool_windows(x, 3, 2, 1), maps(1, 7, 9, 2)
        )

    @chex.all_variants
    def test_normalization(self):
        self.check(
            lambda x: normalization.local_response_normalization(x, 5, 1e-4, 0.75),
            maps(1, 3, 4, 8),
        )

    @chex.all_variants
    def test_upsampling(self):
        self.check(lambda x: bilinear.bilinear_upsample(x, 2), maps(1, 3, 4, 2))

    @chex.all_variants
    def test_masks(self):
        self.check(extents.mask, maps(2, 3, 4, 1), np.array([[2, 3], [3, 4]], np.int32))

    @chex.all_variants
    def test_cross_entropy(self):
        labels = np.array([[[0, 2, 255], [1, 1, 0]]], np.int32)
        self.check(losses.cross_entropy, maps(1, 2, 3, 3), labels)

    @chex.all_variants
    def test_confusion(self):
        labels, pred = np.array([[0, 1, 2, 255]], np.int32), np.array([[0, 2, 2, 0]])
        self.check(
            lambda a, b: metrics.confusion_matrix(a, b, 3),
            labels,
            pred.astype(np.int32),
        )


def test_one_trace_serves_all_values():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def pooled(x):
        return pooling.max_pool(x)

    for seed in range(3):
        pooled(jnp.full((1, 4, 4, 1), float(seed)))
