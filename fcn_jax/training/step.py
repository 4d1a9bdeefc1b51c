"""One step of training, as a pure function of arrays.

It is written per replica: it sees the part of the batch that one device holds,
and reaches the other devices only through `axis_name` (None: there are no others).
`fcn_jax.parallel` wraps it; nothing else knows how many devices there are.
"""

from collections.abc import Callable, Sequence
from typing import cast

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax import struct
from flax.typing import Collection, VariableDict

from fcn_jax.data.batch import BOX_KEYS, Batch
from fcn_jax.models import inputs
from fcn_jax.models.fcn import FCN
from fcn_jax.ops import choices, convolution
from fcn_jax.preprocessing import CAFFE, Preprocessing, preprocess
from fcn_jax.storage import trees
from fcn_jax.storage.trees import Tree
from fcn_jax.training import losses, optim, replicas
from fcn_jax.training.losses import CrossEntropy, Loss

Array = jax.Array


class TrainState(struct.PyTreeNode):
    """All that a run carries from one step to the next.

    Attributes:
        step: Optimiser updates done so far, int32 scalar.
        params: Parameters, float32.
        batch_stats: Running averages of BatchNorm; empty without BatchNorm.
        opt_state: State of the optimiser.
    """

    step: Array
    params: Collection
    batch_stats: Collection
    opt_state: optax.OptState

    @property
    def variables(self) -> VariableDict:
        """What `model.apply` takes."""
        if not self.batch_stats:
            return {"params": self.params}
        return {"params": self.params, "batch_stats": self.batch_stats}


def init_variables(model: nn.Module, seed: int) -> VariableDict:
    """Fresh variables of a model, the same for the same seed on any machine size.

    Args:
        model: A network of `fcn_jax.models`.
        seed: Of the initial values.
    """
    image = inputs.example_image(model, least=32)
    init = jax.jit(lambda key: model.init(key, image, train=False))
    return init(jax.random.key(seed))


def create_state(
    variables: VariableDict, optimizer: optax.GradientTransformation
) -> TrainState:
    """The state before the first step: `variables` and a fresh optimiser state.

    Args:
        variables: What `model.init` returned.
        optimizer: An optax transformation.
    """
    params = variables["params"]
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=variables.get("batch_stats", {}),
        opt_state=jax.jit(optimizer.init)(params),
    )


