"""DeconvNet's inference on the proposals of an image, here and in PyTorch.

python -m benchmarks.deconvnet                             # a quarter of the width
python -m benchmarks.deconvnet --width 1 --boxes 10 25 50 100

Both sides have the same layers, boxes at once and precision; PyTorch runs eagerly,
channels_last. The two are timed in turns in one run, on a CPU each in a process of its
own. Prints JSON: medians in seconds, their ratio (ours / PyTorch's, the median of the
rounds), and on a CPU the peak memory of both, MiB.
"""

import argparse
import functools
import importlib.util
import json

import jax
import jax.numpy as jnp
import numpy as np

import fcn_jax
from benchmarks.common import machine, timing
from fcn_jax import runtime, training
from fcn_jax.inference import instance_wise

CLASSES, SIDE = 21, 224
IMAGE = (375, 500)


def torch_inference(arguments, image, boxes):
    """A function that looks at all boxes of an image, some at a time, in PyTorch."""
    import torch
    import torch.nn.functional as F

    from benchmarks.peers import pytorch_nets

    torch.set_num_threads(arguments.threads)
    device = machine.torch_device()
    net = pytorch_nets.create("deconvnet", CLASSES, width=arguments.width).eval()
    net = net.to(device, memory_format=torch.channels_last)
    x = torch.tensor(image).permute(2, 0, 1)[None].float().to(device)
    resize = functools.partial(F.interpolate, mode="bilinear", antialias=True)

    @torch.no_grad()
    def run():
        canvas = torch.zeros(CLASSES, *image.shape[:2], device=device)
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


def our_inference(arguments, image, boxes):
    """A function that looks at all boxes of an image, some at a time."""
    runtime.prepare()
    model = fcn_jax.create("deconvnet", CLASSES, width=arguments.width)
    variables = training.init_variables(model, 0)
    predict = jax.jit(
        lambda variables, batch: instance_wise.scores(
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--boxes", type=int, nargs="+", default=[50])
    parser.add_argument("--boxes-at-once", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.width, arguments.boxes, arguments.repeats = 1 / 64, [2], 1
    sides = {"ours": our_inference}
    if importlib.util.find_spec("torch"):
        sides["pytorch"] = torch_inference
    image = np.random.default_rng(0).integers(0, 256, (*IMAGE, 3)).astype(np.uint8)
    report = vars(arguments) | {"inference": {}}
    for count in arguments.boxes:
        data = (arguments, image, random_boxes(count))
        makers = {name: functools.partial(make, *data) for name, make in sides.items()}
        report["inference"][count] = timing.in_turns(
            makers, arguments.repeats, warm_up=1, apart=machine.sides_apart(makers)
        )
    report |= machine.describe()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
