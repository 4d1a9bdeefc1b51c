"""Scores of every pixel by three ways: what each takes in time and memory.

python -m benchmarks.dense_scores                   # 224x224 pixels, a narrow FCN-32s
python -m benchmarks.dense_scores --side 320 --width 0.25
python -m benchmarks.dense_scores --smoke           # tiny, by shifts of 4 pixels

The three: scores at stride 32, upsampled bilinearly; shift-and-stitch, which scores
the image at all its 32x32 shifts; the same net without strides, its filters dilated.
The last two give the same scores where a cell sees nothing of the padding: `difference`
is the largest there, of the largest score (left out if there is no such cell). Prints
JSON: `seconds`, those of all cores together (`cpu_seconds`), and the MiB that the
compiled program takes beside its arguments (`mib`; of shift-and-stitch for the shifts
at once, and the scores of all). With --table a table.
"""

import argparse
import json
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax.typing import VariableDict

import fcn_jax
from benchmarks.common import machine
from fcn_jax import runtime
from fcn_jax.inference import shift_and_stitch
from fcn_jax.models.fcn import FCN

AT_ONCE = 32  # Shifts.
_MIB = 2**20
# Image pixels that a cell sees before its own: paddings of VGG-16 with padding "same".
_REACH = 186


def timed(call: Callable[[], jax.Array]) -> tuple[np.ndarray, dict[str, float]]:
    """What a call gives, and the seconds it takes once it is compiled."""
    jax.block_until_ready(call())
    start, spent = time.perf_counter(), time.process_time()
    found = jax.block_until_ready(call())
    return np.asarray(found), {
        "seconds": round(time.perf_counter() - start, 3),
        "cpu_seconds": round(time.process_time() - spent, 3),
    }


def _mib(compiled: jax.stages.Compiled) -> float:
    needs = compiled.memory_analysis()
    return (needs.temp_size_in_bytes + needs.output_size_in_bytes) / _MIB


def upsampled(
    model: FCN, variables: VariableDict, images: jax.Array
) -> dict[str, float]:
    """What the network takes as it is."""
    compiled = jax.jit(model.apply).lower(variables, images).compile()
    _, took = timed(lambda: compiled(variables, images))
    return {**took, "mib": round(_mib(compiled), 1)}


def by_shifts(
    model: FCN, variables: VariableDict, images: jax.Array
) -> tuple[np.ndarray, dict[str, float]]:
    """Scores by all shifts (without strides there is one), and what that takes."""
    some = jnp.array(list(shift_and_stitch.shifts(model.encoder.stride))[:AT_ONCE])
    scored = shift_and_stitch._top_scores.lower(variables, images, some, model=model)
    mib = _mib(scored.compile())

    def scores():
        return shift_and_stitch.network_scores(
            variables, images, model=model, at_once=AT_ONCE
        )

    found, took = timed(scores)
    if len(some) > 1:
        mib += found.nbytes / _MIB
    return found, {**took, "mib": round(mib, 1)}


def drawn(model: FCN, images: jax.Array) -> VariableDict:
    """Variables of which few are zero, that keep the size of maps."""
    rng = np.random.default_rng(0)

    def draw(leaf: jax.ShapeDtypeStruct):
        if len(leaf.shape) == 1:
            return jnp.full(leaf.shape, 0.1, leaf.dtype)
        fan_in = np.prod(leaf.shape[:-1])
        return jnp.asarray(
            rng.normal(size=leaf.shape) * (2 / fan_in) ** 0.5, leaf.dtype
        )

    return jax.tree.map(draw, jax.eval_shape(model.init, jax.random.key(0), images))


def measure(side: int, width: float, stride: int) -> dict[str, dict[str, float]]:
    """All three ways; `stride` of the first two (32: that of VGG-16)."""
    model = fcn_jax.create(
        "fcn32s", padding="same", width=width, fc_features=1024, output_stride=stride
    )
    noise = np.random.default_rng(1).normal(size=(1, side, side, 3))
    images = jnp.asarray(noise, jnp.float32)
    variables = drawn(model, images)
    rows = {"upsampled by 32": upsampled(model, variables, images)}
    stitched, rows["shift-and-stitch"] = by_shifts(model, variables, images)
    dense = model.with_encoder(output_stride=1)
    scores, rows["dilated"] = by_shifts(dense, variables, images)
    clear = np.s_[:, _REACH + stride - 1 :, _REACH + stride - 1 :]
    ours, theirs = stitched[clear], scores[clear]
    if ours.size:
        far = np.abs(ours - theirs).max() / np.abs(theirs).max()
        rows["dilated"]["difference"] = float(far)
    return rows


def table(rows: dict[str, dict[str, float]]) -> str:
    """As Markdown."""
    lines = ["| dense scores by | seconds | of all cores | MiB |", "| --- " * 4 + "|"]
    for name, found in rows.items():
        cells = [f"{found[key]:g}" for key in ("seconds", "cpu_seconds", "mib")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=224, help="of the image, pixels")
    parser.add_argument("--width", type=float, default=1 / 16, help="of the net")
    parser.add_argument("--table", action="store_true", help="Markdown, no JSON")
    parser.add_argument("--smoke", action="store_true", help="tiny, at stride 4")
    arguments = parser.parse_args()
    runtime.prepare()
    stride = 32
    if arguments.smoke:
        arguments.side, arguments.width, stride = 16, 1 / 64, 4
    rows = measure(arguments.side, arguments.width, stride)
    if arguments.table:
        print(table(rows))
    else:
        report = {"rows": rows, "side": arguments.side, "width": arguments.width}
        print(json.dumps({**report, **machine.describe()}, indent=2))


if __name__ == "__main__":
    main()
