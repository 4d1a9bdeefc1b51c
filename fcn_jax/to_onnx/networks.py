"""From a network to a graph: a walk through its layers, as its own `__call__` goes."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from flax.typing import VariableDict

from fcn_jax import export
from fcn_jax.crf.module import Model
from fcn_jax.models import segnet
from fcn_jax.models.deconvnet import STAGES, DeconvNet
from fcn_jax.models.deeplab import IMAGE, DeepLab
from fcn_jax.models.encoders import VGG16, Encoder, Layer, vgg
from fcn_jax.models.encoders.deeplab import SCORE
from fcn_jax.models.fcn import FCN, UpsamplingStep, cells_before, upsampling_steps
from fcn_jax.models.layers import RESIZINGS
from fcn_jax.models.network import Network, layer_name
from fcn_jax.to_onnx import layers, poolings
from fcn_jax.to_onnx.graph import Graph

# What the walk does as these classes do; where others do it otherwise, it is not known.
_ENCODING = ("__call__", "_convolve", "_pool")
_SCORING = ("__call__", "trunk", "_logits", "_score", "learns", "_early_map")
_INSTEAD = "export it with --format=stablehlo, which takes every network."


class Trained(NamedTuple):
    """A network and its variables.

    Attributes:
        net: The network.
        params: By layer, then by name.
        averages: Of BatchNorm, likewise.
    """

    net: Network
    params: Mapping[str, Mapping[str, np.ndarray]]
    averages: Mapping[str, Mapping[str, np.ndarray]]


def checked(model: Model) -> FCN | DeconvNet | segnet.SegNet | DeepLab:
    """The network, if the walk knows all that it does.

    Args:
        model: A network of `fcn_jax.models`.

    Raises:
        ValueError: If it is another, or has a CRF behind it; naming what is not known.
    """
    export.check_fits_a_file(model)
    for known in (FCN, DeconvNet, segnet.SegNet, DeepLab):
        if isinstance(model, known):
            _check_methods(model, known, _SCORING)
            break
    else:
        raise ValueError(
            f"the network {type(model).__name__} is not known in ONNX, only FCN, "
            f"DeconvNet, SegNet and DeepLab are; {_INSTEAD}"
        )
    encoder = model.encoder
    known = VGG16 if isinstance(encoder, VGG16) else Encoder
    _check_methods(encoder, known, _ENCODING)
    return model


def _check_methods(found: object, known: type, names: tuple[str, ...]) -> None:
    """Raise if a subclass does something of its own.

    Raises:
        ValueError: Naming it.
    """
    cls = type(found)
    for each in cls.__mro__[: cls.__mro__.index(known)]:
        for name in names:
            if name in vars(each):
                raise ValueError(
                    f"{each.__name__}.{name} is not known in ONNX, only that of "
                    f"{known.__name__} is; {_INSTEAD}"
                )


def trained(net: Network, variables: VariableDict) -> Trained:
    """A network with its variables as NumPy has them.

    Args:
        net: The network.
        variables: What `net.apply` takes.
    """
    return Trained(net, variables["params"], variables.get("batch_stats", {}))


def logits(graph: Graph, model: Trained, x: str) -> dict[str, str]:
    """Put a network into a graph.

    Args:
        graph: It.
        model: The network, which `checked` has found to be known, and its variables.
        x: Preprocessed images, [N, C, H, W].

    Returns:
        Names of the logits, [N, C, H, W] float32, by head.
    """
    if isinstance(model.net, DeconvNet):
        return _deconvnet(graph, model, model.net, x)
    if isinstance(model.net, segnet.SegNet):
        return _segnet(graph, model, model.net, x)
    if isinstance(model.net, DeepLab):
        return _deeplab(graph, model, model.net, x)
    assert isinstance(model.net, FCN)
    return _fcn(graph, model, model.net, x)


def _weights(model: Trained, name: str) -> layers.Weights:
    found = model.params[name]
    return layers.Weights(np.asarray(found["kernel"]), np.asarray(found["bias"]))


def _normalized(
    model: Trained, weights: layers.Weights, batch_norm: str
) -> layers.Weights:
    """Weights that hold the BatchNorm of that name too."""
    if not batch_norm:
        return weights
    params, averages = model.params[batch_norm], model.averages[batch_norm]
    norm = (params["scale"], params["bias"], averages["mean"], averages["var"])
    epsilon = model.net.encoder.bn_epsilon
    return layers.with_batch_norm(weights, layers.BatchNorm(*norm, epsilon))


def _encode(graph: Graph, model: Trained, x: str) -> dict[str, str]:
    """The maps of all layers of the encoder, by layer; see `Encoder.__call__`."""
    encoder = model.net.encoder
    repeats = encoder.repeats if isinstance(encoder, VGG16) else {}
    maps: dict[str, str] = {}
    channels = encoder.channels
    for layer in encoder.layers():
        if layer.inputs:
            inputs = [maps[name] for name in layer.inputs]
            named = layer.name if layer.kind == "concat" else ""
            x = inputs[0]
            if len(inputs) > 1:
                x = graph.node("Concat", *inputs, name=named, axis=1)
        if layer.kind == "conv":
            x = _convolve(graph, model, x, layer)
            channels = layer.features
        elif layer.kind == "pool" and encoder.return_switches:
            x = poolings.max_pool_with_masks(graph, x, layer.name, channels)
        elif layer.kind == "pool":
            x = poolings.max_pool(graph, x, layer)
        elif layer.kind == "average":
            x = poolings.average_pool(graph, x, layer)
        elif layer.kind == "lrn":
            x = layers.response_normalization(graph, x, layer)
        elif layer.kind == "lrn_within":
            x = layers.normalization_within(graph, x, layer)
        if layer.name in repeats:
            x = layers.repeated(graph, x, repeats[layer.name])
        maps[layer.name] = x
    return maps


def _convolve(graph: Graph, model: Trained, x: str, layer: Layer) -> str:
    """Convolution, BatchNorm and ReLU."""
    encoder = model.net.encoder
    if isinstance(encoder, VGG16):
        layer = encoder.computed(layer)
    weights = _normalized(model, _weights(model, layer.name), layer.batch_norm)
    return graph.node("Relu", layers.convolution(graph, x, layer, weights))


def _score(graph: Graph, model: Trained, x: str, name: str, scale: float = 1.0) -> str:
    """Class scores of a map, times `scale`, in float32; see `layers.Score`."""
    kernel, bias = _weights(model, name)
    layer = Layer(name, features=len(bias))
    scaled = layers.Weights(np.asarray(kernel, np.float64) * scale, bias)
    return layers.convolution(graph, graph.widened(x), layer, scaled, wide=True)


def _fcn(graph: Graph, model: Trained, net: FCN, x: str) -> dict[str, str]:
    size = graph.size_of(x)
    maps = _encode(graph, model, x)
    return {head: _fcn_head(graph, model, net, maps, size, head) for head in net.heads}


def _fcn_head(
    graph: Graph,
    model: Trained,
    net: FCN,
    maps: Mapping[str, str],
    size: str,
    head: str,
) -> str:
    """The logits of one head; see `FCN._logits`."""
    steps = upsampling_steps(net.encoder, net.skips)
    scores = _score(graph, model, maps[net.encoder.top], layer_name("score_fr", head))
    for step, scale in zip(steps[:-1], net.skip_scales, strict=False):
        upscored = _upscore(graph, model, net, scores, step, head)
        name = layer_name(f"score_{step.skip}", head)
        skipped = _score(graph, model, maps[step.skip], name, scale)
        if step.offset > 0:
            there = graph.size_of(upscored)
            skipped = _placed(graph, net, skipped, step.offset, there)
        else:
            there = graph.size_of(skipped)
            upscored = _placed(graph, net, upscored, -step.offset, there)
        scores = graph.node("Add", upscored, skipped)
    near = cells_before(steps[-1])
    if near:
        scores = layers.extended(graph, scores, near=near, far=0)
    upscored = _upscore(graph, model, net, scores, steps[-1], head)
    offset = steps[-1].offset + near * steps[-1].factor
    return layers.crop(graph, upscored, offset, size)


def _placed(graph: Graph, net: FCN, x: str, offset: int, size: str) -> str:
    """A cut; of a net without strides with zeros where the map does not reach."""
    if net.encoder.is_rarefied:
        # What lacks at the end is as much as is cut off before, or one more.
        x = layers.extended(graph, x, near=0, far=offset + 1, mode="constant")
    return layers.crop(graph, x, offset, size)


def _upscore(
    graph: Graph, model: Trained, net: FCN, x: str, step: UpsamplingStep, head: str
) -> str:
    name = layer_name(step.name, head)
    if net.learns(step):
        kernel = np.asarray(model.params[name]["kernel"])
        return layers.upsampled_by_kernel(graph, x, name, kernel, step.factor)
    shape = (step.kernel_size, step.factor, net.heads[head])
    if net.upsampling in RESIZINGS:
        return layers.resized(graph, x, name, *shape, net.upsampling)
    return layers.upsampled(graph, x, name, *shape)


def _deconvnet(graph: Graph, model: Trained, net: DeconvNet, x: str) -> dict[str, str]:
    """See `DeconvNet.__call__`."""
    sizes = {1: graph.size_of(x)}
    maps = _encode(graph, model, x)
    for stage in range(2, len(vgg.STAGES) + 1):
        sizes[stage] = graph.size_of(maps[f"pool{stage - 1}"])
    valid = net.encoder.padding == "valid"
    pad = 0 if valid else vgg.FC6_KERNEL // 2
    x = _deconvolve(graph, model, maps["fc7"], "fc6-deconv", "fc6-deconv-bn", pad)
    for stage, channels in STAGES.items():
        x = poolings.max_unpool(graph, x, f"pool{stage}", sizes[stage])
        for i in range(1, len(channels) + 1):
            tag = f"{stage}_{i}"
            x = _deconvolve(graph, model, x, f"deconv{tag}", f"debn{tag}", 1)
    return {
        head: _score(graph, model, x, layer_name("seg-score", head))
        for head in net.heads
    }


def _segnet(graph: Graph, model: Trained, net: segnet.SegNet, x: str) -> dict[str, str]:
    """See `segnet.SegNet.__call__`."""
    sizes = {1: graph.size_of(x)}
    maps = _encode(graph, model, x)
    for stage in range(2, len(vgg.STAGES) + 1):
        sizes[stage] = graph.size_of(maps[f"pool{stage - 1}"])
    x = maps[net.encoder.top]
    for stage in segnet.STAGES:
        x = poolings.max_unpool(graph, x, f"pool{stage}", sizes[stage])
        for name, batch_norm, _ in segnet.decoder_layers(stage):
            layer = Layer(name, kernel_size=3, pad=1, batch_norm=batch_norm)
            x = _convolve(graph, model, x, layer)
    found = {}
    for head in net.heads:
        name = layer_name(segnet.SCORE, head)
        layer = Layer(name, kernel_size=3, pad=1)
        weights = _weights(model, name)
        wide = graph.widened(x)
        found[head] = layers.convolution(graph, wide, layer, weights, wide=True)
    return found


def _deeplab(graph: Graph, model: Trained, net: DeepLab, x: str) -> dict[str, str]:
    """See `DeepLab.__call__`, where nothing is trained."""
    size = graph.size_of(x)
    maps = _encode(graph, model, x)
    scales = net.encoder.coordinate_maps()
    scored = {SCORE: (maps[net.encoder.top], net.stride)}
    for branch in net.branches:
        source, stride = branch.source, 1
        found = x
        if source != IMAGE:
            found, stride = maps[source], int(1 / scales[source].scale)
        for kind, kernel_size in (("conv", 3), ("fc", 1)):
            layer = Layer(
                f"{source}_{kind}", kernel_size=kernel_size, pad=kernel_size // 2
            )
            weights = _weights(model, layer.name)
            found = graph.node("Relu", layers.convolution(graph, found, layer, weights))
        scored[f"{source}_ms"] = found, stride
    return {head: _deeplab_head(graph, model, scored, size, head) for head in net.heads}


def _deeplab_head(
    graph: Graph,
    model: Trained,
    scored: Mapping[str, tuple[str, int]],
    size: str,
    head: str,
) -> str:
    """The logits of one head; see `DeepLab._logits`."""
    by_stride: dict[int, str] = {}
    for name, (x, stride) in scored.items():
        scores = _score(graph, model, x, layer_name(name, head))
        if stride in by_stride:
            scores = graph.node("Add", by_stride[stride], scores)
        by_stride[stride] = scores
    classes = len(model.params[layer_name(SCORE, head)]["bias"])
    total = ""
    for factor, scores in by_stride.items():
        if factor > 1:  # Cells stay on their pixels: `ops.interp.zoom`.
            name = layer_name(f"zoom{factor}", head)
            kernel_size = 2 * factor - 1
            scores = layers.upsampled(graph, scores, name, kernel_size, factor, classes)
            scores = layers.crop(graph, scores, factor - 1, size)
        total = graph.node("Add", total, scores) if total else scores
    return total


def _deconvolve(
    graph: Graph, model: Trained, x: str, name: str, batch_norm: str, pad: int
) -> str:
    """Deconvolution, BatchNorm and ReLU."""
    weights = _normalized(model, _weights(model, name), batch_norm)
    return graph.node("Relu", layers.deconvolution(graph, x, name, weights, pad))
