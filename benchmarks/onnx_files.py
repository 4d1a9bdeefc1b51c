"""A full-width network as an ONNX file: its size, the time it takes, how far it is off.

python -m benchmarks.onnx_files --model=fcn8s
python -m benchmarks.onnx_files --model=deconvnet --precision=float16
python -m benchmarks.onnx_files --smoke  # a narrow network

Weights are random, of the size that training leaves. Times the writing and its checks
(`fcn_jax.to_onnx.checking`), then onnxruntime and the jitted network on an image of
500x375, in turns; medians. Prints JSON.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import onnx

import fcn_jax
from benchmarks.common import machine
from fcn_jax import models, to_onnx
from fcn_jax.data import label_sets
from fcn_jax.to_onnx import checking, writing
from tests.support import cases


def seconds_a_call(path: Path, model, variables, repeats: int) -> tuple[float, float]:
    """Of onnxruntime and of the jitted network, on a photograph of VOC's size."""
    images = np.random.default_rng(0).integers(0, 256, (1, 375, 500, 3), np.uint8)
    session = checking.session(str(path))
    run = jax.jit(lambda v, x: model.apply(v, fcn_jax.preprocess(x)))
    calls = (
        lambda: session.run(None, {"images": images}),
        lambda: run(variables, images).block_until_ready(),
    )
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(repeats + 1):  # The first compiles, and does not count.
        for call, of_call in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            of_call.extend([time.perf_counter() - start] if i else [])
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="fcn8s", choices=models.MODELS)
    parser.add_argument("--precision", default="float32", choices=to_onnx.PRECISIONS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="a narrow network")
    arguments = parser.parse_args()
    width = 1 / 32 if arguments.smoke else 1
    model = fcn_jax.create(arguments.model, 21, width=width)
    variables = cases.random_variables(model)
    with tempfile.TemporaryDirectory() as folder:
        path, start = Path(folder) / "net.onnx", time.perf_counter()
        checks = writing.export_onnx(
            path,
            model,
            variables,
            classes=label_sets.VOC.classes,
            palette=label_sets.VOC.palette,
            precision=arguments.precision,
        )
        took = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        theirs, ours = seconds_a_call(path, model, variables, arguments.repeats)
        report = {
            "model": arguments.model,
            "precision": arguments.precision,
            "file_mib": path.stat().st_size / 2**20,
            "written_and_checked_seconds": took,
            "process_peak_gib": peak,
            "largest_difference": max(check.difference for check in checks),
            "onnxruntime_seconds_an_image": theirs,
            "jitted_seconds_an_image": ours,
            "onnx": onnx.__version__,
            "onnxruntime": checking.version(),
            **machine.describe(),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
