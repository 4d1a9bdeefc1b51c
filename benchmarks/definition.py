"""A network as its authors' file defines it, executed in PyTorch, beside ours.

python -m benchmarks.definition voc-fcn-alexnet/val.prototxt --model fcn_alexnet
python -m benchmarks.definition voc-fcn8s/val.prototxt --model fcn8s --size 97 150
python -m benchmarks.definition --smoke

The files are in shelhamer/fcn.berkeleyvision.org, each a list of layers in Caffe's text
form; data and loss layers are passed over. Both sides have the same random weights, by
the names of the layers, and the same random images; PyTorch computes in float64. Prints
JSON: of each size the largest difference of the scores, as a share of the largest, and
the share of the pixels that have another class. Knows the layers of FCN on VGG-16,
AlexNet and GoogLeNet, and nothing of unpooling.
"""

import argparse
import json
import re
from pathlib import Path

import jax
import numpy as np

import fcn_jax
from benchmarks.common import machine
from fcn_jax import training

SIZES = ((97, 150), (227, 227), (375, 500))
DATA = "data"
_PASSED_OVER = ("Python", "SoftmaxWithLoss", "Accuracy", "Input", "Data")
_TOKEN = re.compile(r'#.*|[{}]|"[^"]*"|\'[^\']*\'|[^\s{}:]+')

SMOKE = """
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 96 pad: 100 kernel_size: 11 stride: 4 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
"""


def parsed(text):
    """The layers of a file in Caffe's text form: dicts of lists."""
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith("#")]

    def block(place):
        found = {}
        while place < len(tokens) and tokens[place] != "}":
            name = tokens[place]
            if tokens[place + 1] == "{":
                value, place = block(place + 2)
            else:
                value, place = tokens[place + 1].strip("\"'"), place + 2
            found.setdefault(name, []).append(value)
        return found, place + 1

    return block(0)[0]["layer"]


def _first(part, name, default):
    """The first value of a name, of the default's type."""
    return type(default)(part.get(name, [default])[0])


def _convolution(layer, params, x, *_):
    import torch.nn.functional as F

    part = layer["convolution_param"][0]
    own = params[layer["name"][0]]
    kernel = own["kernel"].permute(3, 2, 0, 1)
    asked = (_first(part, "num_output", 0), _first(part, "kernel_size", 0))
    if (kernel.shape[0], kernel.shape[2]) != asked:
        raise ValueError(f"{layer['name'][0]}: ours is {tuple(kernel.shape)}")
    stride, pad = _first(part, "stride", 1), _first(part, "pad", 0)
    groups = _first(part, "group", 1)
    return F.conv2d(x, kernel, own["bias"], stride, pad, groups=groups)


def _pooling(layer, params, x, *_):
    import torch.nn.functional as F

    part = layer["pooling_param"][0]
    side, stride = _first(part, "kernel_size", 0), _first(part, "stride", 1)
    pad = _first(part, "pad", 0)
    if part["pool"][0] == "MAX":
        return F.max_pool2d(x, side, stride, pad, ceil_mode=True)
    return F.avg_pool2d(x, side, stride, pad, ceil_mode=True)


def _lrn(layer, params, x, *_):
    import torch.nn.functional as F

    part = layer["lrn_param"][0]
    size, alpha = _first(part, "local_size", 5), _first(part, "alpha", 1.0)
    # PyTorch divides alpha by the size too.
    return F.local_response_norm(x, size, alpha, _first(part, "beta", 0.75), k=1.0)


def _deconvolution(layer, params, x, *_):
    import torch
    import torch.nn.functional as F

    part = layer["convolution_param"][0]
    side, stride = _first(part, "kernel_size", 0), _first(part, "stride", 1)
    # Caffe's filler "bilinear", which the authors set by hand.
    factor = (side + 1) // 2
    centre = factor - 1 if side % 2 else factor - 0.5
    line = 1 - np.abs(np.arange(side) - centre) / factor
    kernel = torch.tensor(np.outer(line, line)).expand(x.shape[1], 1, side, side)
    return F.conv_transpose2d(x, kernel, stride=stride, groups=x.shape[1])


