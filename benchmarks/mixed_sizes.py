"""Evaluation of images of many sizes: ours in padded batches, PyTorch's one at a time.

python -m benchmarks.mixed_sizes
python -m benchmarks.mixed_sizes --width 1 --images 64 --batch 8
python -m benchmarks.mixed_sizes --smoke

FCN-8s on images whose sides are drawn between two thirds of `--side` and `--side`, from
the source to the confusion matrix. Ours pads batches and passes the true `sizes`; the
logits are those of each image alone. PyTorch, eager and channels_last, takes an image
at a time, as there is no such mask in it. Both see every image once in a run; the first
run of each, in which ours compiles, is not timed. Prints JSON: seconds, ratio (ours /
PyTorch's) and images a second.
"""

import argparse
import functools
import importlib.util
import json

import numpy as np

from benchmarks import eval_memory
from benchmarks.common import machine, timing
from fcn_jax import runtime
from fcn_jax.preprocessing import CAFFE


class MixedImages(eval_memory.DrawnImages):
    """Images whose heights and widths are drawn from their index."""

    def _size(self, index):
        rng = np.random.default_rng([1, index])
        return tuple(rng.integers(2 * self.size // 3, self.size + 1, 2).tolist())


def ours(source, arguments):
    runtime.prepare()
    run = eval_memory.make_evaluation(arguments.width, arguments.padding)
    return lambda: run(source, arguments.batch)


def theirs(source, arguments):
    import torch

    from benchmarks.peers import pytorch_nets

    torch.set_num_threads(arguments.threads)
    device, classes = machine.torch_device(), eval_memory.NUM_CLASSES
    options = {"width": arguments.width, "padding": arguments.padding}
    net = pytorch_nets.create("fcn8s", classes, **options).eval()
    net = net.to(device, memory_format=torch.channels_last)
    mean = torch.tensor(CAFFE.mean, device=device).float().view(3, 1, 1)

    @torch.inference_mode()
    def run():
        confusion = torch.zeros(classes, classes, dtype=torch.int64, device=device)
        for index in range(len(source)):
            item = source[index]
            image = torch.from_numpy(item["image"]).to(device)
            labels = torch.from_numpy(item["labels"]).to(device).flatten().long()
            x = (image.permute(2, 0, 1).flip(0).float() - mean)[None]
            scores = net(x.contiguous(memory_format=torch.channels_last))
            pairs = labels * classes + scores.argmax(1).flatten()
            counts = torch.bincount(pairs, minlength=classes**2)
            confusion += counts.view(classes, classes)
        return confusion.cpu()

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--side", type=int, default=500, help="the longest")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--padding", choices=("caffe", "same"), default="caffe")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.images, arguments.side, arguments.batch = 4, 48, 2
        arguments.width, arguments.repeats = 1 / 64, 1
    source = MixedImages(arguments.images, arguments.side)
    makers = {"ours": functools.partial(ours, source, arguments)}
    if importlib.util.find_spec("torch"):
        makers["pytorch"] = functools.partial(theirs, source, arguments)
    apart = machine.sides_apart(makers)
    times = timing.in_turns(makers, arguments.repeats, warm_up=1, apart=apart)
    report = vars(arguments) | times
    report["images_per_second"] = {
        side: arguments.images / seconds for side, seconds in report["seconds"].items()
    }
    report |= machine.describe()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
