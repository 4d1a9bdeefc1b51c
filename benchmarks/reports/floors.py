"""What the page of measurements says of floors, single layers and many devices."""

from benchmarks.reports import cells
from benchmarks.reports.parity_report import table
from benchmarks.roofline import roofline, scaling

_SLOW_GRADIENT = """## Where XLA was behind

On the CPU the gradient of a 3x3 kernel was the slowest of XLA's products in all but the
last stages. From 64 input channels on it is taken there as a sum over blocks of four
rows (more on narrow maps with many channels): the product of the block's output
gradient and of its windows. This is done in `fcn_jax/ops/convolution.py`; models do not
see it, and other devices keep XLA's own. How much is won depends on the processor: on a
core of an AMD EPYC with AVX-512, from 64 channels on, XLA's own reached 17 to 51
GFLOP/s, ours 48 to 74, PyTorch's 53 to 68 (`python -m benchmarks.convolutions --threads
1`, commit a99b8f5, jax 0.10.2, torch 2.13, beside other work).

Where one device trains alone nothing is summed over devices: XLA copies all gradients
for that sum on a CPU, 3.73 s of a core for a step of DeconvNet at full width in place
of 3.27 (one 224x224 image, the same processor and commit).

In the body of a loop, where micro-batches accumulate, XLA does not bring the gradients
of convolutions into the form that it is fast at: there all are written in that form.

fc6-deconv makes 7x7 cells of every cell: one product would rearrange its kernel,
411 MB, in each pass. Where cells are few, as in training at 224x224, every position of
the kernel has a product of its own (`fcn_jax/ops/bilinear.py`).

## What is not computed twice

Most of the 100 pixels that Caffe's FCNs put around an image look alike, and so do the
maps of them. They are computed once and put in after pool1, pool2 and pool3
(`fcn_jax/ops/wide_padding.py`): the same logits and gradients, with 0.42 of the pixels
in conv1, 0.48 in conv2 and 0.66 in conv3 for a 320x320 image. PyTorch computes all of
them, and the floors below count all of them. `full_padding=True` does so here.

## Memory between steps

The buffers of a step are allocated anew each time, and go back to the system after it;
`train.py` has the C library keep them (`fcn_jax/runtime.py`). A training step of
FCN-8s, 320x320, alone in its process, took 3.98 s without this and 3.67 s with it
(medians of 3 and 2, `benchmarks/networks.py --sides ours` at commits 26f5054 and
b1357b0, 2 cores of an Intel Xeon). The price is memory. PyTorch has a way of its own.

## What stands in the way of the goals on a CPU

Measured on 2 cores of an AMD EPYC with AVX2 (commit 97486ecf, jax 0.10.2, torch 2.13).

Peak memory of FCN-8s' training, 3,223 MiB beside 3,168: at a fiftieth of the width the
processes take 717 and 564 (`python -m benchmarks.networks --model fcn8s --task training
--size 320 320 --width 0.02`), XLA and the program that it makes against PyTorch. What
the network adds to that is less than in PyTorch; it was 800 MiB more before its loss
took scores that are not upsampled.

Pooling, unpooling and their gradients, 4.3 copies: they read and write at least 5.25
maps, 2.6 copies, with switches of a byte a window. A copy of these maps, which fit a
cache of this processor, is fast, and they also compare and select.

Proposals: XLA's forward convolutions reach 109 to 165 GFLOP/s below and PyTorch's 164
to 196. At a quarter of the width the network alone takes 1.04 to 1.06 times PyTorch's
time, and windows are cut out, and laid back, one by one. At full width 50 of them take
31.0 s where PyTorch takes 32.1 (`python -m benchmarks.deconvnet --width 1`).

Images of mixed sizes: FCN-8s wins what it does not compute twice, above, which is less
for larger images (1.49 times as fast at 320x320), and images are padded to sizes that
are compiled. Of twelve images 17 % of the pixels are padding. From some dozens of them
on, more sizes are compiled on a CPU, where that saves the work of eight images: of 200
the padding is 24 % in place of 41 %.

`benchmarks/convolutions.py` times the convolutions, GFLOP/s, best of several calls:"""

_STAGES = """## Floors

FLOPs and bytes are counted from the layer lists (`benchmarks/roofline/roofline.py`): a
convolution reads its input and kernel and writes its output once. The floor is the
larger of the FLOPs at the rate of a matrix product and the bytes at the speed of a
copy, layer by layer, both measured in the same run; the gap is the measured time over
the floor.
Every stage is timed by itself; `head` and `seg-score` are not timed."""

_SCALING = """## Data-parallel training: a calculation

Nothing here is measured. A step of {batch} images a chip in bfloat16, its gradients
summed as float32 by a ring all-reduce: of B bytes each of n chips sends
2 B (n - 1) / n. A chip is taken to compute at {share:.0f} % of its published peak, the
goal of this project. "waiting": the all-reduce after the backward pass; "hidden":
beside it, where it has two thirds of the compute to hide behind. Assumptions
(`benchmarks/roofline/scaling.py`): {links}."""


