"""Every candidate of `benchmarks.candidates` can be built, and means the same step."""

import dataclasses

import jax
import numpy as np
import pytest

from benchmarks import candidates
from benchmarks.common import formats, steps
from fcn_jax import parallel

CASE = steps.tiny(steps.CASES["fcn8s"])
DEVICES = jax.devices("cpu")[:1]
CANDIDATES = candidates.CANDIDATES


def traced(name):
    """A candidate's step without dropout, whose draws would differ."""
    candidate = CANDIDATES[name]
    model = {**candidate.model, "dropout_rate": 0.0}
    candidate = dataclasses.replace(candidate, model=model)
    return candidates.traced(candidate, CASE, "training", DEVICES, "float32")


def loss_of(name, step, lowered):
    """Loss and gradient of weights that score: a fresh net gives every class 0."""
    compiled = lowered.compile()
    state, batch = steps.example_arguments(step, DEVICES)
    rng = np.random.default_rng(0)

    def moved(x):
        x = np.asarray(x)
        return x + rng.normal(size=x.shape).astype(x.dtype) * 0.05

    state = state.replace(params=jax.tree.map(moved, state.params))
    given = jax.tree.map(lambda x: np.asarray(x)[0], (state, batch))
    given = parallel.replicate(given, DEVICES)
    if CANDIDATES[name].free_layouts:
        given = formats.placed(given, compiled)
    _, metrics = compiled(*given)
    return float(metrics["loss"][0]), float(metrics["grad_norm"][0])


@pytest.fixture(scope="module")
def as_is():
    step, lowered = traced(candidates.AS_IS)
    return lowered.as_text(), loss_of(candidates.AS_IS, step, lowered)


@pytest.mark.long
@pytest.mark.parametrize("name", [n for n in CANDIDATES if n != candidates.AS_IS])
def test_it_is_the_same_step(name, as_is):
    text, expected = as_is
    step, lowered = traced(name)
    if lowered.as_text() == text:  # On a CPU most change nothing.
        return
    found = loss_of(name, step, lowered)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize("name", [n for n, c in CANDIDATES.items() if c.compiler])
def test_xla_knows_its_options(name):
    lowered = jax.jit(lambda x: x + 1).lower(1.0)
    assert lowered.compile(dict(CANDIDATES[name].compiler))(1.0) == 2


def test_xla_refuses_options_that_it_does_not_know():
    lowered = jax.jit(lambda x: x + 1).lower(1.0)
    with pytest.raises(Exception, match="xla_gpu_no_such_option"):
        lowered.compile({"xla_gpu_no_such_option": True})


def test_formats_are_chosen_for_one_device():
    step, _ = traced(candidates.AS_IS)
    with pytest.raises(ValueError, match="2 devices: formats are chosen for one; give"):
        formats.automatic(step, DEVICES * 2)


def test_dropout_draws_by_the_generator_that_a_candidate_names():
    def text(name):
        found = candidates.traced(
            CANDIDATES[name], CASE, "training", DEVICES, "float32"
        )
        return found[1].as_text()

    assert "rng_bit_generator" in text("rbg")
    assert "rng_bit_generator" not in text(candidates.AS_IS)
