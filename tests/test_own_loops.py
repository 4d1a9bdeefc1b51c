"""The networks in loops that are not ours: Flax, NNX, meshes, static arguments."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training import train_state
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import fcn_jax
from fcn_jax.training import losses
from tests.support import cases

SMALL = {"num_classes": 3, "width": 1 / 32, "fc_features": 32, "padding": "same"}


@pytest.fixture(scope="module")
def model():
    return fcn_jax.create("fcn32s", batch_norm=True, **SMALL)


@pytest.fixture(scope="module")
def variables(model):
    return cases.random_variables(model)


@pytest.fixture(scope="module")
def images():
    return cases.random_images((2, 16, 16))


@pytest.fixture(scope="module")
def expected(model, variables, images):
    return jax.jit(model.apply)(variables, images)


def loss_of(logits):
    labels = jnp.zeros(logits.shape[:3], jnp.int32).at[:, :, 8:].set(1)
    found = losses.cross_entropy(logits, labels)
    return found.total / found.count


@pytest.mark.long
def test_a_train_state_of_flax(model, variables, images):
    class State(train_state.TrainState):
        batch_stats: dict

    state = State.create(
        apply_fn=model.with_encoder(dropout_rate=0.0).apply,
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        tx=optax.adamw(1e-2),
    )

    @jax.jit
    def step(state):
        def loss(params):
            logits, updates = state.apply_fn(
                {"params": params, "batch_stats": state.batch_stats},
                images,
                train=True,
                mutable=["batch_stats"],
            )
            return loss_of(logits), updates

        (value, updates), grads = jax.value_and_grad(loss, has_aux=True)(state.params)
        return state.apply_gradients(grads=grads, **updates), value

    found = []
    with jax.numpy_dtype_promotion("standard"):  # Optax counts in weak types.
        for _ in range(10):
            state, value = step(state)
            found.append(float(value))
    assert state.step == 10
    assert found[-1] < 0.9 * found[0]


@pytest.mark.long
def test_within_nnx(model, images):
    net = nnx.jit(
        lambda x: nnx.bridge.ToNNX(model, rngs=nnx.Rngs(0)).lazy_init(x, train=False)
    )(images)
    logits = nnx.jit(lambda net, x: net(x, train=False))(net, images)
    kinds = {"params": nnx.Param, "batch_stats": nnx.BatchStat}
    variables = {
        name: nnx.to_pure_dict(nnx.state(net, kind)) for name, kind in kinds.items()
    }
    expected = jax.jit(model.apply)(variables, images)
    assert logits.shape == (2, 16, 16, 3)
    np.testing.assert_array_equal(logits, expected)
    assert "conv1_1" in variables["params"]
    assert "bn1_1" in variables["batch_stats"]


def test_an_ensemble_by_vmap(model, variables, images):
    members = [cases.random_variables(model, seed=seed) for seed in (1, 2, 3)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *members)
    together = jax.jit(jax.vmap(model.apply, (0, None)))(stacked, images)
    alone = jax.jit(model.apply)
    for found, member in zip(together, members, strict=True):
        theirs = alone(member, images)
        np.testing.assert_allclose(
            found, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max()
        )


@pytest.fixture(scope="module")
def mesh():
    return Mesh(np.asarray(jax.devices()[:2]), ("batch",))


def test_arrays_that_are_sharded(model, variables, images, expected, mesh):
    sharded = jax.device_put(images, NamedSharding(mesh, PartitionSpec("batch")))
    whole = jax.device_put(variables, NamedSharding(mesh, PartitionSpec()))
    found = jax.jit(model.apply)(whole, sharded)
    assert len(found.sharding.device_set) == 2
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.long
def test_within_shard_map(model, variables, images, expected, mesh):
    """Statistics of BatchNorm are summed over its axis, as over that of `pmap`."""
    spread, whole = PartitionSpec("batch"), PartitionSpec()
    apply = jax.shard_map(
        model.apply, mesh=mesh, in_specs=(whole, spread), out_specs=spread
    )
    found = jax.jit(apply)(variables, images)
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=1e-5 * np.abs(expected).max()
    )
    joined = model.with_encoder(axis_name="batch", dropout_rate=0.0)
    alone = model.with_encoder(dropout_rate=0.0)

    def train(net):
        def run(variables, images):
            return net.apply(variables, images, train=True, mutable=["batch_stats"])[1]

        return run

    over_two = jax.shard_map(
        train(joined), mesh=mesh, in_specs=(whole, spread), out_specs=whole
    )
    theirs = jax.jit(train(alone))(variables, images)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
        jax.jit(over_two)(variables, images),
        theirs,
    )


NETS = pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fcn8s_atonce", {"skip_scales": (0.1, 0.01)}),
        ("fcn8s", {"skip_scales": [0.1, 0.01]}),
        ("fcn16s", {"num_classes": {"a": 3, "b": 2}}),
        ("fcn32s", {"dtype": jnp.bfloat16, "freeze_batch_norm": ("bn1_*",)}),
        ("deconvnet", {}),
    ],
)


@NETS
def test_a_model_is_a_value(name, options):
    """Two of the same options are equal, so that a static argument traces once."""
    one, two = (fcn_jax.create(name, **SMALL | options) for _ in range(2))
    other = fcn_jax.create(name, **SMALL | options | {"width": 1 / 64})
    assert one == two
    assert hash(one) == hash(two)
    assert one != other
    traced = []

    def count(model, x):
        traced.append(model)
        return x

    counted = jax.jit(count, static_argnums=0)
    for model in (one, two, one, other):
        counted(model, 1.0)
    assert traced == [one, other]


@NETS
def test_a_model_is_pickled(name, options):
    model = fcn_jax.create(name, **SMALL | options)
    again = pickle.loads(pickle.dumps(model))
    assert again == model
    assert again.encoder.layers() == model.encoder.layers()