def sections(found):
    """Single layers and floors of the devices, and the calculation of many.

    Args:
        found: By device, by name of the measurement.
    """
    parts = [_SLOW_GRADIENT, _products(found.get("cpu", {})), _STAGES]
    for device in ("cpu", "gpu"):
        parts += _stage_tables(device, found.get(device, {}).get("stages", {}))
    return parts + _scaling()


def _products(measured):
    """The products of single layers on the CPU."""
    if why := cells.reason(measured, "convolutions"):
        return f"U{why[1:]}."
    report = measured["convolutions"]
    columns = {
        "output": "output",
        "output_pytorch": "PyTorch's",
        "input": "gradient of the input",
        "input_pytorch": "PyTorch's",
        "kernel_xla": "of the kernel, XLA's",
        "kernel_ours": "ours",
        "kernel_pytorch": "PyTorch's",
    }
    rows = []
    for layer in report["layers"]:
        side, channels, features = layer["layer"]
        rates = [layer["gflop_rate"].get(name) for name in columns]
        found = [cells.UNMEASURED if rate is None else f"{rate:.0f}" for rate in rates]
        rows.append((f"{side}x{side}, {channels} to {features}", *found))
    head = ("layer", *columns.values())
    return f"{table(head, rows)}\n\n{_in_loop(report)}\n\n{cells.load(report)}".strip()


def _in_loop(report):
    side, channels, features = report["in_loop"]["layer"]
    rates = report["in_loop"]["gflop_rate"]
    return (
        f"In a loop, a step of {side}x{side}, {channels} to {features}, output and "
        f"both gradients: {rates['xla']:.1f} left to XLA, {rates['ours']:.0f} as here."
    )


def _stage_tables(device, report):
    if not report or isinstance(report.get("unmeasured"), str):
        text = f"### {device.upper()}\n\nFloors and times unmeasured."
        if device == "gpu":
            return [text]
        counted = [_counts("FCN-8s, one 320x320 image", roofline.fcn8s(320, 320))]
        counted.append(_counts("DeconvNet, one 224x224 image", roofline.deconv_net()))
        return [text, *counted]
    head = ["stage"]
    head += ["GFLOP", "MB", "floor", "measured", "gap"]
    head += ["GFLOP, training", "MB", "floor", "measured", "gap"]
    size = "x".join(map(str, report["size"]))
    parts = [
        f"### {device.upper()}\n\nMatrix product {report['flop_rate'] / 1e9:.0f} "
        f"GFLOP/s, copy {report['bandwidth'] / 1e9:.1f} GB/s, {report['dtype']}, batch "
        f"{report['batch']}, width {report['width']:g}. {cells.load(report)}"
    ]
    for net, title in (
        ("fcn8s", f"FCN-8s, {size}"),
        ("deconvnet", "DeconvNet, 224x224"),
    ):
        rows = []
        for name, stage in report[net].items():
            row = [name]
            for kind, prefix in (("forward", ""), ("training", "training_")):
                floor = stage["floor"][kind]
                seconds = stage["seconds"] and stage["seconds"][kind]
                row += [
                    f"{stage[prefix + 'flops'] / 1e9:.2f}",
                    f"{stage[prefix + 'bytes'] / 1e6:.1f}",
                    cells.seconds(floor),
                    cells.seconds(seconds) if seconds else cells.UNMEASURED,
                    f"{seconds / floor:.1f}" if seconds else "",
                ]
            rows.append(row)
        parts.append(f"**{title}**\n\n{table(head, rows)}")
    return parts


def _counts(title, layers):
    head = ("stage", "GFLOP", "MB", "GFLOP, training", "MB, training")
    rows = [
        (
            stage,
            f"{t['flops'] / 1e9:.2f}",
            f"{t['bytes'] / 1e6:.1f}",
            f"{t['training_flops'] / 1e9:.2f}",
            f"{t['training_bytes'] / 1e6:.1f}",
        )
        for stage, t in roofline.totals(layers).items()
    ]
    return f"**{title}**\n\n{table(head, rows)}"


def _scaling():
    rows = scaling.table()
    links = "; ".join(
        f"{m.name}: {m.flop_rate / 1e12:.0f} TFLOP/s, {m.near / 1e9:.0f} GB/s to a "
        f"neighbour, {m.far / 1e9:.0f} GB/s between nodes of {m.node}, "
        f"{1e6 * m.latency:g} microseconds a message"
        for m in scaling.MACHINES
    )
    text = _SCALING.format(
        batch=rows[0]["batch"], share=100 * scaling.UTILISATION, links=links
    )
    head = ("net, chip", "compute", "gradients", "efficiency", *map(str, scaling.CHIPS))
    lines = []
    for net, machine in dict.fromkeys((r["net"], r["machine"]) for r in rows):
        these = [r for r in rows if (r["net"], r["machine"]) == (net, machine)]
        start = (
            f"{net}, {machine}",
            cells.seconds(these[0]["compute"]),
            f"{these[0]['gradient_bytes'] / 1e6:.0f} MB",
        )
        for kind in ("waiting", "hidden"):
            shares = [f"{100 * r[kind]:.0f} %" for r in these]
            lines.append((*start, kind, *shares))
    return [text, table(head, lines)]
