#!/usr/bin/env bash
# ONNX's MaxPool with ceil_mode=1 pools a map of odd sides: its last windows see what is
# there, and its indices point into the map. MaxUnpool takes these indices and an
# output_shape, and would be expected to undo it. It cannot: the shape of the map that
# was pooled is "smaller than the minimum", since 3 windows of 2 make 6. The checker
# passes the model; onnxruntime 1.32.0 and onnx 1.23.2's own evaluator both end in an
# error. (PyTorch's MaxUnpool2d takes the 5x5 as output_size.)
#
# Nor do the two agree on what an index means where output_shape is larger than 2 x 2
# cells make: onnxruntime counts in the map of output_shape (index 5 of a 5x5 map is row
# 1, column 0), the evaluator in the 4x4 that kernel and strides make (row 1, column 1).
# SegNet and DeconvNet, whose poolings round up as Caffe's do, need another way to unpool.
#
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

UNPOOL = {"kernel_shape": [2, 2], "strides": [2, 2]}


def model(nodes, inputs):
    given = [helper.make_tensor_value_info(n, kind, s) for n, kind, s in inputs]
    made = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)]
    graph = helper.make_graph(nodes, "unpooling", given, made)
    opsets = [helper.make_opsetid("", 22)]
    found = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(found, full_check=True)
    return found


def by_both(found, feeds):
    session = onnxruntime.InferenceSession(found.SerializeToString())
    sides = {"onnxruntime": session, "evaluator": ReferenceEvaluator(found)}
    for name, side in sides.items():
        try:
            yield name, side.run(None, feeds)[0][0, 0]
        except Exception as error:
            yield name, f"{type(error).__name__}: {error}"


pooled = model(
    [
        helper.make_node("MaxPool", ["x"], ["p", "i"], ceil_mode=1, **UNPOOL),
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("MaxUnpool", ["p", "i", "s"], ["y"], **UNPOOL),
    ],
    [("x", TensorProto.FLOAT, [None] * 4)],
)
odd = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
for name, found in by_both(pooled, {"x": odd}):
    print(f"5x5, pooled and unpooled by {name}: {found}")
    assert isinstance(found, str), f"{name} unpools odd sizes now"

larger = model(
    [helper.make_node("MaxUnpool", ["p", "i", "s"], ["y"], **UNPOOL)],
    [
        ("p", TensorProto.FLOAT, [1, 1, 2, 2]),
        ("i", TensorProto.INT64, [1, 1, 2, 2]),
        ("s", TensorProto.INT64, [4]),
    ],
)
feeds = {
    "p": np.array([[[[5, 6], [7, 8]]]], np.float32),
    "i": np.array([[[[5, 7], [13, 15]]]]),
    "s": np.array([1, 1, 5, 5]),
}
places = {}
for name, found in by_both(larger, feeds):
    places[name] = [tuple(int(n) for n in place) for place in np.argwhere(found == 5)]
    print(f"the value 5 of index 5, by {name}: row and column {places[name]}")
assert places == {"onnxruntime": [(1, 0)], "evaluator": [(1, 1)]}, places
PYTHON
