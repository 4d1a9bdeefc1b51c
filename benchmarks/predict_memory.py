"""How much memory it takes to predict an image that is too large to be seen at once.

python -m benchmarks.predict_memory                     # 10,000x10,000, by tiles
python -m benchmarks.predict_memory --side 4000 --classes 60
python -m benchmarks.predict_memory --smoke             # tiny

A narrow FCN-8s predicts one image as `fcn_jax predict` does, in a fresh process each:
by tiles, and at --size (the net then sees a smaller image, whose probabilities are
enlarged). Prints JSON: MiB before and at the peak, and `bytes_per_pixel`, what a pixel
of the image adds to it. The image takes 3 and its labels 1; the class probabilities of
all of it would take 4 bytes a class, which `probabilities` has beside it.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import machine

GOAL = 20.0  # Bytes a pixel, with Pillow's own copies of image and overlay.


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def predict(arguments):
    """In a fresh process: one image; prints its time and memory."""
    import fcn_jax
    from fcn_jax import runtime, training
    from fcn_jax.data import photos
    from fcn_jax.runs import looking, prediction
    from fcn_jax.weights import saving

    place = Path(arguments.place)
    runtime.prepare(place / "cache")
    run = place / "run"
    if not run.exists():
        model = fcn_jax.create(
            "fcn8s", arguments.classes, width=1 / 32, fc_features=64, padding="same"
        )
        saving.save_weights(run, training.init_variables(model, 0), model)
    net = fcn_jax.load(run)
    net.predict_probs(np.zeros((arguments.tile, arguments.tile, 3), np.uint8))
    listed = photos.listed([str(place / "image.png")], io.BytesIO())
    options = looking.Options(size=arguments.size, tile=arguments.tile)
    before, start = peak_mib(), time.perf_counter()
    tally = prediction.predict(net, listed, place / f"out{arguments.size}", options)
    assert tally.done == 1, tally
    report = {
        "size": arguments.size,
        "mib_before": round(before, 1),
        "mib_peak": round(peak_mib(), 1),
        "bytes_per_pixel": round((peak_mib() - before) * 2**20 / arguments.side**2, 2),
        "seconds": round(time.perf_counter() - start, 1),
    }
    print(json.dumps(report))


def predict_apart(arguments, place, size):
    """`predict` in a process of its own."""
    command = [sys.executable, "-m", __spec__.name, "--place", place]
    command += ["--side", str(arguments.side), "--size", str(size)]
    command += ["--tile", str(arguments.tile), "--classes", str(arguments.classes)]
    output = subprocess.check_output(command, text=True)
    return json.loads(output.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--smoke", action="store_true", help="tiny")
    parser.add_argument("--place", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.side, arguments.tile, arguments.size = 96, 64, 80
    if arguments.place is not None:
        predict(arguments)
        return
    with tempfile.TemporaryDirectory() as place:
        rng = np.random.default_rng(0)
        side = arguments.side
        coarse = rng.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((side, side), Image.Resampling.NEAREST)
        image.save(Path(place) / "image.png", compress_level=1)
        del image
        runs = [predict_apart(arguments, place, n) for n in (0, arguments.size)]
    report = {
        "side": side,
        "classes": arguments.classes,
        "tile": arguments.tile,
        "runs": runs,
        "probabilities": 4 * arguments.classes,
        "goal_bytes_per_pixel": GOAL,
        "goal_met": all(run["bytes_per_pixel"] < GOAL for run in runs),
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
