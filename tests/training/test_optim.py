import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fcn_jax.training import optim, schedules
from tests.support.paths import GOLDEN


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


def test_a_fallen_rate_leaves_the_larger_last_update_in_the_buffer():
    # The rate is inside v: at rate 0 the old updates go on, 0.5 of them each time.
    params = {"w": jnp.float32(0.0)}
    optimizer = optim.caffe_sgd(lambda count: jnp.where(count == 0, 1.0, 0.0), 0.5)
    after = run(optimizer, params, [{"w": jnp.float32(1.0)}] * 3)
    assert float(after["w"]) == -(1 + 0.5 + 0.25)


@pytest.mark.parametrize("jit", (False, True))
def test_the_recorded_sequence(jit):
    golden = dict(np.load(GOLDEN / "optim.npz"))
    rates = jnp.asarray(golden["rates"])
    params = {
        "conv": {name: jnp.asarray(golden[name]) for name in ("kernel", "bias")},
        "fixed": {"kernel": jnp.asarray(golden["kernel"])},
    }
    lr, decay = optim.multipliers(params, frozen=("fixed",))
    optimizer = optim.caffe_sgd(
        lambda count: rates[count],
        float(golden["momentum"]),
        float(golden["weight_decay"]),
        lr,
        decay,
    )
    update = jax.jit(optimizer.update) if jit else optimizer.update
    state = optimizer.init(params)
    for step in range(len(rates)):
        grads = {
            "conv": {n: golden[f"{n}_grads"][step] for n in ("kernel", "bias")},
            "fixed": {"kernel": golden["kernel_grads"][step]},
        }
        updates, state = update(grads, state, params)
        params = optax.apply_updates(params, updates)
        for name in ("kernel", "bias"):
            np.testing.assert_allclose(
                params["conv"][name],
                golden[f"{name}_after"][step],
                rtol=2e-6,  # float32 against float64, six updates.
                atol=1e-7,
            )
    np.testing.assert_array_equal(params["fixed"]["kernel"], golden["kernel"])
    assert int(state.count) == len(rates)


def test_frozen_layers_neither_move_nor_decay():
    kernel = jnp.ones((2, 2))
    params = {"conv1_1": {"kernel": kernel}, "score_fr": {"kernel": kernel}}
    grads = jax.tree.map(jnp.ones_like, params)
    grads["conv1_1"]["kernel"] = kernel * jnp.nan  # Not even looked at.
    schedule = schedules.make_schedule("constant", learning_rate=0.1, num_steps=1)
    for name in optim.OPTIMIZERS:
        for clip_norm in (None, 1.0):
            optimizer = optim.make_optimizer(
                name,
                schedule,
                params,
                weight_decay=0.5,
                frozen=("conv*",),
                clip_norm=clip_norm,
            )
            after = run(optimizer, params, [grads, grads])
            np.testing.assert_array_equal(after["conv1_1"]["kernel"], 1)
            assert float(after["score_fr"]["kernel"][0, 0]) < 1


def test_frozen_layers_take_no_memory_for_momentum():
    params = {"conv1_1": {"kernel": jnp.ones(50)}, "score_fr": {"kernel": jnp.ones(3)}}
    for name in optim.OPTIMIZERS:
        optimizer = optim.make_optimizer(name, lambda _: 0.1, params, frozen=("conv*",))
        sizes = [leaf.size for leaf in jax.tree.leaves(optimizer.init(params))]
        assert max(sizes) == 3


def test_the_clipped_norm_is_that_of_the_layers_that_learn():
    params = {"a": {"kernel": jnp.zeros(1)}, "b": {"kernel": jnp.zeros(1)}}
    grads = {"a": {"kernel": jnp.full(1, 1e6)}, "b": {"kernel": jnp.full(1, 10.0)}}
    optimizer = optim.make_optimizer(
        "sgd", lambda _: 1.0, params, frozen=("a",), clip_norm=5.0
    )
    after = run(optimizer, params, [grads])
    np.testing.assert_allclose(after["b"]["kernel"], [-5.0], rtol=1e-6)