def _crop(layer, params, x, like):
    offset = _first(layer["crop_param"][0], "offset", 0)
    rows, columns = like.shape[2:]
    found = x[:, :, offset : offset + rows, offset : offset + columns]
    if found.shape[2:] != like.shape[2:]:
        raise ValueError(f"{layer['name'][0]}: {tuple(found.shape)} is too small")
    return found


def _eltwise(layer, params, x, *others):
    return sum(others, start=x)


def _scale(layer, params, x, *_):
    part = layer["scale_param"][0]
    return x * _first(part["filler"][0], "value", 1.0)


def _concat(layer, params, *maps):
    import torch

    return torch.cat(maps, dim=1)


LAYERS = {
    "Convolution": _convolution,
    "Pooling": _pooling,
    "LRN": _lrn,
    "Deconvolution": _deconvolution,
    "Crop": _crop,
    "Eltwise": _eltwise,
    "Scale": _scale,
    "Concat": _concat,
    "ReLU": lambda layer, params, x: x.relu(),
    "Dropout": lambda layer, params, x: x,
    "Split": lambda layer, params, x: x,
}


def executed(layers, params, images):
    """The last map that a definition makes of images.

    Args:
        layers: As `parsed`.
        params: float64 tensors by layer and name, kernels [kh, kw, I, O].
        images: float64 [N, channels, H, W], preprocessed.

    Returns:
        float64 [N, C, H', W'].
    """
    maps, last = {DATA: images}, images
    for layer in layers:
        kind = layer["type"][0]
        if kind in _PASSED_OVER:
            continue
        if kind not in LAYERS:
            raise ValueError(f"{layer['name'][0]} is a {kind}, which is not known here")
        last = LAYERS[kind](layer, params, *(maps[name] for name in layer["bottom"]))
        maps |= dict.fromkeys(layer["top"], last)
    return last


def compared(layers, model, params, size, rng):
    """How far the scores of both are apart, of an image of a size."""
    import torch

    image = rng.normal(0, 50, (1, *size, 3)).astype(np.float32)
    ours = jax.jit(lambda p, x: model.apply({"params": p}, x, train=False))
    found = np.asarray(ours(params, image))
    tensors = jax.tree.map(lambda x: torch.tensor(np.asarray(x)).double(), params)
    seen = torch.tensor(image).permute(0, 3, 1, 2).double()
    theirs = executed(layers, tensors, seen).permute(0, 2, 3, 1).numpy()
    if theirs.shape != found.shape:
        raise ValueError(f"theirs is {theirs.shape}, ours {found.shape}")
    return {
        "size": list(size),
        "difference": float(np.abs(found - theirs).max() / np.abs(theirs).max()),
        "other_class": float(np.mean(found.argmax(-1) != theirs.argmax(-1))),
    }


def random_params(model, rng):
    """Parameters of which none is 0, as the scores and biases of a new FCN are."""
    params = training.init_variables(model, 0)["params"]

    def drawn(x):
        zero = not np.asarray(x).any()
        return rng.normal(0, 0.05, x.shape).astype(np.float32) if zero else x

    return jax.tree.map(drawn, dict(params))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", help="of the authors, .prototxt")
    parser.add_argument("--model", default="fcn_alexnet")
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--size", type=int, nargs=2, help="of the image; three sizes")
    parser.add_argument("--smoke", action="store_true", help="two layers")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    if arguments.smoke:
        import torch

        kernel = torch.randn(11, 11, 3, 96, dtype=torch.float64)
        params = {"conv1": {"kernel": kernel, "bias": torch.zeros(96).double()}}
        images = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
        shape = executed(parsed(SMOKE), params, images).shape
        print(json.dumps({"shape": list(shape), **machine.describe()}, indent=2))
        return
    if not arguments.file:
        parser.error("FILE.prototxt is missing; see the head of this benchmark")
    layers = parsed(Path(arguments.file).read_text("utf-8"))
    model = fcn_jax.create(arguments.model, arguments.classes)
    params = random_params(model, rng)
    sizes = [tuple(arguments.size)] if arguments.size else SIZES
    found = [compared(layers, model, params, size, rng) for size in sizes]
    report = {**vars(arguments), "found": found, **machine.describe()}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
