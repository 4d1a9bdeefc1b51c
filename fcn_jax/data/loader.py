"""First, short form of this module."""

import dataclasses

import grain
import numpy as np
from PIL import Image


@dataclasses.dataclass(frozen=True)
class Augmentation:
    flip: bool = False
    scale: tuple | None = None
    crop: tuple | None = None
    jitter: int = 0
    brightness: float = 0.0


def _augment(example, rng, aug):
    image, labels = example["image"], example["labels"]
    h, w = labels.shape
    ch, cw = aug.crop
    s = np.exp(rng.uniform(*np.log(aug.scale))) if aug.scale else 1.0
    # The source region of the crop, in source pixels.
    sh, sw = min(h, ch / s), min(w, cw / s)
    y, x = rng.uniform(0, h - sh), rng.uniform(0, w - sw)
    oh, ow = min(ch, round(sh * s)), min(cw, round(sw * s))
    box = (x, y, x + sw, y + sh)
    im = Image.fromarray(image).resize((ow, oh), Image.Resampling.BILINEAR, box=box)
    lb = Image.fromarray(labels).resize((ow, oh), Image.Resampling.NEAREST, box=box)
    image = np.full((ch, cw, 3), (123, 117, 104), np.uint8)
    labels = np.full((ch, cw), 255, np.uint8)
    image[:oh, :ow], labels[:oh, :ow] = im, lb
    if aug.flip and rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    if aug.brightness:
        f = 1 + rng.uniform(-aug.brightness, aug.brightness)
        image = np.clip(image * np.float32(f), 0, 255).astype(np.uint8)
    return {"image": np.ascontiguousarray(image), "labels": np.ascontiguousarray(labels), "sizes": np.int32([ch, cw])}


def train_batches(source, *, batch_size, seed, num_classes, augmentation, canvas=None, with_replacement=False, start_step=0, num_threads=2):
    ds = grain.MapDataset.source(source).seed(seed).shuffle().repeat(None)
    ds = ds.random_map(lambda e, rng: _augment(e, rng, augmentation))
    ds = ds.batch(batch_size)[start_step:]
    it = iter(ds.to_iter_dataset(grain.ReadOptions(num_threads=num_threads, prefetch_buffer_size=16)))
    yield from it


def eval_batches(source, *, batch_size, num_classes, scales=(1.0,)):
    H, W = source.image_sizes().max(0)
    for start in range(0, len(source), batch_size):
        idx = np.arange(start, min(start + batch_size, len(source)))
        b = {
            "image": np.zeros((batch_size, H, W, 3), np.uint8),
            "labels": np.full((batch_size, H, W), 255, np.uint8),
            "sizes": np.ones((batch_size, 2), np.int32),
            "example_valid": np.zeros(batch_size, bool),
            "index": np.full(batch_size, -1, np.int32),
            "id": [""] * batch_size,
        }
        for s in scales:
            if s != 1:
                b[f"image@{s:g}"] = np.zeros((batch_size, round(H * s), round(W * s), 3), np.uint8)
                b[f"sizes@{s:g}"] = np.ones((batch_size, 2), np.int32)
        for r, i in enumerate(idx):
            e = source[int(i)]
            h, w = e["labels"].shape
            b["image"][r, :h, :w], b["labels"][r, :h, :w] = e["image"], e["labels"]
            b["sizes"][r], b["example_valid"][r], b["index"][r] = (h, w), True, i
            b["id"][r] = e["id"]
            for s in scales:
                if s != 1:
                    sh, sw = round(h * s), round(w * s)
                    im = Image.fromarray(e["image"]).resize((sw, sh), Image.Resampling.BILINEAR)
                    b[f"image@{s:g}"][r, :sh, :sw] = im
                    b[f"sizes@{s:g}"][r] = sh, sw
        yield b
