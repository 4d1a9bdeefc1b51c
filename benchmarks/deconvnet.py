"""DeconvNet here and in PyTorch: a training step, and inference on 50 proposals.

python benchmarks/deconvnet.py                             # a quarter of the width
python benchmarks/deconvnet.py --width 1 --batch 2 --repeats 3
python benchmarks/deconvnet.py --task inference --boxes 10 25 50 100

Both sides have the same layers, batch and precision; PyTorch runs eagerly,
channels_last. The two are timed in turns in one run. Prints JSON: medians in seconds,
their ratio (ours / PyTorch's, the median of the pairs), and the peak memory of the
process after each task (of both sides together; --only ours or pytorch for one alone).
"""

import argparse
import functools
import importlib.util
import json
import resource
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

import fcn_jax
import machine
from fcn_jax import instances, optim, runtime, training

ENCODER = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
DECODER = ((512,) * 3, (512, 512, 256), (256, 256, 128), (128, 64), (64, 64))
FC, CLASSES, SIDE = 4096, 21, 224
IMAGE = (375, 500)


def torch_net(width):
    """The same net in PyTorch, channels_last."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    def scaled(channels):
        return max(1, round(channels * width))

    class Block(nn.Sequential):
        def __init__(self, layer, features):
            super().__init__(layer, nn.BatchNorm2d(features), nn.ReLU(inplace=True))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            channels, self.encoder, self.decoder = 3, nn.ModuleList(), nn.ModuleList()
            for stage in ENCODER:
                blocks = []
                for features in map(scaled, stage):
                    conv = nn.Conv2d(channels, features, 3, padding=1)
                    blocks.append(Block(conv, features))
                    channels = features
                self.encoder.append(nn.Sequential(*blocks))
            fc = scaled(FC)
            self.middle = nn.Sequential(
                Block(nn.Conv2d(channels, fc, 7), fc),
                Block(nn.Conv2d(fc, fc, 1), fc),
                Block(nn.ConvTranspose2d(fc, channels, 7), channels),
            )
            for stage in DECODER:
                blocks = []
                for features in map(scaled, stage):
                    deconv = nn.ConvTranspose2d(channels, features, 3, padding=1)
                    blocks.append(Block(deconv, features))
                    channels = features
                self.decoder.append(nn.Sequential(*blocks))
            self.score = nn.Conv2d(channels, CLASSES, 1)

        def forward(self, x):
            indices = []
            for stage in self.encoder:
                x = stage(x)
                x, found = F.max_pool2d(x, 2, return_indices=True)
                indices.append(found)
            x = self.middle(x)
            for stage, found in zip(self.decoder, reversed(indices), strict=True):
                x = stage(F.max_unpool2d(x, found, 2))
            return self.score(x)

    return Net().to(torch_device(), memory_format=torch.channels_last)


def torch_device():
    """That of JAX: both sides compute on one device."""
    import torch

    return "cuda" if machine.on_gpu() and torch.cuda.is_available() else "cpu"


def torch_training(arguments, image, labels):
    """A function that does one step in PyTorch."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(arguments.threads)
    net = torch_net(arguments.width).train()
    optimizer = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9)
    x = torch.tensor(image).permute(0, 3, 1, 2).float() - 116.0
    x = x.to(torch_device()).contiguous(memory_format=torch.channels_last)
    y = torch.tensor(labels.astype(np.int64)).to(torch_device())

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), y, ignore_index=255).backward()
        optimizer.step()
        if torch_device() == "cuda":
            torch.cuda.synchronize()

    return step


