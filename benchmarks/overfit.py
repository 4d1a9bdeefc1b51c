"""How soon each network overfits a few objects, from scratch.

python -m benchmarks.overfit              # 6 minutes on 2 cores
python -m benchmarks.overfit --smoke      # a few steps of a narrow net

Sixteen single objects of the built-in shapes (the first batch of
configs/shapes_deconvnet_stage1.py), 75 steps over the same sixteen. What a network does
not learn here it is slow to learn anywhere: nothing else is asked of it. DeconvNet by
two optimisers, by two starts of its decoder, and with the second's BatchNorm alone.
Prints JSON: the mean loss of every third of the steps, by network.
"""

import argparse
import functools
import json
import statistics
import sys

import jax

from benchmarks.common import machine
from configs import shapes_deconvnet_stage1
from fcn_jax import models, runtime, training
from fcn_jax.config import build, datasets
from fcn_jax.training import optim, schedules

IMAGES, STEPS, SEED = 16, 75, 0
_DECODER = {"padding": "same", "bn_epsilon": 1e-5}
_FCN = {"padding": "same", "batch_norm": True, "dropout_rate": 0.0}
# Optimiser, learning rate (the best of those tried: AdamW 1e-3 to 3e-2, SGD 0.03 to
# 0.3), network and its options.
NETWORKS = {
    "FCN-8s": ("adamw", 1e-3, "fcn8s", _FCN),
    "FCN-32s": ("adamw", 1e-3, "fcn32s", _FCN),
    "DeconvNet": ("adamw", 1e-2, "deconvnet", _DECODER),
    "DeconvNet, SGD": ("sgd", 3e-2, "deconvnet", _DECODER),
    "DeconvNet, decoder starts as an upsampling": (
        "adamw",
        1e-2,
        "deconvnet",
        _DECODER | {"decoder_start": "upsampling"},
    ),
    "DeconvNet, BatchNorm's biases start at 1": (
        "adamw",
        1e-2,
        "deconvnet",
        _DECODER | {"bn_shift": 1.0},
    ),
}


def learn(batch, config, network, num_steps):
    """The loss of every step."""
    optimizer_name, learning_rate, name, options = network
    model = models.create(
        name,
        config.model.num_classes,
        width=config.model.width,
        fc_features=config.model.fc_features,
        **options,
    )
    variables = training.init_variables(model, SEED)
    optimizer = optim.make_optimizer(
        optimizer_name,
        schedules.make_schedule(
            "one_cycle", learning_rate=learning_rate, num_steps=num_steps
        ),
        variables["params"],
        momentum=0.9,
        weight_decay=1e-2 if optimizer_name == "adamw" else 0.0,
    )
    state = training.create_state(variables, optimizer)
    step = jax.jit(
        functools.partial(
            training.train_step,
            model=model,
            optimizer=optimizer,
            seed=SEED,
            preprocessing=build.make_preprocessing(config),
        )
    )
    found = []
    for _ in range(num_steps):
        state, measured = step(state, batch)
        found.append(float(measured["loss"]))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a narrow net, 3 steps")
    arguments = parser.parse_args()
    runtime.prepare()
    config = shapes_deconvnet_stage1.get_config("smoke" if arguments.smoke else "full")
    config.batch_size = 2 if arguments.smoke else IMAGES
    num_steps = 3 if arguments.smoke else STEPS
    source = datasets.open_source(config, "train")
    batch = next(datasets.train_batches(config, source, 0))
    batch = {name: batch[name] for name in ("image", "labels")}
    report = {}
    for label, network in NETWORKS.items():
        found = learn(batch, config, network, num_steps)
        third = num_steps // 3
        report[label] = [
            round(statistics.mean(found[start : start + third]), 3)
            for start in range(0, num_steps, third)
        ]
        print(label, report[label], file=sys.stderr, flush=True)
    settings = {"images": config.batch_size, "steps": num_steps, "seed": SEED}
    print(json.dumps({"loss": report, **settings, **machine.describe()}, indent=2))


if __name__ == "__main__":
    main()
