"""How many augmented 500x375 images a second the input pipeline delivers.

python -m benchmarks.input_pipeline                 # 2 threads, batches of 8
python -m benchmarks.input_pipeline --threads 4 --images 2000
python -m benchmarks.input_pipeline --cache         # images decoded once (data.cache)
python -m benchmarks.input_pipeline --workers 16    # by processes (data.num_workers)
python -m benchmarks.input_pipeline --workers 16 --crop 352 480 --goal 1000

What a GPU needs, by threads and by processes side by side: `benchmarks.input_rates`.

Makes a temporary folder in VOC layout (noise smoothed to JPEGs of about 70 KB, palette
masks) and times `train_batches` on it. Prints JSON: for each kind of batch
`images_per_second` by the clock, the cores it got, and `cpu_ms_per_image`, which says
what an otherwise idle machine would do (`two_idle_cores`: 2 / the CPU time of an
image); and the stages of one image alone, in ms. `limited_by` is the slowest of these,
or other work on the machine where that kept the pipeline from its cores.
"""

import argparse
import functools
import itertools
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import machine
from fcn_jax.data import (
    appearance,
    augmentation,
    checks,
    image_files,
    label_sets,
    loader,
    transforms,
)
from fcn_jax.data.cached import CachedSource
from fcn_jax.data.loader import Augmentation
from fcn_jax.data.sources.voc_folder import VocFolder

SIZE = (375, 500)  # Height and width of most VOC images.
CROP = (321, 321)
GOAL = 150  # Images a second on two cores.


def kinds_of(crop):
    """Augmentation by kind of batch; crops are of that height and width."""
    return {
        "flip_scale_crop": Augmentation(flip=True, scale=(0.5, 2.0), crop=crop),
        "all_cropped": Augmentation(True, (0.5, 2.0), crop, jitter=32, brightness=0.2),
        "flip_whole": Augmentation(flip=True),
        "flip_scale_whole": Augmentation(flip=True, scale=(0.5, 2.0)),
    }