def torch_inference(arguments, image, boxes):
    """A function that looks at all boxes of an image, some at a time, in PyTorch."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(arguments.threads)
    net = torch_net(arguments.width).eval()
    x = torch.tensor(image).permute(2, 0, 1)[None].float().to(torch_device())
    resize = functools.partial(F.interpolate, mode="bilinear", antialias=True)

    @torch.no_grad()
    def run():
        canvas = torch.zeros(CLASSES, *image.shape[:2], device=torch_device())
        for first in range(0, len(boxes), arguments.boxes_at_once):
            these = boxes[first : first + arguments.boxes_at_once]
            crops = [resize(x[:, :, a:c, b:d], (SIDE, SIDE)) for a, b, c, d in these]
            crops = torch.cat(crops).round() - 116.0
            scores = net(crops.contiguous(memory_format=torch.channels_last))
            for score, (a, b, c, d) in zip(scores, these, strict=True):
                placed = resize(score[None], (c - a, d - b))[0]
                canvas[:, a:c, b:d] = torch.maximum(canvas[:, a:c, b:d], placed)
        return canvas.argmax(0).cpu()

    return run


def our_model(arguments):
    model = fcn_jax.create("deconvnet", CLASSES, width=arguments.width)
    return model, training.init_variables(model, 0)


def our_training(arguments, image, labels):
    """A function that does one step of ours."""
    model, variables = our_model(arguments)
    optimizer = optim.caffe_sgd(1e-3, 0.9)
    step_fn = jax.jit(
        functools.partial(
            training.train_step, model=model, optimizer=optimizer, seed=0
        ),
        donate_argnums=0,
    )
    batch = {"image": jnp.asarray(image), "labels": jnp.asarray(labels)}
    holder = [training.create_state(variables, optimizer)]

    def step():
        holder[0], metrics = step_fn(holder[0], batch)
        jax.block_until_ready((holder[0], metrics))

    return step


def our_inference(arguments, image, boxes):
    """A function that looks at all boxes of an image, some at a time."""
    model, variables = our_model(arguments)
    predict = jax.jit(
        lambda variables, batch: instances.scores(
            variables,
            batch,
            model=model,
            variant="released",
            boxes_at_once=arguments.boxes_at_once,
        ).argmax(-1)
    )
    batch = {
        "image": jnp.asarray(image)[None],
        "boxes": jnp.asarray(boxes)[None],
        "num_boxes": jnp.array([len(boxes)], jnp.int32),
    }

    def run():
        jax.block_until_ready(predict(variables, batch))

    return run


def random_boxes(count):
    """Boxes with sides of 112 pixels or more, as the release looks at."""
    rng = np.random.default_rng(0)
    height, width = rng.integers(112, IMAGE[0], count), rng.integers(112, 400, count)
    row, column = rng.integers(0, IMAGE[0] - height), rng.integers(0, IMAGE[1] - width)
    return np.stack([row, column, row + height, column + width], 1).astype(np.int32)


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(makers, arguments, *data):
    calls = {name: make(arguments, *data) for name, make in makers.items()}
    for call in calls.values():
        call()
    rounds = [
        {name: seconds(call) for name, call in calls.items()}
        for _ in range(arguments.repeats)
    ]
    report = {
        f"seconds_{name}": statistics.median(times[name] for times in rounds)
        for name in calls
    }
    if len(calls) == 2:
        report["ratio"] = statistics.median(t["ours"] / t["pytorch"] for t in rounds)
    report["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=("training", "inference"), nargs="+")
    parser.add_argument("--only", choices=("ours", "pytorch"))
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--batch", type=int, default=4, help="images of a step")
    parser.add_argument("--boxes", type=int, nargs="+", default=[50])
    parser.add_argument("--boxes-at-once", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.width, arguments.batch, arguments.boxes = 1 / 64, 1, [2]
        arguments.repeats = 1
    runtime.prepare()
    tasks = arguments.task or ("training", "inference")
    sides = {"training": {"ours": our_training}, "inference": {"ours": our_inference}}
    if importlib.util.find_spec("torch"):
        sides["training"]["pytorch"] = torch_training
        sides["inference"]["pytorch"] = torch_inference
    if arguments.only:
        sides = {t: {arguments.only: s[arguments.only]} for t, s in sides.items()}
    rng = np.random.default_rng(0)
    report = vars(arguments) | machine.describe()
    if "training" in tasks:
        shape = (arguments.batch, SIDE, SIDE)
        image = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
        labels = rng.integers(0, CLASSES, shape).astype(np.uint8)
        report["training_step"] = measure(sides["training"], arguments, image, labels)
    if "inference" in tasks:
        image = rng.integers(0, 256, (*IMAGE, 3)).astype(np.uint8)
        report["inference"] = {
            count: measure(sides["inference"], arguments, image, random_boxes(count))
            for count in arguments.boxes
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
