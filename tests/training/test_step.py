import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from jax.sharding import Mesh, PartitionSpec

from fcn_jax import models, parallel, preprocessing, training
from fcn_jax.models import layers
from fcn_jax.ops import choices
from fcn_jax.training import losses, optim, schedules
from fcn_jax.training.losses import CrossEntropy, LossOptions, WeightedSum
from fcn_jax.training.lovasz import Lovasz
from fcn_jax.training.overlaps import Dice

NUM_CLASSES = 3


SUM = CrossEntropy(LossOptions(reduction="sum"))


def tiny(**options):
    options = {"width": 1 / 16, "fc_features": 128, "padding": "same", **options}
    return models.create("fcn8s", NUM_CLASSES, **options)


def make_batch(rows=8, size=(32, 32), seed=0, with_sizes=False):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, NUM_CLASSES, (rows, *size)).astype(np.uint8)
    labels[rng.random(labels.shape) < 0.2] = 255
    labels[0, : size[0] // 2] = 255  # So that the devices' counts differ.
    batch = {
        "image": rng.integers(0, 256, (rows, *size, 3)).astype(np.uint8),
        "labels": labels,
    }
    if with_sizes:
        batch["sizes"] = rng.integers(9, 33, (rows, 2)).astype(np.int32)
        for row, (h, w) in enumerate(batch["sizes"]):
            labels[row, h:], labels[row, :, w:] = 255, 255
    return batch


def make_state(model, optimizer=None, score_scale=0.0):
    variables = training.init_variables(model, seed=0)
    if score_scale:
        kernel = variables["params"]["score_fr"]["kernel"]
        noise = score_scale * jax.random.normal(jax.random.key(1), kernel.shape)
        variables["params"]["score_fr"]["kernel"] = noise
    optimizer = optimizer or optax.sgd(0.05, momentum=0.9)
    return optimizer, training.create_state(variables, optimizer)


def train(model, num_devices, batches, accumulate=1, **settings):
    devices = jax.devices()[:num_devices]
    optimizer, state = make_state(model, score_scale=0.1)
    step = parallel.data_parallel(
        training.train_step,
        devices,
        donate=(0,),
        model=model,
        optimizer=optimizer,
        seed=7,
        accumulate=accumulate,
        axis_name=parallel.AXIS,
        **settings,
    )
    state = parallel.replicate(state, devices)
    losses = []
    for batch in batches:
        state, values = step(state, parallel.shard_batch(batch, devices, accumulate))
        losses.append(float(values["loss"][0]))
    return parallel.unreplicate(state), losses


def distance(a, b):
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(
        float(np.max(np.abs(x - y)) / max(1, np.max(np.abs(x)))) for x, y in leaves
    )


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
@pytest.mark.parametrize(
    "reduction", ("mean", pytest.param("sum", marks=pytest.mark.slow))
)
def test_eight_devices_equal_one(reduction):
    model = tiny(batch_norm=True, dropout_rate=0.5, axis_name=parallel.AXIS)
    batches = [make_batch(8, seed=s, with_sizes=True) for s in range(5)]
    options = LossOptions(reduction=reduction, pixel_probability=0.7)
    settings = {"loss": CrossEntropy(options)}
    if reduction == "sum":
        batches = batches[:2]  # Unnormalised gradients are large at this rate.
    one, losses_one = train(model, 1, batches, **settings)
    eight, losses_eight = train(model, 8, batches, **settings)
    np.testing.assert_allclose(losses_one, losses_eight, rtol=1e-4)
    if reduction == "mean":
        assert distance(one.params, eight.params) < 1e-5
        assert distance(one.batch_stats, eight.batch_stats) < 1e-5


def of_regions(**options):
    options = LossOptions(axis_name=parallel.AXIS, **options)
    return WeightedSum(
        (
            (1.0, CrossEntropy(options)),
            (0.5, Dice(options)),
            (0.2, Lovasz(options)),
        )
    )


@pytest.mark.long
def test_losses_of_regions_see_the_whole_batch():
    model = tiny(dropout_rate=0.0)
    batch = [make_batch(4, with_sizes=True)]
    one, loss_of_one = train(model, 1, batch, loss=of_regions())
    four, loss_of_four = train(model, 4, batch, loss=of_regions())
    np.testing.assert_allclose(loss_of_one, loss_of_four, rtol=1e-6)
    assert distance(one.params, four.params) < 1e-6


@pytest.mark.slow
def test_losses_of_images_add_up_over_micro_batches():
    model = tiny(dropout_rate=0.0)
    options = LossOptions(axis_name=parallel.AXIS, per_image=True)
    loss = WeightedSum(((1.0, Dice(options)), (1.0, Lovasz(options))))
    batch = [make_batch(4)]
    whole, (loss_of_whole,) = train(model, 1, batch, loss=loss)
    halves, (loss_of_halves,) = train(model, 2, batch, accumulate=2, loss=loss)
    assert loss_of_halves == pytest.approx(loss_of_whole, rel=1e-6)
    assert distance(whole.params, halves.params) < 1e-6


class Scores(nn.Module):
    """A convolution and BatchNorm, which need nothing of what networks are."""

    extra_inputs = ()

    @nn.compact
    def __call__(self, images, sizes, *, train, example_ids):
        x = layers.BatchNorm(axis_name=parallel.AXIS)(images, sizes, train=train)
        return layers.Conv(NUM_CLASSES, 3, pad=1)(x)


SHARED = LossOptions(axis_name=parallel.AXIS)


@pytest.mark.long
@pytest.mark.parametrize(
    ("loss", "accumulate"), ((Dice(SHARED), 1), (CrossEntropy(), 2))
)
def test_within_shard_map_a_step_is_that_of_pmap(loss, accumulate):
    """Where what varies is checked, and gradients of what does not are sums already."""
    model, batch = Scores(), make_batch(rows=4, size=(4, 5))
    batch["labels"][:, 2] = np.arange(4)[:, None] % NUM_CLASSES
    images = preprocessing.preprocess(jnp.asarray(batch["image"]))
    variables = jax.vmap(
        lambda x: model.init(jax.random.key(0), x, None, train=False, example_ids=None),
        axis_name=parallel.AXIS,
    )(images[None])
    optimizer = optax.sgd(0.1)
    state = training.create_state(jax.tree.map(lambda x: x[0], variables), optimizer)
    step = functools.partial(
        training.train_step,
        model=model,
        optimizer=optimizer,
        seed=0,
        loss=loss,
        accumulate=accumulate,
        axis_name=parallel.AXIS,
    )
    mesh = Mesh(np.asarray(jax.devices()[:2]), (parallel.AXIS,))
    whole, rows = PartitionSpec(), PartitionSpec(parallel.AXIS)
    checked, as_pmap = (
        jax.jit(jax.shard_map(step, mesh=mesh, in_specs=(whole, rows), out_specs=whole,
                              check_vma=check))(state, batch)
        for check in (True, False)
    )  # fmt: skip
    assert distance(checked[0].params, state.params) > 1e-3
    assert distance(checked[0].params, as_pmap[0].params) < 1e-6
    assert distance(checked[0].batch_stats, as_pmap[0].batch_stats) < 1e-6
    assert distance(checked[1], as_pmap[1]) < 1e-5


def test_a_loss_over_other_devices_is_refused():
    model = tiny(dropout_rate=0.0)
    optimizer, state = make_state(model)
    with pytest.raises(ValueError, match="Dice sums over axis_name='batch', and "):
        training.train_step(
            state,
            make_batch(1),
            model=model,
            optimizer=optimizer,
            seed=0,
            loss=of_regions(),
        )


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
def test_accumulation_does_not_depend_on_the_number_of_devices():
    model = tiny(batch_norm=True, axis_name=parallel.AXIS)
    batches = [make_batch(8, seed=s) for s in range(2)]
    one, _ = train(model, 1, batches, accumulate=2)
    four, _ = train(model, 4, batches, accumulate=2)
    assert distance(one.params, four.params) < 1e-5


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
def test_accumulated_sums_are_the_mean_of_the_micro_batches():
    # With a sum over pixels divided by the images, two halves average to the whole.
    model = tiny(dropout_rate=0.0)
    batch = [make_batch(4)]
    whole, (loss,) = train(model, 1, batch, loss=SUM)
    halves, (loss_of_halves,) = train(model, 1, batch, accumulate=2, loss=SUM)
    assert loss_of_halves == pytest.approx(loss, rel=1e-5)
    scale = max(float(np.max(np.abs(x))) for x in jax.tree.leaves(whole.params))
    assert distance(whole.params, halves.params) < 1e-5 * scale


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
@pytest.mark.parametrize(
    ("upsampling", "loss", "fuses"),
    (
        ("learned_2x", SUM, True),
        ("learned", SUM, False),
        ("fixed", CrossEntropy(LossOptions(label_shrink=2)), False),
        ("fixed", WeightedSum(((1.0, CrossEntropy()), (0.5, Dice()))), False),
    ),
)
def test_a_step_is_the_same_where_logits_are_made_in_its_loss(upsampling, loss, fuses):
    model = models.create(
        "fcn32s", 5, width=1 / 32, fc_features=64, padding="same", upsampling=upsampling
    )
    optimizer, state = make_state(model, score_scale=0.1)
    batch = make_batch(2, with_sizes=True)

    def stepped(fused):
        with choices.using(choices.Choices(fused_upsampling=fused)):
            step = functools.partial(
                training.train_step,
                model=model,
                optimizer=optimizer,
                seed=0,
                loss=loss,
            )
            lowered = jax.jit(lambda *given: step(*given)).lower(state, batch)
        return lowered.as_text(), lowered.compile()(state, batch)

    (whole, expected), (fused, found) = stepped(False), stepped(True)
    logits = "tensor<2x32x32x5xf32>"
    assert logits in whole
    assert (logits not in fused) == fuses
    chex.assert_trees_all_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
def test_the_first_loss_of_a_fresh_net_is_the_log_of_the_classes():
    model = tiny()
    optimizer, state = make_state(model)
    batch = {name: jnp.asarray(x) for name, x in make_batch(2).items()}
    step = functools.partial(
        training.train_step, model=model, optimizer=optimizer, seed=0
    )
    state, values = jax.jit(step)(state, batch)
    assert float(values["loss"]) == pytest.approx(np.log(NUM_CLASSES), rel=1e-4)
    assert int(state.step) == 1
    assert float(values["grad_norm"]) > 0


@pytest.mark.usefixtures("shallow_nets")
def test_dropout_differs_from_step_to_step_and_from_seed_to_seed():
    model = tiny(dropout_rate=0.5)
    optimizer, state = make_state(model, score_scale=0.1)
    batch = {name: jnp.asarray(x) for name, x in make_batch(2).items()}

    @jax.jit
    def loss(step, seed):
        state_then = state.replace(step=step)
        settings = {"model": model, "optimizer": optimizer, "seed": seed}
        return training.train_step(state_then, batch, **settings)[1]["loss"]

    at_zero = loss(jnp.int32(0), jnp.int32(0))
    assert at_zero == loss(jnp.int32(0), jnp.int32(0))
    assert at_zero != loss(jnp.int32(1), jnp.int32(0))
    assert at_zero != loss(jnp.int32(0), jnp.int32(1))


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
def test_a_batch_of_void_changes_nothing():
    model = tiny()
    optimizer, state = make_state(model, optax.sgd(0.1), score_scale=0.1)
    batch = {name: jnp.asarray(x) for name, x in make_batch(2).items()}
    batch["labels"] = jnp.full_like(batch["labels"], 255)
    step = functools.partial(
        training.train_step, model=model, optimizer=optimizer, seed=0
    )
    after, values = jax.jit(step)(state, batch)
    assert (float(values["loss"]), float(values["grad_norm"])) == (0.0, 0.0)
    assert distance(after.params, state.params) == 0


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
def test_fcn32s_fixed_trains_the_last_layer_alone():
    model = models.create("fcn32s", NUM_CLASSES, width=1 / 16, fc_features=64)
    variables = training.init_variables(model, seed=0)
    frozen = ("conv*", "fc*")
    optimizer = optim.make_optimizer(
        "sgd",
        schedules.make_schedule("constant", learning_rate=0.1, num_steps=1),
        variables["params"],
        momentum=0.9,
        weight_decay=5e-4,
        bias_lr=2.0,
        bias_decay=0.0,
        frozen=frozen,
        clip_norm=None,
    )
    state = training.create_state(variables, optimizer)
    batch = {name: jnp.asarray(x) for name, x in make_batch(1).items()}

    def step(state, batch, frozen):
        return training.train_step(
            state, batch, model=model, optimizer=optimizer, seed=0, frozen=frozen
        )

    compiled = {
        counted: jax.jit(step, static_argnums=2).lower(state, batch, counted).compile()
        for counted in ((), frozen)
    }
    after, values = compiled[frozen](state, batch)
    for name in state.params:
        moved = distance(state.params[name], after.params[name])
        assert (moved > 0) == (name == "score_fr"), name
    # From the update itself: Caffe's rule, v = rate * multiplier * (g + decay * w).
    moved = jax.tree.map(jnp.subtract, state.params, after.params)["score_fr"]
    kernel = moved["kernel"] / 0.1 - 5e-4 * state.params["score_fr"]["kernel"]
    norm = np.sqrt(np.sum(kernel**2) + np.sum((moved["bias"] / 0.2) ** 2))
    assert float(values["grad_norm"]) == pytest.approx(norm, rel=1e-4)
    # Then nobody needs the gradients of the trunk, which are most of the work.
    flops = {counted: c.cost_analysis()["flops"] for counted, c in compiled.items()}
    assert flops[frozen] < flops[()] / 2


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
@pytest.mark.parametrize("platform", ("cuda", "tpu"))
def test_the_steps_lower_for_accelerators(platform):
    model = tiny(batch_norm=True)
    optimizer, state = make_state(model)
    batch = {name: jnp.asarray(x) for name, x in make_batch(2, with_sizes=True).items()}

    def step(state, batch):
        return training.train_step(
            state, batch, model=model, optimizer=optimizer, seed=0
        )

    leaves, structure = jax.tree.flatten((state, batch))

    def flat_step(*leaves):
        return jax.tree.leaves(step(*jax.tree.unflatten(structure, leaves)))

    exported = jax.export.export(jax.jit(flat_step), platforms=[platform])(*leaves)
    assert exported.platforms == (platform,)


def test_the_parameter_table_counts_everything():
    params = {"fc7": {"bias": np.zeros(3), "kernel": np.zeros((1, 1, 2, 3))}}
    lines = training.param_table(params).splitlines()
    assert lines[1].split() == ["fc7/kernel", "1x1x2x3", "6"]
    assert lines[-1].split() == ["total", "9"]


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
def test_running_averages_are_those_of_the_batch():
    """After a step: momentum of the old ones, and the rest of the batch's own."""
    model = tiny(batch_norm=True, bn_momentum=0.75, dropout_rate=0.0)
    optimizer, state = make_state(model)
    batch = make_batch(rows=2)
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    statistics = functools.partial(training.batch_statistics, model=model)
    of_batch = jax.jit(statistics)(variables, batch)
    step = functools.partial(
        training.train_step, model=model, optimizer=optimizer, seed=0
    )
    after, _ = jax.jit(step)(state, batch)
    for name, layer in state.batch_stats.items():
        for part, old in layer.items():
            expected = 0.75 * old + 0.25 * of_batch[name][part]
            np.testing.assert_allclose(
                after.batch_stats[name][part], expected, rtol=1e-5, atol=1e-6
            )
            assert np.abs(expected - old).max() > 1e-3, name


class Drawn:
    """A loss that is what is drawn for each row."""

    reduction = "sum"

    def __call__(self, outputs, batch, keys):
        drawn = jax.vmap(jax.random.uniform)(keys)
        one = jnp.ones(())
        return (losses.PixelLoss(drawn.sum() + 0 * outputs.sum(), one, one),)


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
def test_every_row_draws_by_seed_step_and_its_place():
    model = tiny(dropout_rate=0.0)
    optimizer, state = make_state(model)
    rows, seed, step = 3, 7, 5
    state = state.replace(step=jnp.asarray(step, state.step.dtype))
    take = functools.partial(
        training.train_step, model=model, optimizer=optimizer, seed=seed, loss=Drawn()
    )
    _, found = jax.jit(take)(state, make_batch(rows=rows))
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), step), 1)
    drawn = [jax.random.uniform(jax.random.fold_in(key, row)) for row in range(rows)]
    assert len({float(x) for x in drawn}) == rows
    assert float(found["loss"]) == pytest.approx(float(sum(drawn)) / rows, rel=1e-6)