def test_the_gradient_norm_is_that_of_the_layers_that_learn():
    grads = {
        "conv1_1": {"kernel": jnp.full((2, 2), jnp.nan), "bias": jnp.full(2, 1e9)},
        "score_fr": {"kernel": jnp.full((2, 2), 1.5), "bias": jnp.array([4.0])},
    }
    assert float(optim.gradient_norm(grads, frozen=("conv*",))) == 5.0
    assert np.isnan(optim.gradient_norm(grads))
    assert float(optim.gradient_norm(grads, frozen=("conv*", "score*"))) == 0.0
    learning = optim.learns(grads, frozen=("conv*",))
    assert learning["conv1_1"] == {"kernel": False, "bias": False}
    assert learning["score_fr"] == {"kernel": True, "bias": True}


def test_without_frozen_layers_everything_learns():
    params = {"conv1_1": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}}
    grads = jax.tree.map(jnp.ones_like, params)
    for name in optim.OPTIMIZERS:
        optimizer = optim.make_optimizer(name, lambda _: 0.1, params)
        after = run(optimizer, params, [grads])
        assert all((leaf < 1).all() for leaf in jax.tree.leaves(after))


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


def test_multipliers_of_deconvnet():
    """stage_2_train.prototxt: BatchNorm has none stated, hence 1 and 1."""
    names = ("conv1_1", "bn1_1", "bnfc6", "fc6-deconv-bn", "debn5_1", "deconv5_1")
    params = {name: {"bias": jnp.zeros(1)} for name in names}
    lr, decay = optim.multipliers(params, bn_decay=1.0)
    for name in names:
        normalises = "bn" in name
        assert lr[name]["bias"] == (1.0 if normalises else 2.0), name
        assert decay[name]["bias"] == (1.0 if normalises else 0.0), name


def test_adamw_does_not_decay_biases():
    params = {"conv1_1": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}}
    grads = jax.tree.map(jnp.zeros_like, params)
    schedule = schedules.make_schedule("constant", learning_rate=0.1, num_steps=1)
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
    schedule = schedules.make_schedule("constant", learning_rate=1.0, num_steps=1)
    after = run(
        optim.make_optimizer("sgd", schedule, params, clip_norm=5.0), params, [grads]
    )
    np.testing.assert_allclose(after["conv1_1"]["kernel"], [[-3, -4]], rtol=1e-5)


@pytest.mark.parametrize("name", ("sgd", "adamw"))
def test_slow_layers_learn_at_a_part_of_the_rate(name):
    """As with a tenth of the rate from the first step on, decay included."""
    params = {n: {"kernel": jnp.array([[3.0, -1.0]])} for n in ("conv1_1", "score_fr")}
    grads = jax.tree.map(lambda w: 0.1 * w + 1, params)

    def trained(rate, slow=()):
        optimizer = optim.make_optimizer(
            name, lambda step: jnp.float32(rate), params, weight_decay=0.1
        )
        if slow:
            optimizer = optim.slowed(optimizer, params, slow, 0.1)
        found, state = params, optimizer.init(params)
        for _ in range(3):
            updates, state = optimizer.update(grads, state, found)
            found = optax.apply_updates(found, updates)
        return found

    found, fast, slow = trained(0.01, ("conv*",)), trained(0.01), trained(0.001)
    np.testing.assert_array_equal(
        found["score_fr"]["kernel"], fast["score_fr"]["kernel"]
    )
    moved = found["conv1_1"]["kernel"]
    np.testing.assert_allclose(moved, slow["conv1_1"]["kernel"], rtol=1e-6)
    assert np.abs(moved - fast["conv1_1"]["kernel"]).min() > 1e-3


def test_slow_layers_must_be_there_and_learn():
    params = {"conv1_1": {"kernel": jnp.ones((1, 1))}}
    plain = optax.identity()
    with pytest.raises(
        ValueError, match=r"slow: 'fc\*' matches no layer; there are con"
    ):
        optim.slowed(plain, params, ("fc*",), 0.1)
    for rate in (0.0, -1.0, float("inf")):
        with pytest.raises(
            ValueError, match="slow_rate=.* is not positive; give a fac"
        ):
            optim.slowed(plain, params, ("conv*",), rate)


def test_errors():
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
    with pytest.raises(ValueError, match=r"momentum=1 is not in \[0, 1\)"):
        optim.caffe_sgd(0.1, momentum=1)
    with pytest.raises(ValueError, match="weight_decay=-0.1 is negative"):
        optim.caffe_sgd(0.1, weight_decay=-0.1)
    with pytest.raises(ValueError, match="clip_norm=0 is not positive; pass None"):
        optim.make_optimizer("sgd", None, {"a": {"kernel": jnp.ones(1)}}, clip_norm=0)
