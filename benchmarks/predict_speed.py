"""How fast a folder of photographs is predicted, beside the network alone.

python -m benchmarks.predict_speed                      # 48 JPEGs of 500x375
python -m benchmarks.predict_speed --width 1 --images 16 --overlays
python -m benchmarks.predict_speed --smoke              # tiny

Sides, in turns and in one process each where that is a CPU: `ours`, what `fcn_jax
predict` does (JPEGs read, predicted, label PNGs written); `bare`, the same network on
batches that are in memory already, its labels left on the device; `pytorch`, a loop
over the same layers in PyTorch, an image at a time, that reads and writes the same
files. Prints JSON: medians in seconds, images a second, and `share`: the speed of ours
relative to that of each other side, whose goals are 0.8 of the bare network and 1.5
times the loop. Without PyTorch that side is left out.
"""

import argparse
import functools
import importlib.util
import io
import itertools
import json
import tempfile
from pathlib import Path

import jax
import numpy as np
from PIL import Image

import fcn_jax
from benchmarks.common import machine, timing
from fcn_jax import runtime, training
from fcn_jax.data import photos
from fcn_jax.data.label_sets import voc_palette
from fcn_jax.runs import looking, prediction
from fcn_jax.weights import saving

CLASSES = 21
GOALS = {"bare": 0.8, "pytorch": 1.5}
SIDES = ("ours", "bare", "pytorch")


def draw_photos(folder, count, size):
    """JPEGs of smooth noise, which take about as long to read as photographs."""
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)
        image.save(folder / f"{number:05}.jpg", quality=90)


def make_model(arguments):
    return fcn_jax.create("fcn8s", CLASSES, width=arguments.width, padding="same")


def our_call(arguments):
    """Predicts the folder anew."""
    runtime.prepare()
    model, place = make_model(arguments), Path(arguments.place)
    run = place / "run"
    if not run.exists():
        variables = training.init_variables(model, 0)
        saving.save_weights(run, variables, model)
    net = fcn_jax.load(run)
    listed = photos.listed([str(place / "photos")], io.BytesIO())
    options = looking.Options(overlays=arguments.overlays)
    numbers = itertools.count()

    def call():
        out = place / f"ours{next(numbers)}"
        tally = prediction.predict(net, listed, out, options)
        assert tally.done == arguments.images, tally

    return call


def bare_call(arguments):
    """Predicts batches in memory."""
    runtime.prepare()
    model = make_model(arguments)
    variables = training.init_variables(model, 0)
    shape = (arguments.batch, *arguments.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    images = jax.device_put(images)

    @jax.jit
    def infer(variables, images):
        logits = model.apply(variables, fcn_jax.preprocess(images))
        return logits.argmax(-1).astype(np.uint8)

    def call():
        for _ in range(arguments.images // arguments.batch):
            found = infer(variables, images)
        jax.block_until_ready(found)

    return call


def torch_call(arguments):
    """Reads, predicts and writes an image at a time."""
    import torch

    from benchmarks.peers import pytorch_nets

    torch.set_num_threads(arguments.threads)
    device = machine.torch_device()
    options = {"width": arguments.width, "padding": "same"}
    net = pytorch_nets.create("fcn8s", CLASSES, **options)
    net = pytorch_nets.draw_weights(net).eval()
    net = net.to(device, memory_format=torch.channels_last)
    mean = torch.tensor([104.00699, 116.66877, 122.67892], device=device)
    place = Path(arguments.place)
    palette = voc_palette().reshape(-1).tolist()
    out = place / "pytorch"
    out.mkdir(exist_ok=True)

    def call():
        for path in sorted((place / "photos").iterdir()):
            with Image.open(path) as photo:
                image = np.array(photo.convert("RGB"))[:, :, ::-1].copy()
            with torch.inference_mode():
                x = torch.from_numpy(image).to(device).float() - mean
                labels = net(x.permute(2, 0, 1)[None])[0].argmax(0)
            labels = Image.fromarray(labels.to(torch.uint8).cpu().numpy())
            labels.putpalette(palette)
            labels.save(out / f"{path.stem}.png")

    return call


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--size", type=int, nargs=2, default=[375, 500])
    parser.add_argument("--batch", type=int, default=8, help="of the bare network")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--overlays", action="store_true", help="ours writes them too")
    parser.add_argument("--sides", choices=SIDES, nargs="+", default=SIDES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.images, arguments.batch, arguments.size = 4, 2, [40, 48]
        arguments.width, arguments.repeats = 1 / 64, 1
    makers = {"ours": our_call, "bare": bare_call, "pytorch": torch_call}
    sides = set(arguments.sides)
    if importlib.util.find_spec("torch") is None:
        sides.discard("pytorch")
    with tempfile.TemporaryDirectory() as place:
        arguments.place = place
        (Path(place) / "photos").mkdir()
        draw_photos(Path(place) / "photos", arguments.images, arguments.size)
        makers = {
            side: functools.partial(make, arguments)
            for side, make in makers.items()
            if side in sides
        }
        apart = machine.sides_apart(makers)
        found = timing.in_turns(makers, arguments.repeats, warm_up=1, apart=apart)
    del arguments.place
    share = {side: 1 / ratio for side, ratio in found["ratio"].items()}
    report = {
        **vars(arguments),
        **found,
        "images_per_second": {
            side: arguments.images / seconds
            for side, seconds in found["seconds"].items()
        },
        "share": share,
        "goals": GOALS,
        "goals_met": {side: share[side] >= GOALS[side] for side in share},
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
