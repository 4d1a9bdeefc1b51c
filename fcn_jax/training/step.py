"""One step of training and one of evaluation, as pure functions of arrays.

Both are written per replica: they see the part of the batch that one device holds,
and reach the other devices only through `axis_name` (None: there are no others).
`fcn_jax.parallel` wraps them; nothing else knows how many devices there are.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax import struct

from fcn_jax.evaluation import metrics
from fcn_jax.models import inputs
from fcn_jax.ops import convolution
from fcn_jax.preprocessing import CAFFE, Preprocessing, preprocess
from fcn_jax.training import losses, optim

Array = jax.Array
Batch = Mapping[str, Array]

NOT_A_CLASS = 255  # Predicted where scores are NaN.


class TrainState(struct.PyTreeNode):
    """All that a run carries from one step to the next.

    Attributes:
        step: Optimiser updates done so far, int32 scalar.
        params: Parameters, float32.
        batch_stats: Running averages of BatchNorm; empty without BatchNorm.
        opt_state: State of the optimiser.
    """

    step: Array
    params: Any
    batch_stats: Any
    opt_state: Any

    @property
    def variables(self) -> dict[str, Any]:
        """What `model.apply` takes."""
        if not self.batch_stats:
            return {"params": self.params}
        return {"params": self.params, "batch_stats": self.batch_stats}


def init_variables(model: nn.Module, seed: int) -> dict[str, Any]:
    """Fresh variables of a model, the same for the same seed on any machine size."""
    image = inputs.example_image(model, least=32)
    init = jax.jit(lambda key: model.init(key, image, train=False))
    return init(jax.random.key(seed))


def create_state(
    variables: Mapping[str, Any], optimizer: optax.GradientTransformation
) -> TrainState:
    """The state before the first step: `variables` and a fresh optimiser state."""
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
    reduction: str = "mean",
    preprocessing: Preprocessing = CAFFE,
    ignore_label: int = 255,
    class_weights: tuple[float, ...] | None = None,
    pixel_probability: float = 1.0,
    frozen: tuple[str, ...] = (),
    accumulate: int = 1,
    axis_name: str | None = None,
) -> tuple[TrainState, dict[str, Array]]:
    """One optimiser update.

    Randomness comes from (seed, step, row of the global batch) alone, so that the
    result does not depend on how the rows are spread over devices.

    Args:
        state: The state before the step.
        batch: `image` uint8 RGB [B, H, W, 3], `labels` integer [B, H, W], and, where
            the images are smaller than the arrays, `sizes` int32 [B, 2]; this
            device's rows, one micro-batch of B / accumulate rows after the other.
        model: A network of `fcn_jax.models`.
        optimizer: An optax transformation; see `fcn_jax.training.optim`.
        seed: Seed of dropout and of pixel sampling.
        reduction: "sum" (over pixels, divided by the number of images, as in the
            FCN release) or "mean" (over the pixels that count).
        preprocessing: What turns uint8 RGB into the input of the network.
        ignore_label: The label that counts nowhere.
        class_weights: Weight of each class in the loss; None: all 1.
        pixel_probability: Probability with which a pixel takes part in the loss
            (Long et al. 2015, sec. 4.4, "patch sampling is loss sampling").
        frozen: Patterns of the layers that `optimizer` keeps as they are; their
            gradients count nowhere, and need not be computed.
        accumulate: Micro-batches whose gradients are averaged into one update.
        axis_name: Name of the mapped device axis.

    Returns:
        The state after the step, and float32 scalars, equal on all devices: `loss`
        and `grad_norm` (L2 norm of the gradient of all that learns).
    """
    step_key = jax.random.fold_in(jax.random.key(seed), state.step)
    weights = None if class_weights is None else jnp.asarray(class_weights, jnp.float32)

    def loss_fn(params, batch_stats, micro, rows):
        variables = {"params": params}
        if batch_stats:
            variables["batch_stats"] = batch_stats
        logits, updates = model.apply(
            variables,
            preprocess(micro["image"], preprocessing),
            micro.get("sizes"),
            train=True,
            example_ids=rows,
            rngs={"dropout": step_key},
            mutable=["batch_stats"],
        )
        labels = micro["labels"].astype(jnp.int32)
        keep = None
        if pixel_probability < 1:
            sampling_key = jax.random.fold_in(step_key, 1)
            keys = jax.vmap(lambda row: jax.random.fold_in(sampling_key, row))(rows)
            keep = losses.sample_pixels(keys, labels, pixel_probability)
        pixel_loss = losses.cross_entropy(
            logits, labels, ignore_label=ignore_label, class_weights=weights, keep=keep
        )
        # The denominators are those of the whole micro-batch: a mean of the
        # devices' own means would weigh images with much void too heavily.
        loss = losses.reduce_loss(
            pixel_loss.total,
            _sum_over_devices(pixel_loss.weight, axis_name),
            labels.shape[0] * _num_devices(axis_name),
            reduction,
        )
        return loss, updates.get("batch_stats", batch_stats)

    def micro_step(carry, numbered):
        grads_so_far, batch_stats, loss_so_far = carry
        index, micro = numbered
        rows = _global_rows(index, micro["labels"].shape[0], axis_name)
        with convolution.fast_gradients(in_loop=accumulate > 1):
            (loss, batch_stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(
                state.params, batch_stats, micro, rows
            )
        grads = jax.tree.map(jnp.add, grads_so_far, grads)
        return (grads, batch_stats, loss_so_far + loss), None

    carry = (
        jax.tree.map(jnp.zeros_like, state.params),
        state.batch_stats,
        jnp.zeros((), jnp.float32),
    )
    if accumulate == 1:
        carry, _ = micro_step(carry, (jnp.zeros((), jnp.int32), batch))
    else:
        micro_batches = jax.tree.map(
            lambda x: x.reshape(accumulate, x.shape[0] // accumulate, *x.shape[1:]),
            dict(batch),
        )
        indices = jnp.arange(accumulate, dtype=jnp.int32)
        carry, _ = jax.lax.scan(micro_step, carry, (indices, micro_batches))
    grads, batch_stats, loss = carry
    grads = jax.tree.map(lambda g: _sum_over_devices(g, axis_name) / accumulate, grads)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    new_state = TrainState(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        batch_stats=batch_stats,
        opt_state=opt_state,
    )
    return new_state, {
        "loss": _sum_over_devices(loss, axis_name) / accumulate,
        "grad_norm": optim.gradient_norm(grads, frozen),
    }


def batch_statistics(
    variables: Mapping[str, Any],
    batch: Batch,
    *,
    model: nn.Module,
    preprocessing: Preprocessing = CAFFE,
    axis_name: str | None = None,
) -> Any:
    """The statistics that BatchNorm takes of one batch, at its current weights.

    The release of DeconvNet averages them over 501 batches once training is done,
    instead of keeping running averages (`evaluation.recompute_batch_stats`).

    Args:
        variables: What `model.apply` takes.
        batch: `image` uint8 RGB [B, H, W, 3] and, where the images are smaller than
            the arrays, `sizes` int32 [B, 2]; this device's rows.
        model: A network of `fcn_jax.models` with BatchNorm.
        preprocessing: What turns uint8 RGB into the input of the network.
        axis_name: Name of the mapped device axis.

    Returns:
        A tree like `variables["batch_stats"]`, equal on all devices.

    References:
        HyeonwooNoh/DeconvNet, BN_make_INFERENCE_script.py.
    """
    # The batch takes the place of the running averages; nothing is dropped. A CRF
    # behind the network has no statistics.
    model = model.network.with_encoder(
        bn_momentum=0.0,
        dropout_rate=0.0,
        freeze_batch_norm=False,
        axis_name=axis_name,
    )
    _, updates = model.apply(
        variables,
        preprocess(batch["image"], preprocessing),
        batch.get("sizes"),
        train=True,
        mutable=["batch_stats"],
    )
    return updates["batch_stats"]


def eval_step(
    variables: Mapping[str, Any],
    confusion: metrics.Confusion,
    batch: Batch,
    *,
    log_probs: Callable[[Mapping[str, Any], Batch], Array],
    num_classes: int,
    ignore_label: int = 255,
) -> tuple[metrics.Confusion, Array]:
    """Predict a batch and add it to this device's confusion matrix.

    Args:
        variables: What `model.apply` takes.
        confusion: The counts of the batches before.
        batch: What `log_probs` needs and `labels`, integer [B, H, W]; rows that only
            fill up the batch are void.
        log_probs: Function of (variables, batch) -> scores [B, H, W, C]; see
            `fcn_jax.inference`.
        num_classes: Number of classes, C.
        ignore_label: The label that counts nowhere.

    Returns:
        The counts with this batch, and the predicted classes, uint8 [B, H, W]; where
        a score is NaN, `NOT_A_CLASS`, which is counted nowhere.
    """
    scores = log_probs(variables, batch)
    pred = jnp.argmax(scores, axis=-1).astype(jnp.int32)
    broken = jnp.any(jnp.isnan(scores), axis=-1)
    pred = jnp.where(broken, jnp.int32(NOT_A_CLASS), pred)
    labels = batch["labels"].astype(jnp.int32)
    counts = metrics.confusion_matrix(labels, pred, num_classes, ignore_label)
    return confusion.add(counts), pred.astype(jnp.uint8)


def count_params(params: Any) -> int:
    """Number of values in a tree of parameters."""
    return sum(int(np.prod(x.shape)) for x in jax.tree.leaves(params))


def param_table(params: Any) -> str:
    """A line per parameter, name, shape and count, and the total, as text."""
    rows = [
        (_path_name(path), "x".join(map(str, x.shape)), int(np.prod(x.shape)))
        for path, x in jax.tree_util.tree_flatten_with_path(params)[0]
    ]
    width = max((len(name) for name, _, _ in rows), default=4)
    lines = [f"{name:<{width}}  {shape:>16}  {n:>13,}" for name, shape, n in rows]
    lines.append(f"{'total':<{width}}  {'':>16}  {count_params(params):>13,}")
    return "\n".join(lines)


def _path_name(path: tuple) -> str:
    return "/".join(str(getattr(entry, "key", entry)) for entry in path)


def _sum_over_devices(x: Array, axis_name: str | None) -> Array:
    return x if axis_name is None else jax.lax.psum(x, axis_name)


def _num_devices(axis_name: str | None) -> int:
    return 1 if axis_name is None else jax.lax.axis_size(axis_name)


def _global_rows(micro_index: Array, rows: int, axis_name: str | None) -> Array:
    """Where in the global batch the rows of this device's micro-batch stand."""
    device = 0 if axis_name is None else jax.lax.axis_index(axis_name)
    first = (micro_index * _num_devices(axis_name) + device) * rows
    return (first + jnp.arange(rows, dtype=jnp.int32)).astype(jnp.uint32)
