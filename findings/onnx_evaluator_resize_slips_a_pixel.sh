#!/usr/bin/env bash
# The evaluator of the onnx package, by which runtimes and exports are tested, gives wrong
# values in linear and cubic Resize at pixels that fall on a pixel of the input, for about
# one pair of sizes in a hundred: the coordinate comes out as 3.0000000000000004, the
# evaluator's sum with a pad drops the last bit, and the weights are applied one pixel to
# the left. A map of 7 cells resized to 17 (half_pixel, as bilinear upsampling is) is
# right everywhere but in the middle, where the value is that of the neighbour:
#   2.18 2.59 2.00 3.41 3.82, of a ramp whose middle is 3.00.
# An export that is right then differs from "the standard" by whole logits, in full rows
# and columns of the map. 7 to 16 and to 18 are right.
#
# Seen with onnx 1.23.2 and numpy 2.4.6; onnxruntime 1.32.0 is right. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def model(width, mode):
    shape = np.array([1, 1, 1, width], np.int64)
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode=mode)],
        "resizing",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 1, None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, width])],
        [numpy_helper.from_array(shape, "sizes")],
    )
    opsets = [helper.make_opsetid("", 19)]
    found = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(found, full_check=True)
    return found


def true(before, after):
    """A ramp of `before` cells in `after` ones: its coordinates, cut at the borders."""
    scale = Fraction(before, after)
    exact = ((y + Fraction(1, 2)) * scale - Fraction(1, 2) for y in range(after))
    return np.array([float(min(max(x, 0), before - 1)) for x in exact])


wrong = {}
for before, after in ((7, 16), (7, 17), (7, 18), (7, 75), (8, 64), (9, 87), (16, 500)):
    ramp = np.arange(before, dtype=np.float32).reshape(1, 1, 1, -1)
    linear = model(after, "linear")
    session = onnxruntime.InferenceSession(linear.SerializeToString())
    expected = true(before, after)
    theirs = session.run(None, {"x": ramp})[0].ravel()
    assert np.abs(theirs - expected).max() < 1e-4, (before, after)
    found = ReferenceEvaluator(linear).run(None, {"x": ramp})[0].ravel()
    error = np.abs(found - expected)
    print(f"{before} to {after}: off by up to {error.max():.2f}")
    if error.max() > 0.5:
        wrong[before, after] = error.argmax().item()
assert list(wrong) == [(7, 17), (7, 75), (9, 87)], wrong

ramp = np.arange(7, dtype=np.float32).reshape(1, 1, 1, -1)
for mode in ("linear", "cubic"):
    found = ReferenceEvaluator(model(17, mode)).run(None, {"x": ramp})[0].ravel()
    print(f"{mode}, 7 to 17: {found[6:11].round(2).tolist()}")
    assert found[8] < 2.5, "mended"
PYTHON
