"""Weights as others store them: our variables turned back into their layouts, by hand.

`ours` are flat variables, "params/conv1_1/kernel" [rows, columns, in, out].
"""

import numpy as np

import fcn_jax
from fcn_jax.storage import trees
from tests.support import cases

# torchvision's vgg16 and vgg16_bn: the places of the convolutions in `features`.
CONVS = (
    *("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3"),
    *("conv4_1", "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3"),
)
VGG16 = dict(zip(CONVS, (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), strict=True))
VGG16_BN = dict(
    zip(CONVS, (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40), strict=True)
)
KERAS = {name: f"block{name[4]}_conv{name[6]}" for name in CONVS}


def create(name="fcn8s", **options):
    small = {"num_classes": 3, "width": 1 / 32, "fc_features": 64}
    return fcn_jax.create(name, **small | options)


def flat(variables):
    return trees.flatten(variables)


def oihw(kernel):
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))


def iohw(kernel):
    return np.ascontiguousarray(kernel.transpose(2, 3, 0, 1))


def outward(layer, kernel):
    """A kernel in the axes of Caffe, PyTorch and Chainer."""
    transposed = layer.startswith(("up", "deconv", "score2", "score4"))
    return iohw(kernel) if transposed or layer == "fc6-deconv" else oihw(kernel)


def split(ours):
    for name, x in ours.items():
        collection, layer, part = name.split("/")
        yield collection, layer, part, x


def pytorch(ours):
    """A state dict with the names of the Caffe nets, as wkentaro's."""
    parts = {"kernel": "weight", "scale": "weight", "mean": "running_mean"}
    parts |= {"var": "running_var", "bias": "bias"}
    return {
        f"{layer}.{parts[part]}": outward(layer, x) if part == "kernel" else x
        for _, layer, part, x in split(ours)
    }


def chainer(ours):
    parts = {"kernel": "W", "bias": "b"}
    return {
        f"{layer}/{parts[part]}": outward(layer, x) if part == "kernel" else x
        for _, layer, part, x in split(ours)
    }


def caffe(ours):
    """Blobs by layer; those of BatchNorm are scale and shift, [1, C, 1, 1]."""
    blobs = {}
    for collection, layer, part, x in split(ours):
        if collection == "batch_stats":
            continue
        if part == "kernel":
            x = outward(layer, x)
        elif part == "scale" or f"params/{layer}/scale" in ours:
            x = x.reshape(1, -1, 1, 1)
        blobs.setdefault(layer, [None, None])[part == "bias"] = x
    return {
        layer: tuple(b for b in both if b is not None) for layer, both in blobs.items()
    }


def by_name(blobs):
    """As the reader of `.caffemodel` returns them."""
    return {
        f"{layer}/{i}": x for layer, both in blobs.items() for i, x in enumerate(both)
    }


def trunk(ours):
    """The part that VGG-16 has too."""
    layers = (*CONVS, "fc6", "fc7")
    return {n: x for n, x in ours.items() if n.split("/")[1] in layers}


def torchvision(ours, batch_norm=False):
    """The state dict of vgg16 or vgg16_bn; its fully connected layers are 2-D."""
    places, found = VGG16_BN if batch_norm else VGG16, {}
    statistics = {"mean": "running_mean", "var": "running_var", "scale": "weight"}
    for _, layer, part, x in split(ours):
        if layer in places:
            part = {"kernel": "weight"}.get(part, part)
            found[f"features.{places[layer]}.{part}"] = oihw(x) if x.ndim > 1 else x
        elif layer.startswith("bn"):
            place = places[f"conv{layer[2:]}"] + 1
            found[f"features.{place}.{statistics.get(part, part)}"] = x
        else:
            place = {"fc6": 0, "fc7": 3}[layer]
            part = {"kernel": "weight"}.get(part, part)
            if x.ndim > 1:
                x = oihw(x).reshape(x.shape[-1], -1)  # Flattened channel by channel.
            found[f"classifier.{place}.{part}"] = x
    found["classifier.6.weight"] = np.ones((1000, 2), np.float32)
    found["classifier.6.bias"] = np.ones(1000, np.float32)
    if batch_norm:
        found["features.1.num_batches_tracked"] = np.ones((), np.float32)
    return found


