"""First, short form of this module."""

import jax
import optax


def make_schedule(name, *, learning_rate, num_steps, **options):
    if name == "constant":
        return optax.constant_schedule(learning_rate)
    if name == "one_cycle":
        return optax.cosine_onecycle_schedule(num_steps, learning_rate, **options)
    raise ValueError(name)


def make_optimizer(name, schedule, params, *, momentum, weight_decay, bias_lr, bias_decay, frozen, clip_norm):
    if name == "adamw":
        mask = jax.tree.map(lambda x: x.ndim > 1, params)
        return optax.adamw(schedule, weight_decay=weight_decay, mask=mask)
    return optax.sgd(schedule, momentum)