def train_step(
    state: TrainState,
    batch: Batch,
    *,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    seed: int,
    loss: Loss = CrossEntropy(),  # noqa: B008  It is immutable.
    preprocessing: Preprocessing = CAFFE,
    frozen: tuple[str, ...] = (),
    accumulate: int = 1,
    axis_name: str | None = None,
) -> tuple[TrainState, dict[str, Array]]:
    """One optimiser update.

    Randomness comes from (seed, step, row of the global batch) alone, so that the
    result does not depend on how the rows are spread over devices.

    Args:
        state: The state before the step.
        batch: `image` uint8 [B, H, W, channels], what the loss needs (`labels` integer
            [B, H, W], by head where there are several), and, where the images are
            smaller than the arrays, `sizes` int32 [B, 2]; of networks of boxes also
            `data.batch.BOX_KEYS`, and the `extra_inputs` of the model; this device's
            rows, one micro-batch of B / accumulate rows after the other.
        model: A network of `fcn_jax.models`.
        optimizer: An optax transformation; see `fcn_jax.training.optim`.
        seed: Seed of dropout and of pixel sampling.
        loss: Of the network's outputs and the batch; see `fcn_jax.training.losses`.
        preprocessing: What turns images into the input of the network.
        frozen: Patterns of the layers that `optimizer` keeps as they are; their
            gradients are ignored, and need not be computed.
        accumulate: Micro-batches whose gradients are averaged into one update.
        axis_name: Name of the mapped device axis.

    Returns:
        The state after the step, and float32 scalars, equal on all devices: `loss`
        and `grad_norm` (L2 norm of the gradient of all that learns).

    Raises:
        ValueError: If the loss sums over other devices than those of the axis.
    """
    losses.check_axis(loss, axis_name)
    inputs.assert_batch(batch["image"], batch.get("labels"), batch.get("sizes"))
    step_key = jax.random.fold_in(jax.random.key(seed), state.step)
    params = replicas.own(state.params, axis_name)

    def loss_fn(params: Collection, batch_stats: Collection, micro: Batch, rows: Array):
        variables = {"params": params}
        if batch_stats:
            variables["batch_stats"] = batch_stats
        outputs, updates = model.apply(
            variables,
            preprocess(micro["image"], preprocessing),
            micro.get("sizes"),
            train=True,
            example_ids=rows,
            rngs={"dropout": step_key},
            mutable=["batch_stats"],
            **{name: micro[name] for name in BOX_KEYS if name in micro},
            **inputs.extra_inputs(model, micro),
            **_unfinished(model, loss),
        )
        sampling_key = jax.random.fold_in(step_key, 1)
        keys = jax.vmap(lambda row: jax.random.fold_in(sampling_key, row))(rows)
        parts = loss(outputs, micro, keys)
        total = _reduced(parts, loss.reduction, rows.shape[0], axis_name)
        return total, updates.get("batch_stats", batch_stats)

    def micro_step(carry: tuple, numbered: tuple[Array, Batch]):
        grads_so_far, batch_stats, loss_so_far = carry
        index, micro = numbered
        rows = _global_rows(index, micro["image"].shape[0], axis_name)
        with convolution.fast_gradients(in_loop=accumulate > 1):
            (found, batch_stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(
                params, batch_stats, micro, rows
            )
        grads = jax.tree.map(jnp.add, grads_so_far, grads)
        return (grads, batch_stats, loss_so_far + found), None

    zeros = jax.tree.map(jnp.zeros_like, state.params), jnp.zeros((), jnp.float32)
    zeros = replicas.own(zeros, axis_name)
    carry = zeros[0], state.batch_stats, zeros[1]
    grads, batch_stats, total = _accumulated(micro_step, carry, batch, accumulate)
    grads = jax.tree.map(lambda g: _sum_over_devices(g, axis_name) / accumulate, grads)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    new_state = TrainState(
        step=state.step + 1,
        params=cast("Collection", optax.apply_updates(state.params, updates)),
        batch_stats=batch_stats,
        opt_state=opt_state,
    )
    return new_state, {
        "loss": _sum_over_devices(total, axis_name) / accumulate,
        "grad_norm": optim.gradient_norm(grads, frozen),
    }


def _unfinished(model: nn.Module, loss: Loss) -> inputs.Extra:
    """What asks a model for logits that are yet to be upsampled, where they are taken.

    A loss that takes all logits anyhow is not given them so.
    """
    taken = isinstance(loss, CrossEntropy) and loss.options.label_shrink == 1
    asked = taken and isinstance(model, FCN) and choices.current().fused_upsampling
    return {"whole": False} if asked else {}


def _reduced(
    parts: Sequence[losses.Part], reduction: str, rows: int, axis_name: str | None
):
    """The parts of a loss, each divided by its denominator, added."""
    # The denominators are those of the whole micro-batch: a mean of the devices' own
    # means would weigh images with much void too heavily.
    chex.assert_shape([x for part in parts for x in part], ())
    found = [
        part.share
        if isinstance(part, losses.SharedLoss)
        else losses.reduce_loss(
            part.total,
            _sum_over_devices(part.weight, axis_name),
            rows * _num_devices(axis_name),
            reduction,
        )
        for part in parts
    ]
    total = found[0]
    for part in found[1:]:
        total = total + part
    return total


def _accumulated(micro_step: Callable, carry: tuple, batch: Batch, accumulate: int):
    """Sums of gradients and losses over the micro-batches, and the last statistics."""
    if accumulate == 1:
        carry, _ = micro_step(carry, (jnp.zeros((), jnp.int32), batch))
        return carry
    micro_batches = jax.tree.map(
        lambda x: x.reshape(accumulate, x.shape[0] // accumulate, *x.shape[1:]),
        dict(batch),
    )
    indices = jnp.arange(accumulate, dtype=jnp.int32)
    carry, _ = jax.lax.scan(micro_step, carry, (indices, micro_batches))
    return carry


def batch_statistics(
    variables: VariableDict,
    batch: Batch,
    *,
    model: nn.Module,
    preprocessing: Preprocessing = CAFFE,
    axis_name: str | None = None,
) -> Collection:
    """The statistics that BatchNorm takes of one batch, at its current weights.

    The release of DeconvNet averages them over 501 batches once training is done,
    instead of keeping running averages (`batch_stats.recompute_batch_stats`). Layers
    that are frozen were trained with the averages that they have, and keep them.

    Args:
        variables: What `model.apply` takes.
        batch: `image` uint8 RGB [B, H, W, 3] and, where the images are smaller than
            the arrays, `sizes` int32 [B, 2]; this device's rows.
        model: A network of `fcn_jax.models` with BatchNorm.
        preprocessing: What turns uint8 RGB into the input of the network.
        axis_name: Name of the mapped device axis.

    Returns:
        A tree like `variables["batch_stats"]`, equal on all devices.

    Raises:
        ValueError: If all of its BatchNorm is frozen.

    References:
        HyeonwooNoh/DeconvNet, BN_make_INFERENCE_script.py.
    """
    if model.network.encoder.freeze_batch_norm is True:
        raise ValueError(
            "config.batch_stats_batches asks for statistics of BatchNorm, and "
            "config.model.freeze_batch_norm=True keeps those that the network was "
            "trained with; set config.batch_stats_batches=0."
        )
    # The batch takes the place of the running averages; nothing is dropped. A CRF
    # behind the network has no statistics.
    model = model.network.with_encoder(
        bn_momentum=0.0, dropout_rate=0.0, axis_name=axis_name
    )
    _, updates = model.apply(
        variables,
        preprocess(batch["image"], preprocessing),
        batch.get("sizes"),
        train=True,
        mutable=["batch_stats"],
    )
    return updates["batch_stats"]


def count_params(params: Tree) -> int:
    """Number of values in a tree of parameters."""
    return sum(int(np.prod(x.shape)) for x in jax.tree.leaves(params))


def param_table(params: Tree) -> str:
    """A line per parameter, name, shape and count, and the total, as text."""
    rows = [
        (name, "x".join(map(str, x.shape)), int(np.prod(x.shape)))
        for name, x in trees.leaves(params).items()
    ]
    width = max((len(name) for name, _, _ in rows), default=4)
    lines = [f"{name:<{width}}  {shape:>16}  {n:>13,}" for name, shape, n in rows]
    lines.append(f"{'total':<{width}}  {'':>16}  {count_params(params):>13,}")
    return "\n".join(lines)


def _sum_over_devices(x: Array, axis_name: str | None) -> Array:
    return x if axis_name is None else jax.lax.psum(x, axis_name)


def _num_devices(axis_name: str | None) -> int:
    return 1 if axis_name is None else jax.lax.axis_size(axis_name)


def _global_rows(micro_index: Array, rows: int, axis_name: str | None) -> Array:
    """Where in the global batch the rows of this device's micro-batch stand."""
    device = 0 if axis_name is None else jax.lax.axis_index(axis_name)
    first = (micro_index * _num_devices(axis_name) + device) * rows
    return (first + jnp.arange(rows, dtype=jnp.int32)).astype(jnp.uint32)
