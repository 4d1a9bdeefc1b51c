#!/usr/bin/env bash
# A float16 model whose maps leave float16's range (65,504) gives good numbers in
# onnxruntime 1.32.0 on a CPU, also with every optimisation off: convolutions are computed
# in float32 there and the maps between them are never rounded to the float16 that the
# model declares. onnx 1.23.2's evaluator gives infinity for the same file, as hardware
# that has float16 does. So "converted to float16 and checked with onnxruntime" says
# nothing about whether the net still works where it is meant to run: the maps have to be
# looked at.
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


def constant(name, value):
    array = np.full((1, 1, 1, 1), value, np.float16)
    return onnx.numpy_helper.from_array(array, name)


def one(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 1, 1])


nodes = [
    helper.make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16),
    helper.make_node("Conv", ["half", "thousand"], ["million"]),
    helper.make_node("Relu", ["million"], ["still"]),
    helper.make_node("Conv", ["still", "thousandth"], ["back"]),
    helper.make_node("Cast", ["back"], ["y"], to=TensorProto.FLOAT),
]
weights = [constant("thousand", 1000), constant("thousandth", 0.001)]
graph = helper.make_graph(nodes, "overflow", [one("x")], [one("y")], weights)
opsets = [helper.make_opsetid("", 22)]
model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
onnx.checker.check_model(model, full_check=True)
feeds = {"x": np.full((1, 1, 1, 1), 1000, np.float32)}

found = {}
for level in ("ORT_ENABLE_ALL", "ORT_DISABLE_ALL"):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(
        onnxruntime.GraphOptimizationLevel, level
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    found[level] = float(session.run(None, feeds)[0].item())
with np.errstate(over="ignore"):
    found["evaluator"] = float(ReferenceEvaluator(model).run(None, feeds)[0].item())
print(f"1000 x 1000 x 0.001 in float16, whose largest number is 65504: {found}")
assert np.isinf(found.pop("evaluator"))
assert all(abs(value - 1000) < 1 for value in found.values()), found
PYTHON