def keras(ours):
    """VGG-16 of Keras 2; its fully connected layers take pixel after pixel."""
    names = KERAS | {"fc6": "fc1", "fc7": "fc2"}
    found = {}
    for _, layer, part, x in split(ours):
        if layer.startswith("fc") and x.ndim > 1:
            x = x.reshape(-1, x.shape[-1])
        found[f"{names[layer]}/{names[layer]}/{part}:0"] = x
    found["predictions/predictions/kernel:0"] = np.ones((2, 1000), np.float32)
    return found


def in_order(ours, layers):
    """Kernel and bias of some layers, as a list."""
    return [[ours[f"params/{x}/{part}"] for part in ("kernel", "bias")] for x in layers]


def numbered(convolutions, dense=(), form="layers/{layer}/vars/{part}", parts=(0, 1)):
    """As Keras numbers the layers of a class; `form` is that of Keras 3."""
    found = {}
    for kind, layers in (("conv2d", convolutions), ("dense", dense)):
        for number, arrays in enumerate(layers):
            layer = f"{kind}_{number}" if number else kind
            for part, x in zip(parts, arrays, strict=True):
                if kind == "dense":
                    x = x.reshape(-1, x.shape[-1]) if x.ndim > 1 else x
                found[form.format(layer=layer, part=part)] = x
    return found


def tensorflow(ours):
    found = {}
    for _, layer, part, x in split(ours):
        if layer.startswith("fc") and x.ndim > 1:
            x = x.reshape(-1, x.shape[-1])
        found[f"{layer}_{'W' if part == 'kernel' else 'b'}"] = x
    found["fc8_W"], found["fc8_b"] = np.ones((2, 10)), np.ones(10)
    return found


def _varint(n):
    found = bytearray()
    while n >= 0x80:
        found.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*found, n])


def _field(number, content):
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def caffemodel(blobs, v1=False, bn_inference=None, net="net"):
    """The bytes of a `.caffemodel`, in the form of today or of 2014.

    BatchNorm layers are BN layers of the forks of DeconvNet and SegNet, whose form is
    `bn_inference`.
    """
    layer_field = 2 if v1 else 100
    name_field, type_field, blobs_field = (4, 5, 6) if v1 else (1, 2, 7)
    net = _field(1, net.encode())
    for name, arrays in blobs.items():
        layer = _field(name_field, name.encode())
        is_bn = name.startswith(("bn", "debn")) or name.endswith(("-bn", "_bn"))
        if is_bn and bn_inference is not None:
            layer += _field(type_field, 43 if v1 else b"BN")
            if bn_inference:
                layer += _field(45, _field(3, 1))
        for x in arrays:
            data = _field(5, np.ascontiguousarray(x, "<f4").tobytes())
            if v1:  # Four numbers: num, channels, height, width.
                shape = (1,) * (4 - x.ndim) + x.shape
                dims = b"".join(_field(i, n) for i, n in enumerate(shape, start=1))
            else:
                dims = _field(7, _field(1, b"".join(map(_varint, x.shape))))
            layer += _field(blobs_field, dims + data)
        net += _field(layer_field, layer)
    return net


def drawn(model, seed=0):
    """Random flat variables; every kernel is asymmetric."""
    return flat(cases.random_variables(model, seed))


def counts(account):
    """matched, missing, unexpected, mismatched, as they are printed."""
    lines = [line for line in account.splitlines() if " (" in line and "): " in line]
    found = {line.split(" (")[0]: line.split("(")[1].split(")")[0] for line in lines}
    titles = ("matched", "missing", "unexpected", "mismatched")
    return tuple(int(found[title]) for title in titles)


def folded(ours):
    """The inference form: scale / sqrt(var + eps), shift - scale mean / sqrt(...)."""
    found = {}
    for name, x in ours.items():
        collection, layer, part = name.split("/")
        if collection == "batch_stats":
            continue
        if f"batch_stats/{layer}/var" in ours:
            mean, var, scale = (
                ours[f"{kind}"].astype(np.float64)
                for kind in (
                    f"batch_stats/{layer}/mean",
                    f"batch_stats/{layer}/var",
                    f"params/{layer}/scale",
                )
            )
            root = np.sqrt(var + 1e-9)
            x = scale / root if part == "scale" else x - scale * mean / root
        found[name] = np.asarray(x, np.float32)
    return found
