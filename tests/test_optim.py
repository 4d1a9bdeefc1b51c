import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fcn_jax import optim


@pytest.fixture(autouse=True)
def _promotion_as_in_optax():
    # Schedules and AdamW of optax mix integers and floats.
    with jax.numpy_dtype_promotion("standard"):
        yield


def run(optimizer, params, grads):
    state = optimizer.init(params)
    for grad in grads:
        updates, state = optimizer.update(grad, state, params)
        params = optax.apply_updates(params, updates)
    return params


def test_caffe_sgd_by_hand():
    # Two parameters; multipliers 1/1 and 2/0; the rate falls after the first update.
    rates = [0.1, 0.01]
    params = {"w": jnp.float32(1.0), "b": jnp.float32(-1.0)}
    grads = {"w": jnp.float32(0.5), "b": jnp.float32(0.25)}
    optimizer = optim.caffe_sgd(
        lambda count: jnp.where(count == 0, rates[0], rates[1]),
        momentum=0.9,
        weight_decay=0.2,
        lr_multipliers={"w": 1.0, "b": 2.0},
        decay_multipliers={"w": 1.0, "b": 0.0},
    )
    after = run(optimizer, params, [grads, grads])
    w, b, v_w, v_b = 1.0, -1.0, 0.0, 0.0
    for rate in rates:
        v_w = 0.9 * v_w + rate * (0.5 + 0.2 * w)
        v_b = 0.9 * v_b + 2 * rate * 0.25
        w, b = w - v_w, b - v_b
    np.testing.assert_allclose([after["w"], after["b"]], [w, b], rtol=1e-6)


def test_at_a_constant_rate_it_is_the_common_form():
    params = {"w": jnp.array([1.0, -2.0])}
    grads = [{"w": jnp.array([g, -g])} for g in (0.3, -0.1, 0.7)]
    ours = run(optim.caffe_sgd(0.05, 0.9), params, grads)
    theirs = run(optax.sgd(0.05, 0.9), params, grads)
    np.testing.assert_allclose(ours["w"], theirs["w"], rtol=1e-6)


def test_frozen_layers_neither_move_nor_decay():
    params = {"conv1_1": {"kernel": jnp.ones(2)}, "score_fr": {"kernel": jnp.ones(2)}}
    grads = jax.tree.map(jnp.ones_like, params)
    for name in optim.OPTIMIZERS:
        schedule = optim.make_schedule("constant", learning_rate=0.1, num_steps=1)
        optimizer = optim.make_optimizer(
            name, schedule, params, weight_decay=0.5, frozen=("conv*",)
        )
        after = run(optimizer, params, [grads, grads])
        np.testing.assert_array_equal(after["conv1_1"]["kernel"], 1)
        assert float(after["score_fr"]["kernel"][0]) < 1


def test_multipliers_of_the_fcn_nets():
    params = {
        "conv1_1": {"kernel": jnp.ones(1), "bias": jnp.ones(1)},
        "bn1_1": {"scale": jnp.ones(1), "bias": jnp.ones(1)},
        "upscore8": {"kernel": jnp.ones(1)},
    }
    lr, decay = optim.multipliers(params, frozen=("upscore*",))
    assert lr == {
        "conv1_1": {"kernel": 1.0, "bias": 2.0},
        "bn1_1": {"scale": 1.0, "bias": 1.0},
        "upscore8": {"kernel": 0.0},
    }
    assert decay == {
        "conv1_1": {"kernel": 1.0, "bias": 0.0},
        "bn1_1": {"scale": 0.0, "bias": 0.0},
        "upscore8": {"kernel": 0.0},
    }


def test_adamw_does_not_decay_biases():
    params = {"conv1_1": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}}
    grads = jax.tree.map(jnp.zeros_like, params)
    schedule = optim.make_schedule("constant", learning_rate=0.1, num_steps=1)
    after = run(
        optim.make_optimizer("adamw", schedule, params, weight_decay=0.5),
        params,
        [grads],
    )
    np.testing.assert_array_equal(after["conv1_1"]["bias"], 1)
    np.testing.assert_allclose(after["conv1_1"]["kernel"], 0.95)


def test_clipping_bounds_the_whole_gradient():
    params = {"conv1_1": {"kernel": jnp.zeros((1, 2))}}
    grads = {"conv1_1": {"kernel": jnp.array([[30.0, 40.0]])}}
    schedule = optim.make_schedule("constant", learning_rate=1.0, num_steps=1)
    after = run(
        optim.make_optimizer("sgd", schedule, params, clip_norm=5.0), params, [grads]
    )
    np.testing.assert_allclose(after["conv1_1"]["kernel"], [[-3, -4]], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("constant", {}, {0: 2.0, 100: 2.0}),
        ("step", {"boundaries": (10, 50), "factor": 0.1}, {9: 2.0, 10: 0.2, 60: 0.02}),
        ("polynomial", {"power": 1.0}, {0: 2.0, 50: 1.0, 100: 0.0}),
        ("cosine", {}, {0: 2.0, 50: 1.0, 100: 0.0}),
        ("warmup_cosine", {"warmup_steps": 10}, {0: 0.0, 5: 1.0, 10: 2.0, 100: 0.0}),
        ("one_cycle", {}, {0: 0.08, 30: 2.0}),
    ],
)
def test_schedules(name, options, expected):
    schedule = optim.make_schedule(name, learning_rate=2.0, num_steps=100, **options)
    for count, rate in expected.items():
        assert float(schedule(jnp.int32(count))) == pytest.approx(rate, abs=1e-6)


def test_errors():
    with pytest.raises(ValueError, match="schedule 'cosin' is not known; did you mean"):
        optim.make_schedule("cosin", learning_rate=1.0, num_steps=1)
    with pytest.raises(ValueError, match="option of schedule 'step' 'factr' is not"):
        optim.make_schedule("step", learning_rate=1.0, num_steps=1, factr=1)
    with pytest.raises(ValueError, match=r"optimiser 'adam' is not known.* adamw, sgd"):
        optim.make_optimizer("adam", None, {"a": {"kernel": jnp.ones(1)}})
    with pytest.raises(
        ValueError, match=r"frozen: 'cnv\*' matches no layer; there are a"
    ):
        optim.multipliers({"a": {"kernel": jnp.ones(1)}}, frozen=("cnv*",))
    params = {"w": jnp.ones(1)}
    optimizer = optim.caffe_sgd(0.1)
    state = optimizer.init(params)
    with pytest.raises(ValueError, match="update needs the parameters"):
        optimizer.update(params, state)
