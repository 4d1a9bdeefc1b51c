"""A training step of FCN-8s here and in PyTorch, timed in turns in one run.

python benchmarks/train_step.py                        # VGG-16, one 320x320 image
python benchmarks/train_step.py --width 0.5 --fc-features 2048 --batch-norm \
    --padding same --size 176 240 --batch 8            # the CamVid run's step
python benchmarks/train_step.py --precision highest    # a GPU without TF32
python benchmarks/train_step.py --dtype bfloat16       # encoder; autocast in PyTorch

Forward, loss, backward and SGD with momentum on both sides, on the default device of
JAX; PyTorch runs eagerly, channels_last. Prints JSON: medians in seconds, their ratio
(ours / PyTorch's, the median of the pairs) and the peak memory of the process. Where
PyTorch is not installed (`pip install torch`), ours alone.
"""

import argparse
import functools
import importlib.util
import json
import resource
import statistics
import time

import jax
import numpy as np

import fcn_jax
import machine
from fcn_jax import optim, runtime, training

STAGES = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)


def torch_step(arguments, image, labels):
    """A function that does one step of the same net in PyTorch."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    torch.set_num_threads(arguments.threads)
    tf32 = arguments.precision != "highest"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    device = "cuda" if machine.on_gpu() and torch.cuda.is_available() else "cpu"
    caffe = arguments.padding == "caffe"

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            channels, self.stages = 3, nn.ModuleList()
            for number, widths in enumerate(STAGES):
                layers = []
                for i, width in enumerate(widths):
                    features = max(1, round(width * arguments.width))
                    pad = 100 if caffe and number == i == 0 else 1
                    layers.append(nn.Conv2d(channels, features, 3, padding=pad))
                    if arguments.batch_norm:
                        layers.append(nn.BatchNorm2d(features))
                    layers.append(nn.ReLU(inplace=True))
                    channels = features
                layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
                self.stages.append(nn.Sequential(*layers))
            fc = max(1, round(arguments.fc_features * arguments.width))
            self.fc6 = nn.Conv2d(channels, fc, 7, padding=0 if caffe else 3)
            self.fc7 = nn.Conv2d(fc, fc, 1)
            self.score_fr = nn.Conv2d(fc, arguments.classes, 1)
            four, three = (round(n * arguments.width) for n in (512, 256))
            self.score_pool4 = nn.Conv2d(four, arguments.classes, 1)
            self.score_pool3 = nn.Conv2d(three, arguments.classes, 1)

        def upscore(self, x, factor):
            place = torch.arange(2 * factor, device=x.device)
            taps = 1 - (place - (factor - 0.5)).abs() / factor
            kernel = torch.outer(taps, taps).expand(arguments.classes, 1, -1, -1)
            return F.conv_transpose2d(
                x, kernel, stride=factor, groups=arguments.classes
            )

        def fuse(self, x, skip, offset):
            if caffe:
                h, w = x.shape[2:]
                return x + skip[:, :, offset : offset + h, offset : offset + w]
            h, w = skip.shape[2:]
            return x[:, :, 1 : 1 + h, 1 : 1 + w] + skip

        def forward(self, x):
            height, width = x.shape[2:]
            pools = []
            for stage in self.stages:
                x = stage(x)
                pools.append(x)
            x = F.dropout(F.relu(self.fc6(x)), 0.5)
            x = self.score_fr(F.dropout(F.relu(self.fc7(x)), 0.5))
            x = self.fuse(self.upscore(x, 2), self.score_pool4(pools[3]), 5)
            x = self.fuse(self.upscore(x, 2), self.score_pool3(pools[2]), 9)
            at = 31 if caffe else 4
            return self.upscore(x, 8)[:, :, at : at + height, at : at + width]

    net = Net().to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9)
    x = torch.tensor(image).permute(0, 3, 1, 2).float() - 116.0
    x = x.to(device).contiguous(memory_format=torch.channels_last)
    y = torch.tensor(labels.astype(np.int64)).to(device)
    low = torch.autocast(device, torch.bfloat16, arguments.dtype == "bfloat16")

    def step():
        optimizer.zero_grad(set_to_none=True)
        with low:
            loss = F.cross_entropy(net(x), y, ignore_index=255)
        loss.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def jax_step(arguments, image, labels):
    """A function that does one step of ours."""
    model = fcn_jax.create(
        "fcn8s",
        arguments.classes,
        width=arguments.width,
        fc_features=arguments.fc_features,
        padding=arguments.padding,
        batch_norm=arguments.batch_norm,
        dtype=jax.numpy.dtype(arguments.dtype),
    )
    variables = training.init_variables(model, 0)
    optimizer = optim.caffe_sgd(1e-3, 0.9)
    state = training.create_state(variables, optimizer)
    step_fn = jax.jit(
        functools.partial(
            training.train_step, model=model, optimizer=optimizer, seed=0
        ),
        donate_argnums=0,
    )
    batch = {"image": jax.numpy.asarray(image), "labels": jax.numpy.asarray(labels)}
    holder = [state]

    def step():
        holder[0], metrics = step_fn(holder[0], batch)
        jax.block_until_ready((holder[0], metrics))

    return step


def device_peak_mib():
    """Peak of the memory that JAX took on its device; None where it does not count."""
    stats = jax.local_devices()[0].memory_stats() or {}
    peak = stats.get("peak_bytes_in_use")
    return peak if peak is None else peak // 2**20


def seconds(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(320, 320))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--fc-features", type=int, default=4096)
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--padding", choices=("caffe", "same"), default="caffe")
    parser.add_argument("--batch-norm", action="store_true")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument(
        "--precision", choices=("default", "highest"), default="default"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.size, arguments.width, arguments.repeats = (32, 32), 1 / 64, 2
    runtime.prepare()
    if arguments.precision != "default":
        jax.config.update("jax_default_matmul_precision", arguments.precision)
    rng = np.random.default_rng(0)
    shape = (arguments.batch, *arguments.size)
    image = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    labels = rng.integers(0, arguments.classes, shape).astype(np.uint8)
    makers = [jax_step]
    if importlib.util.find_spec("torch"):
        makers.append(torch_step)
    steps = [make(arguments, image, labels) for make in makers]
    for step in steps * 2:
        step()
    rounds = [[seconds(step) for step in steps] for _ in range(arguments.repeats)]
    report = {
        **vars(arguments),
        "seconds": statistics.median(times[0] for times in rounds),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "device_peak_mib": device_peak_mib(),
    }
    if len(steps) == 2:
        report["seconds_pytorch"] = statistics.median(times[1] for times in rounds)
        report["ratio"] = statistics.median(a / b for a, b in rounds)
    report["rounds"] = rounds
    report.update(machine.describe())
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
