"""Whether the input pipeline keeps a GPU busy: street scenes, by threads and processes.

python -m benchmarks.input_rates                       # threads and workers: 1, cores
python -m benchmarks.input_rates --workers 1,4,8,16
python -m benchmarks.input_rates --root DIR            # CamVid, or another VOC layout

Images of 360x480, flipped, scaled, brightened and cropped to 352x480 as in
configs/camvid_fcn8s.py:gpu, in batches of 8. Without --root they are made (smoothed
noise, palette masks), as JPEG and as PNG. Prints JSON: for each kind of file, with and
without `data.cache`, and for each number of threads (`data.num_threads`) and of worker
processes with two threads each (`data.num_workers`): `images_per_second` by the clock,
the `cores` it got, `cpu_ms_per_image` of all processes, that of the process that trains
alone (`parent_ms_per_image`), and, by calculation, `if_linear_on_16_cores`: 16 cores by
the CPU time of an image, and no more than the process that trains can take.

`stages_ms` are the parts of an image, each alone in a thread, with the `bottleneck` and
its share. `without_pixels_ms` is an image of 8x8, whose time is Python's: threads
share an interpreter, so that they all make no more than `threads_at_most` a second.
(Of a few images the time is that of Grain's shuffling: 4 ms where there are 8.)
The goal is 1,000 images a second on 16 cores; where there are fewer it is unmeasured.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import machine
from benchmarks.input_pipeline import make_folder
from fcn_jax.data import appearance, checks, loader, transforms
from fcn_jax.data.cached import CachedSource
from fcn_jax.data.sources.voc_folder import VocFolder
from tests.support.noise import Source

SIZE = (360, 480)  # CamVid as SegNet has it.
CROP = (352, 480)
SCALE = (0.6, 1.8)
TINY = 400  # Images without pixels.
GOAL = 1000  # Images a second.
GOAL_CORES = 16
THREADS_OF_WORKER = 2
MOST = 1 << 33  # Bytes of a cache: all images.
STREETS = loader.Augmentation(flip=True, scale=SCALE, crop=CROP, brightness=0.2)


def cpu_of(pids):
    """CPU seconds of processes so far; None where the system does not tell."""
    total = 0.0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists():
            return None
        fields = stat.read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return total


def rate(source, readers, arguments, augmentation=STREETS):
    """Time batches once as many are made ahead as always will be."""
    batches = loader.train_batches(
        source,
        batch_size=arguments.batch,
        seed=0,
        num_classes=len(source.classes),
        augmentation=augmentation,
        readers=readers,
    )
    makers = readers.threads * max(1, readers.processes)
    ahead = 2 * makers * arguments.batch
    kept = len(source) if isinstance(source, CachedSource) else 0
    for _ in itertools.islice(batches, max(ahead, kept) // arguments.batch + 1):
        pass
    workers = [process.pid for process in multiprocessing.active_children()]
    steps = max(1, arguments.images // arguments.batch)
    wall, own, theirs = time.perf_counter(), time.process_time(), cpu_of(workers)
    for _ in itertools.islice(batches, steps):
        pass
    wall, own = time.perf_counter() - wall, time.process_time() - own
    after = cpu_of(workers)
    batches.close()
    images = steps * arguments.batch
    found = {
        "images_per_second": round(images / wall, 1),
        "parent_ms_per_image": round(1e3 * own / images, 2),
    }
    if theirs is None or after is None:
        return found
    cpu = max(own + after - theirs, 1e-9)
    linear = GOAL_CORES * images / cpu
    if readers.processes:
        linear = min(linear, images / max(own, 1e-9))
    return found | {
        "cores": round(cpu / wall, 2),
        "cpu_ms_per_image": round(1e3 * cpu / images, 2),
        "if_linear_on_16_cores": round(linear),
    }


def rates(folder, arguments):
    """Of one folder, all ways to read it."""
    source = VocFolder(folder, "train")
    rows = {}
    for cache in (False, True):
        ways = [(f"{n} threads", loader.Readers(n)) for n in arguments.threads]
        ways += [
            (f"{n} workers", loader.Readers(THREADS_OF_WORKER, n))
            for n in arguments.workers
        ]
        for name, readers in ways:
            read, name = source, name + ", cache" * cache
            if cache:
                read = CachedSource(source, MOST, shared=readers.processes > 0)
            rows[name] = rate(read, readers, arguments)
            print(f"{folder.name}, {name}: {rows[name]}", file=sys.stderr, flush=True)
    return rows


def stages(source, repeats):
    """Median CPU ms of the parts of an image, over images of the source."""
    rng = np.random.default_rng(0)
    times = {}

    def timed(name, call, *given):
        start = time.thread_time()
        found = call(*given)
        times.setdefault(name, []).append(1e3 * (time.thread_time() - start))
        return found

    classes, void = len(source.classes), source.ignore_label
    for place in range(repeats):
        item = timed("decode", source.__getitem__, place % len(source))
        image, labels = item["image"], item["labels"]
        timed("check_labels", checks.check_labels, labels, classes, void, "")
        factor = float(np.exp(rng.uniform(*np.log(SCALE))))
        crop = (image, labels, factor, CROP, rng)
        image, labels = timed("scale_and_crop", transforms.random_crop, *crop)
        image = timed("flip", transforms.mirrored, image)
        timed("brightness", appearance.brighten, image, 1.1)
        timed("batch", np.stack, [image])
    return {name: round(float(np.median(each)), 3) for name, each in times.items()}


def report(folder, arguments):
    """Of one folder: rates, parts, and which of these takes longest."""
    parts = stages(VocFolder(folder, "train"), arguments.repeats)
    slowest = max(parts, key=parts.get)
    share = parts[slowest] / sum(parts.values())
    return {
        "rates": rates(folder, arguments),
        "stages_ms": parts,
        "bottleneck": {"stage": slowest, "share": round(share, 2)},
    }


def counts(text):
    """Whole numbers from 1 on, from a flag."""
    found = [int(each) for each in text.split(",")]
    if min(found) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give numbers from 1 on")
    return found


def main():
    cores = os.cpu_count()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = sorted({1, cores})
    parser.add_argument("--threads", type=counts, default=default)
    parser.add_argument("--workers", type=counts, default=default, help="processes")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--images", type=int, default=400, help="timed, of each row")
    parser.add_argument("--files", type=int, default=48, help="that are made, a kind")
    parser.add_argument("--repeats", type=int, default=50, help="of each stage")
    parser.add_argument("--root", default="", help="of a data set in VOC layout")
    parser.add_argument("--smoke", action="store_true", help="a few images")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.batch, arguments.images, arguments.files = 2, 4, 3
        arguments.repeats, arguments.threads, arguments.workers = 1, [1], [1]
    kinds = {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.root:
            kinds["root"] = report(Path(arguments.root), arguments)
        for ending in () if arguments.root else ("jpg", "png"):
            root = Path(folder) / ending
            size = make_folder(root, arguments.files, SIZE, ending)
            kinds[ending] = {"kb": round(size, 1), **report(root, arguments)}
    tiny = loader.Augmentation(flip=True, scale=SCALE, crop=(8, 8), brightness=0.2)
    python = rate(Source([(8, 8)] * TINY), loader.Readers(1), arguments, tiny)
    python = python["parent_ms_per_image"]
    best = max(
        row["images_per_second"]
        for kind in kinds.values()
        for row in kind["rates"].values()
    )
    result = {
        "size": list(SIZE),
        "crop": list(CROP),
        "kinds": kinds,
        "without_pixels_ms": python,
        "threads_at_most": round(1e3 / max(python, 1e-3)),
        "goal_images_per_second": GOAL,
        "goal_cores": GOAL_CORES,
        "best_images_per_second": best,
        # Told by as many cores alone: fewer say nothing of how processes share them.
        "goal_met": best >= GOAL if cores >= GOAL_CORES else None,
        "goal_unmeasured": ""
        if cores >= GOAL_CORES
        else f"{cores} cores here, and the goal is of {GOAL_CORES}",
        **machine.describe(),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