def smoothed_noise(rng, size=SIZE):
    """Noise at five scales, each weaker than the coarser one: a photograph to JPEG."""
    height, width = size
    total = np.full((*size, 3), 120.0)
    for columns in (4, 12, 36, 120, 500):
        rows = max(2, columns * height // width)
        noise = rng.normal(size=(rows, columns, 3)).astype(np.float32)
        for channel in range(3):
            layer = Image.fromarray(np.ascontiguousarray(noise[:, :, channel]))
            layer = layer.resize((width, height), Image.Resampling.BICUBIC)
            total[:, :, channel] += np.asarray(layer) * 80 / columns**0.3
    return np.clip(total, 0, 255).astype(np.uint8)


def regions(rng, size=SIZE):
    """A mask of VOC classes with round outlines and void between them."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    labels = np.zeros(size, np.uint8)
    for _ in range(4):
        row, column = rng.integers(size)
        radius = rng.integers(20, 150)
        distance = np.hypot(rows - row, columns - column)
        labels[distance < radius] = 255
        labels[distance < radius - 5] = rng.integers(1, 21)
    return labels


def make_folder(root, count, size=SIZE, ending="jpg"):
    """A data set in VOC layout; returns the mean size of its photographs in KB."""
    rng = np.random.default_rng(0)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    names = [f"image_{number:03}" for number in range(count)]
    (root / "ImageSets/Segmentation/train.txt").write_text("\n".join(names))
    for name in names:
        photo = Image.fromarray(smoothed_noise(rng, size))
        photo.save(root / f"JPEGImages/{name}.{ending}", quality=85)
        mask = Image.fromarray(regions(rng, size))
        mask.putpalette(label_sets.voc_palette().reshape(-1).tolist())
        mask.save(root / f"SegmentationClass/{name}.png")
    files = (root / "JPEGImages").iterdir()
    return statistics.mean(path.stat().st_size for path in files) / 1e3


def deliver(source, augmentation, arguments):
    """Time batches after the first ones, which fill the buffer."""
    batches = loader.train_batches(
        source,
        batch_size=arguments.batch,
        seed=0,
        num_classes=21,
        augmentation=augmentation,
        readers=loader.Readers(arguments.threads, arguments.workers),
    )
    steps = max(1, arguments.images // arguments.batch)
    shape = next(batches)["image"].shape
    makers = arguments.threads * max(1, arguments.workers)
    for _ in itertools.islice(batches, 2 * makers):
        pass  # Until as many are made ahead as always will be.
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in itertools.islice(batches, steps):
        pass
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    batches.close()
    images = steps * arguments.batch
    found = {"batch": list(shape), "images_per_second": round(images / wall, 1)}
    if arguments.workers:  # Whose CPU time is theirs.
        return found
    return found | {
        "cores": round(cpu / wall, 2),
        "cpu_ms_per_image": round(1e3 * cpu / images, 2),
        "two_idle_cores": round(2 * images / cpu, 1),
    }


def stages(source, root, arguments):
    """Median ms of what is done to one image, each stage alone in one thread."""
    rng = np.random.default_rng(0)
    item = source[0]
    image, labels = item["image"], item["labels"]
    photo, mask = (
        root / folder / f"image_000.{ending}"
        for folder, ending in (("JPEGImages", "jpg"), ("SegmentationClass", "png"))
    )
    crop_image, crop_labels = transforms.random_crop(
        image, labels, 1.0, arguments.crop, rng
    )
    crop_image = np.ascontiguousarray(crop_image)

    def scaled_crop():
        factor = float(np.exp(rng.uniform(*np.log((0.5, 2.0)))))
        transforms.random_crop(image, labels, factor, arguments.crop, rng)

    work = {
        "decode_jpeg": lambda: image_files.read_photo(photo),
        "decode_mask": lambda: image_files.read_mask(mask, source.palette),
        "check_labels": lambda: checks.check_labels(labels, 21, 255, ""),
        "scale_and_crop": scaled_crop,
        "flip": lambda: np.ascontiguousarray(crop_image[:, ::-1]),
        "jitter": lambda: transforms.translate(crop_image, crop_labels, (9, -9)),
        "brightness": lambda: appearance.brighten(crop_image, 1.1),
        "contrast": lambda: appearance.change_contrast(crop_image, 1.1),
        "saturation": lambda: appearance.change_saturation(crop_image, 1.1),
        "hue": lambda: appearance.turn_hue(crop_image, 10.0),
        "blur": lambda: appearance.blur(crop_image, 1.0),
        "rotation": lambda: transforms.rotate(crop_image, crop_labels, 7.0),
        "cutout": lambda: transforms.cover(crop_image, crop_labels, (9, 9, 99, 99)),
        "class_mix": lambda: augmentation.mix_classes(
            crop_image, crop_labels, (crop_image, crop_labels), rng
        ),
        "batch": functools.partial(np.stack, [crop_image] * arguments.batch),
    }
    times = {}
    for name, call in work.items():
        seconds = []
        for _ in range(arguments.repeats):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        times[name] = 1e3 * statistics.median(seconds)
    times["batch"] /= arguments.batch
    return {name: round(value, 3) for name, value in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="processes")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--images", type=int, default=800, help="timed, of each kind")
    parser.add_argument("--files", type=int, default=48, help="different ones")
    parser.add_argument("--repeats", type=int, default=50, help="of each stage")
    parser.add_argument(
        "--crop", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), default=CROP
    )
    parser.add_argument("--goal", type=float, default=GOAL, help="images a second")
    parser.add_argument("--cache", action="store_true", help="decode images once")
    parser.add_argument("--smoke", action="store_true", help="a few images")
    arguments = parser.parse_args()
    arguments.crop = tuple(arguments.crop)
    if arguments.smoke:
        arguments.batch, arguments.images = 2, 4
        arguments.files, arguments.repeats = 3, 1
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        jpeg_kb = make_folder(root, arguments.files)
        source = VocFolder(root, "train")
        if arguments.cache:
            source = CachedSource(source, 1 << 33)
        kinds = {
            name: deliver(source, augmentation, arguments)
            for name, augmentation in kinds_of(arguments.crop).items()
        }
        alone = stages(source, root, arguments)
    goal_kind = kinds["flip_scale_crop"]
    cores = min(arguments.threads, os.cpu_count())
    starved = goal_kind.get("cores", cores) < 0.75 * cores
    result = {
        "size": list(SIZE),
        "jpeg_kb": round(jpeg_kb, 1),
        "threads": arguments.threads,
        "workers": arguments.workers,
        "cache": arguments.cache,
        "kinds": kinds,
        "stages_ms": alone,
        "limited_by": "other work" if starved else max(alone, key=alone.get),
        "goal_images_per_second": arguments.goal,
        "goal_met": goal_kind["images_per_second"] >= arguments.goal,
        **machine.describe(),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
