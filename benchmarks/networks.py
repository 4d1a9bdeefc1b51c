"""FCN-8s and DeconvNet here and in PyTorch: a training step, or inference.

python -m benchmarks.networks                          # VGG-16, one 320x320 image
python -m benchmarks.networks --task inference
python -m benchmarks.networks --model deconvnet --width 0.5 --size 224 224 --batch 2
python -m benchmarks.networks --width 0.5 --fc-features 2048 --batch-norm \
    --padding same --size 176 240 --batch 8            # the CamVid run's step
python -m benchmarks.networks --precision highest      # a GPU without TF32
python -m benchmarks.networks --dtype bfloat16         # autocast in PyTorch
python -m benchmarks.networks --sides pytorch --repeats 1    # its memory alone

A step is forward, loss, backward and SGD with momentum; inference is the logits. All
sides have the same layers, batch and precision, on the default device of JAX; PyTorch
is channels_last, eager and by torch.compile. They are timed in turns in one run, after
a warm-up; on a CPU each side in a process of its own, as its users run it. Prints JSON:
medians in seconds, ratios (ours / the other's, medians of the rounds), peak memory of
the process, which counts where there is one side, and why a side could not be measured.
Where PyTorch is not installed (`pip install torch`), ours alone.
"""

import argparse
import functools
import importlib.util
import json

import jax
import numpy as np

import fcn_jax
from benchmarks.common import machine, timing
from fcn_jax import runtime, training
from fcn_jax.training import optim

SIDES = ("ours", "pytorch", "pytorch_compiled")
RATE, MOMENTUM = 1e-3, 0.9


def options_of(arguments):
    """What both sides are built with."""
    options = {"width": arguments.width, "fc_features": arguments.fc_features}
    if arguments.model == "deconvnet":
        return options | {"padding": arguments.padding or "valid"}
    return options | {
        "padding": arguments.padding or "caffe",
        "batch_norm": arguments.batch_norm,
    }


def torch_call(arguments, image, labels, *, compiled):
    """A function that runs PyTorch once."""
    import torch
    import torch.nn.functional as F

    from benchmarks.peers import pytorch_nets

    torch.set_num_threads(arguments.threads)
    tf32 = arguments.precision != "highest"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    device = machine.torch_device()
    net = pytorch_nets.create(
        arguments.model, arguments.classes, **options_of(arguments)
    )
    pytorch_nets.draw_weights(net)
    net = net.to(device, memory_format=torch.channels_last)
    run = torch.compile(net) if compiled else net
    x = torch.tensor(image).permute(0, 3, 1, 2).float() - 116.0
    x = x.to(device).contiguous(memory_format=torch.channels_last)
    y = torch.tensor(labels.astype(np.int64)).to(device)
    low = torch.autocast(device, torch.bfloat16, arguments.dtype == "bfloat16")
    optimizer = torch.optim.SGD(net.parameters(), RATE, momentum=MOMENTUM)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with low:
            loss = F.cross_entropy(run(x), y, ignore_index=255)
        loss.backward()
        optimizer.step()
        machine.torch_synchronize()

    def infer():
        with torch.inference_mode(), low:
            run(x)
        machine.torch_synchronize()

    if arguments.task == "training":
        net.train()
        return step
    net.eval()
    return infer


def our_call(arguments, image, labels):
    """A function that runs ours once."""
    runtime.prepare()
    if arguments.precision != "default":
        jax.config.update("jax_default_matmul_precision", arguments.precision)
    model = fcn_jax.create(
        arguments.model,
        arguments.classes,
        dtype=jax.numpy.dtype(arguments.dtype),
        **options_of(arguments),
    )
    variables = training.init_variables(model, 0)
    image = jax.numpy.asarray(image)
    if arguments.task == "inference":
        infer = jax.jit(lambda v, x: model.apply(v, fcn_jax.preprocess(x)))
        return lambda: jax.block_until_ready(infer(variables, image))
    optimizer = optim.caffe_sgd(RATE, MOMENTUM)
    step_fn = jax.jit(
        functools.partial(
            training.train_step, model=model, optimizer=optimizer, seed=0
        ),
        donate_argnums=0,
    )
    batch = {"image": image, "labels": jax.numpy.asarray(labels)}
    holder = [training.create_state(variables, optimizer)]

    def step():
        holder[0], metrics = step_fn(holder[0], batch)
        jax.block_until_ready((holder[0], metrics))

    return step


def device_peak_mib(sides):
    """Peak of the memory that the sides took on their device; None: it was not counted.

    JAX and PyTorch count their own; of several sides it is JAX's.
    """
    if "ours" not in sides:
        import torch

        if machine.torch_device() != "cuda":
            return None
        return torch.cuda.max_memory_allocated() // 2**20
    stats = jax.local_devices()[0].memory_stats() or {}
    peak = stats.get("peak_bytes_in_use")
    return peak if peak is None else peak // 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=("fcn8s", "deconvnet"), default="fcn8s")
    parser.add_argument("--task", choices=("training", "inference"), default="training")
    parser.add_argument("--sides", choices=SIDES, nargs="+", default=SIDES)
    parser.add_argument("--size", type=int, nargs=2, default=(320, 320))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--fc-features", type=int, default=4096)
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--padding", choices=("caffe", "same", "valid"))
    parser.add_argument("--batch-norm", action="store_true")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument(
        "--precision", choices=("default", "highest"), default="default"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--smoke", action="store_true", help="tiny, not compiled")
    arguments = parser.parse_args()
    if arguments.smoke:
        small = 32 if arguments.model == "fcn8s" else 193
        arguments.size, arguments.batch = (small, small), 2
        arguments.width, arguments.repeats = 1 / 64, 1
        arguments.sides = [s for s in arguments.sides if s != "pytorch_compiled"]
    rng = np.random.default_rng(0)
    shape = (arguments.batch, *arguments.size)
    image = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    labels = rng.integers(0, arguments.classes, shape).astype(np.uint8)
    makers = {
        "ours": functools.partial(our_call, arguments, image, labels),
        "pytorch": functools.partial(
            torch_call, arguments, image, labels, compiled=False
        ),
        "pytorch_compiled": functools.partial(
            torch_call, arguments, image, labels, compiled=True
        ),
    }
    if importlib.util.find_spec("torch") is None:
        arguments.sides = [side for side in arguments.sides if side == "ours"]
    makers = {side: makers[side] for side in arguments.sides}
    apart = machine.sides_apart(makers)
    report = {
        **vars(arguments),
        **timing.in_turns(makers, arguments.repeats, apart=apart),
        "peak_mib": timing.peak_mib(),
        "device_peak_mib": device_peak_mib(arguments.sides),
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
