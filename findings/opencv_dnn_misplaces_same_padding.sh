#!/usr/bin/env bash
# cv2.dnn of OpenCV 5 reads ONNX files whose paddings it then places otherwise than ONNX
# says, and reports nothing, by its classic engine and by its new one:
# - Conv, MaxPool and AveragePool with auto_pad SAME_UPPER and stride 2, as TensorFlow's
#   and JAX's nets have them: an odd cell of padding belongs at the end; it is put at the
#   beginning, and the map is shifted by a pixel. SAME_LOWER has the opposite fault;
# - ConvTranspose with output_shape: the attribute is ignored, 16x16 come for 13x13;
# - ConvTranspose with SAME_UPPER: 11x11 come of 6x6 and stride 2, which make 12x12;
# - MaxPool with ceil_mode: windows that would begin in the padding at the end, which ONNX
#   leaves out, are kept and hold -3.4e38.
# onnxruntime 1.32.0 does as ONNX says, and with pads written out all of them agree.
#
# Seen with opencv-contrib-python-headless 5.0.0.93, onnx 1.23.2 and numpy 2.4.6.
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opencv-contrib-python-headless==5.0.0.93 \
  onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ENGINES = {name: getattr(cv2.dnn, name) for name in ("ENGINE_CLASSIC", "ENGINE_NEW")}


def by_all(operator, side, weights=None, **attributes):
    """Outputs of onnxruntime and of OpenCV's engines, for a map of 0, 1, 2, ..."""
    shape = [1, 1, side, side]
    x = np.arange(side * side, dtype=np.float32).reshape(shape)
    constants, inputs = [], ["x"]
    if weights is not None:
        kernel = np.ones((1, 1, weights, weights), np.float32)
        constants, inputs = [numpy_helper.from_array(kernel, "w")], ["x", "w"]
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, ["y"], **attributes)],
        "padding",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)],
        constants,
    )
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options)
    found = {"onnxruntime": session.run(None, {"x": x})[0][0, 0]}
    for name, engine in ENGINES.items():
        net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8), engine)
        net.setInput(x)
        found[name] = net.forward()[0, 0]
    return found


POOL = {"kernel_shape": [3, 3], "strides": [2, 2]}
TWO = {"strides": [2, 2]}
AT_END, AT_BEGINNING = {"pads": [0, 0, 1, 1]}, {"pads": [1, 1, 0, 0]}
CASES = {  # As declared, written out, and what OpenCV has instead (None: another size).
    "Conv 3x3, stride 2": (
        ("Conv", 6, 3), TWO | {"auto_pad": "SAME_UPPER"}, TWO | AT_END,
        TWO | AT_BEGINNING,
    ),
    "Conv 2x2": (
        ("Conv", 6, 2), {"auto_pad": "SAME_LOWER"}, AT_BEGINNING, AT_END,
    ),
    "MaxPool 3x3, stride 2": (
        ("MaxPool", 6), POOL | {"auto_pad": "SAME_UPPER"}, POOL | AT_END,
        POOL | AT_BEGINNING,
    ),
    "AveragePool 3x3, stride 2": (
        ("AveragePool", 6), POOL | {"auto_pad": "SAME_UPPER"}, POOL | AT_END,
        POOL | AT_BEGINNING,
    ),
    "ConvTranspose 5x5, SAME_UPPER": (
        ("ConvTranspose", 6, 5), TWO | {"auto_pad": "SAME_UPPER"},
        TWO | {"pads": [1, 1, 2, 2]}, None,
    ),
    "ConvTranspose 5x5, output_shape": (
        ("ConvTranspose", 6, 5), TWO | {"output_shape": [13, 13]},
        TWO | {"pads": [1, 1, 1, 1]}, None,
    ),
}
for name, (place, declared, written, instead) in CASES.items():
    short, long = by_all(*place, **declared), by_all(*place, **written)
    true = short.pop("onnxruntime")
    assert all(np.array_equal(y, true) for y in long.values()), (name, long)
    print(f"{name}: {true.shape}, OpenCV {[y.shape for y in short.values()]}")
    for y in short.values():
        if instead is None:
            assert y.shape != true.shape, f"{name}: mended"
        else:
            other = by_all(*place, **instead)["onnxruntime"]
            print(f"  first row {true[0].tolist()}, OpenCV {y[0].tolist()}")
            assert not np.array_equal(y, true), f"{name}: mended"
            assert np.array_equal(y, other), name

ceil = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1] * 4, "ceil_mode": 1}
found = by_all("MaxPool", 5, **ceil)
print(f"MaxPool, ceil_mode: {({k: y.tolist() for k, y in found.items()})}")
true = found.pop("onnxruntime")
for y in found.values():
    assert y.shape == (4, 4) and true.shape == (3, 3), "mended"
    assert np.array_equal(y[:3, :3], true) and (y[3] < -1e38).all()
PYTHON
