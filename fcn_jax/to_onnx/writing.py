"""An ONNX file of a network: built, described, checked, and only then there."""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
import onnx
from flax.typing import VariableDict
from onnx import helper

import fcn_jax
from fcn_jax import export, to_onnx
from fcn_jax.crf.module import Model
from fcn_jax.models.network import Network, layer_name
from fcn_jax.preprocessing import CAFFE, Preprocessing
from fcn_jax.to_onnx import checking, layers, networks
from fcn_jax.to_onnx.graph import Graph

_MOST = 2**31 - 2**24  # Bytes of weights: a message of Protocol Buffers has 2 GiB.


def export_onnx(
    path: str | Path,
    model: Model,
    variables: VariableDict,
    *,
    classes: Sequence[str] | Mapping[str, Sequence[str]],
    palette: np.ndarray | Mapping[str, np.ndarray],
    preprocessing: Preprocessing = CAFFE,
    output: str = "logits",
    opset: int = to_onnx.DEFAULT_OPSET,
    precision: str = "float32",
    about: Mapping[str, object] | None = None,
) -> tuple[checking.Check, ...]:
    """Write a network into an ONNX file, whole and checked or not at all.

    The file takes "images", uint8 RGB [n, h, w, 3] (float32 where there are more
    channels than colours), and gives "logits" or "probabilities" (float32
    [n, h, w, C]) or "labels" (int32 [n, h, w]), of several heads "logits_<head>".

    Args:
        path: The file; its directory is made if there is none.
        model: An FCN or a DeconvNet.
        variables: What `model.apply` takes.
        classes: Names, in the order of the labels; by head where there are several.
        palette: Colour of every label, uint8 RGB [L, 3], for all classes at least; by
            head likewise.
        preprocessing: What the network was trained with.
        output: One of `to_onnx.OUTPUTS`.
        opset: Version of ONNX's operators.
        precision: Of weights and maps, "float32" or "float16"; scores are float32.
        about: Anything more to tell of it, that JSON can hold.

    Returns:
        How far onnxruntime is from the network, at three sizes; () where onnxruntime is
        not installed.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If the network, or an option, is not known; if there is not a name
            and a colour for each class, or preprocessing for each channel; if weights
            have no room; or if the file does not give what the network gives.
    """
    _check_options(output, opset, precision)
    net = networks.checked(model)
    if preprocessing.num_channels != net.channels:
        raise ValueError(
            f"preprocessing {preprocessing.name!r} is for {preprocessing.num_channels} "
            f"channels, the network for {net.channels}; pass what it was trained with."
        )
    told = {
        "format": "fcn_jax network",
        **export.description(net, preprocessing, classes, palette),
        "input": f"{to_onnx.image_dtype(net.channels)} {preprocessing.channels_given} "
        f"[n, h, w, {net.channels}]",
        "output": output,
        "precision": precision,
        **(about or {}),
    }
    _check_room(variables, precision)
    graph = Graph(precision)
    names = _fill(graph, net, variables, preprocessing, output)
    _describe(graph.model, opset, told)
    reference = checking.Reference(net, variables, preprocessing, output, precision)
    found: list[checking.Check] = []

    def write(part: Path):
        part.write_bytes(graph.model.SerializeToString())
        _check_form(part)
        if checking.version():
            masks, probe = graph.masks, functools.partial(_probe, graph)
            found.extend(checking.compare(str(part), names, masks, probe, reference))

    export.write_network(path, write, graph.model.ByteSize())
    return tuple(found)


def _check_options(output: str, opset: int, precision: str) -> None:
    """Raise if one is not known.

    Raises:
        ValueError: Naming it and its values.
    """
    known = (
        ("output", output, to_onnx.OUTPUTS),
        ("precision", precision, to_onnx.PRECISIONS),
    )
    for name, value, values in known:
        if value not in values:
            raise ValueError(
                f"{name}={value!r} is not known; choose one of {', '.join(values)}."
            )
    least, most = to_onnx.LEAST_OPSET, onnx.defs.onnx_opset_version()
    if not least <= opset <= most:
        raise ValueError(
            f"opset={opset} is too {'low' if opset < least else 'high'}; the operators "
            f"of these networks are in {least} and later, and onnx {onnx.__version__} "
            f"knows those up to {most}: choose one of {least} to {most}."
        )


def _check_room(variables: VariableDict, precision: str) -> None:
    """Raise if the weights are more than one file holds.

    Raises:
        ValueError: If they are.
    """
    count = sum(x.size for x in jax.tree.leaves(variables))
    needed = count * np.dtype(precision).itemsize
    if needed > _MOST:
        raise ValueError(
            f"the network has {needed / 2**20:,.0f} MiB of weights in {precision}; an "
            f"ONNX file holds {_MOST / 2**20:,.0f} MiB: export it with "
            f"--precision=float16, or --format=stablehlo."
        )


def _fill(
    graph: Graph,
    net: Network,
    variables: VariableDict,
    preprocessing: Preprocessing,
    output: str,
) -> dict[str, str]:
    """Images -> outputs; the names of the outputs, by head."""
    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(to_onnx.image_dtype(net.channels)))
    shape = ("n", "h", "w", net.channels)
    graph.proto.name = type(net).__name__
    graph.proto.input.append(helper.make_tensor_value_info("images", dtype, shape))
    x = layers.preprocessed(graph, "images", preprocessing)
    found = networks.logits(graph, networks.trained(net, variables), x)
    names: dict[str, str] = {}
    for head, scores in found.items():
        names[head] = layer_name(output, head)
        if output == "labels":
            best = graph.node("ArgMax", scores, axis=1, keepdims=0)
            dtype, shape = onnx.TensorProto.INT32, ("n", "h", "w")
            graph.cast(best, np.int32, names[head])
        else:
            if output == "probabilities":
                scores = graph.node("Softmax", scores, axis=1)
            dtype, shape = onnx.TensorProto.FLOAT, ("n", "h", "w", net.heads[head])
            graph.node("Transpose", scores, name=names[head], perm=(0, 2, 3, 1))
        info = helper.make_tensor_value_info(names[head], dtype, shape)
        graph.proto.output.append(info)
    return names


def _describe(model: onnx.ModelProto, opset: int, told: Mapping[str, object]) -> None:
    """Versions, and what is told of the network: text as it is, else JSON."""
    model.opset_import.append(helper.make_opsetid("", opset))
    model.ir_version = helper.find_min_ir_version_for(list(model.opset_import))
    model.producer_name, model.producer_version = "fcn_jax", fcn_jax.__version__
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in told.items()
    }
    helper.set_model_props(model, texts)


def _check_form(part: Path) -> None:
    """Raise if the file is not what ONNX says a file is.

    Raises:
        ValueError: If it is not.
    """
    try:
        onnx.checker.check_model(str(part), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(
            f"onnx.checker {onnx.__version__} does not take the file "
            f"({str(error).splitlines()[0]}); nothing was written. This is a mistake "
            f"of the export or of onnx: report it, with both versions."
        ) from error


def _probe(graph: Graph) -> bytes:
    """The content of the file with the masks of the poolings among its outputs."""
    for name in (name for names in graph.masks.values() for name in names):
        info = helper.make_tensor_value_info(name, onnx.TensorProto.BOOL, None)
        graph.proto.output.append(info)
    return graph.model.SerializeToString()
