"""How much memory an evaluation takes, and that it does not grow with the images.

python -m benchmarks.eval_memory                    # 50, 500 and 2,000 images
python -m benchmarks.eval_memory --images 50 5000
python -m benchmarks.eval_memory --smoke            # a few small images

Each number of images has a fresh process, which draws images of 375x500 and 500x375
from their index alone, predicts them with a narrow FCN-8s in batches, as eval.py does,
and tells its peak of resident memory. Prints JSON: MiB before the evaluation and at
the peak; `kib_per_image`, the slope between the two largest numbers of images, when
the batches made ahead are as many as they will ever be. Memory that grew with the
images would show as the size of an image, 549 KiB, or of its labels, 183 KiB; the goal
is a tenth of the latter.
"""

import argparse
import functools
import json
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks.common import machine

NUM_CLASSES = 21
GOAL_KIB_PER_IMAGE = 18.0


class DrawnImages:
    """A source of images that are nowhere stored: stripes of every class, and noise."""

    name, split = "drawn", "val"
    classes = tuple(f"class{number}" for number in range(NUM_CLASSES))
    ignore_label = 255

    def __init__(self, count, size):
        self.count, self.size = count, size

    def __len__(self):
        return self.count

    def _size(self, index):
        return self.size if index % 3 else self.size[::-1]

    def __getitem__(self, index):
        height, width = self._size(index)
        rng = np.random.default_rng(index)
        columns = (np.arange(width) // 20 + index) % NUM_CLASSES
        labels = np.tile(columns.astype(np.uint8), (height, 1))
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        return {"image": image, "labels": labels, "id": f"{index:05}"}

    def image_sizes(self):
        """Heights and widths, int32 [len(self), 2]."""
        return np.array([self._size(index) for index in range(self.count)], np.int32)


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def make_evaluation(width, padding="same"):
    """An evaluation as eval.py does it: function of (source, batch size, on_batch)."""
    import jax

    import fcn_jax
    from fcn_jax import parallel, training
    from fcn_jax.evaluation.evaluate import Evaluator
    from fcn_jax.inference import whole_image
    from fcn_jax.inference.predictor import Predictor

    devices = jax.local_devices()[:1]
    model = fcn_jax.create("fcn8s", NUM_CLASSES, width=width, padding=padding)
    variables = parallel.replicate(training.init_variables(model, 0), devices)
    predictor = Predictor(functools.partial(whole_image.scores, model=model))

    def run(source, batch_size, on_batch=None):
        evaluator = Evaluator(predictor, source, batch_size, devices)
        return evaluator.score(variables, on_batch)

    return run


def evaluate(arguments):
    """In a fresh process: one evaluation; print its time and memory."""
    from fcn_jax import runtime

    runtime.prepare(arguments.cache)
    (count,) = arguments.images
    source = DrawnImages(count, tuple(arguments.size))
    run = make_evaluation(arguments.width)
    predicted = 0

    def on_batch(batch, pred):
        nonlocal predicted
        predicted += len(pred[batch["example_valid"]])

    before, start = peak_mib(), time.perf_counter()
    scores = run(source, arguments.batch, on_batch)
    seconds = time.perf_counter() - start
    pixels = count * arguments.size[0] * arguments.size[1]
    scored = scores["num_pixels"]
    if predicted != count or scored != pixels:
        sys.exit(f"{predicted} of {count} images, {scored} of {pixels} pixels")
    report = {
        "images": count,
        "mib_before": round(before, 1),
        "mib_peak": round(peak_mib(), 1),
        "seconds": round(seconds, 1),
    }
    print(json.dumps(report))


def evaluate_apart(arguments, cache, count):
    """`evaluate` in a process of its own."""
    command = [sys.executable, "-m", __spec__.name]
    command += ["--cache", cache, "--images", str(count)]
    command += ["--batch", str(arguments.batch), "--width", str(arguments.width)]
    command += ["--size", *map(str, arguments.size)]
    output = subprocess.check_output(command, text=True)
    return json.loads(output.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[50, 500, 2000])
    parser.add_argument("--size", type=int, nargs=2, default=[375, 500])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--width", type=float, default=1 / 32)
    parser.add_argument("--smoke", action="store_true", help="tiny")
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.images, arguments.size, arguments.batch = [4, 12], [32, 48], 2
    if arguments.cache is not None:
        evaluate(arguments)
        return
    with tempfile.TemporaryDirectory() as cache:
        measure = functools.partial(evaluate_apart, arguments, cache)
        measure(min(arguments.images))  # Compiling takes memory too: beforehand, then.
        runs = [measure(count) for count in sorted(set(arguments.images))]
    slope = None
    if len(runs) > 1:
        fewer, most = runs[-2:]
        grown = 1024 * (most["mib_peak"] - fewer["mib_peak"])
        slope = round(grown / (most["images"] - fewer["images"]), 2)
    report = {
        "size": arguments.size,
        "batch": arguments.batch,
        "width": arguments.width,
        "runs": runs,
        "kib_per_image": slope,
        "goal_kib_per_image": GOAL_KIB_PER_IMAGE,
        "goal_met": slope is not None and slope < GOAL_KIB_PER_IMAGE,
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
