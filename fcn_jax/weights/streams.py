"""Weights of nets that look at a scene through several streams, of one net each.

A file of such a net has the name of a stream behind those of its layers, conv1_1color
and conv1_1hha, as nyud-fcn32s-color-hha has. Any other file is of one stream: the nets
of color and of hha make the net of both, and VGG-16 may start both.
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from fcn_jax.crf.module import Model
from fcn_jax.models.late_fusion import LateFusion
from fcn_jax.weights import formats
from fcn_jax.weights import variables as variables_of
from fcn_jax.weights.matching import Matched

Found = dict[str, tuple[str | Path, formats.File]]


def parsed(given: str, streams: tuple[str, ...]) -> str | dict[str, str]:
    """What `config.init_from` names: one place, or one for each stream.

    Args:
        given: "runs/a", or "color=runs/a,hha=runs/b".
        streams: Of the net; (): it has none.

    Returns:
        The place, or the places by stream.
    """
    parts = [part.partition("=") for part in given.split(",")]
    if streams and all(name in streams and sign for name, sign, _ in parts):
        return {name: place for name, _, place in parts}
    return given


def files(path: str | Path | Mapping[str, str | Path], net: LateFusion) -> Found:
    """The file of each stream, under the names of a net of one.

    Args:
        path: A file of all streams, of any one, or one for each.
        net: The net.

    Returns:
        Its place and what it holds, by stream.

    Raises:
        ValueError: If other streams are named than the net has.
        FileNotFoundError: As `formats.read`, and its other errors.
    """
    if isinstance(path, Mapping):
        if set(path) != set(net.streams):
            raise ValueError(
                f"load_weights: path names files for {', '.join(path) or 'nothing'}; "
                f"the streams of {type(net).__name__} are {', '.join(net.streams)}: "
                f"name one for each."
            )
        return {name: (path[name], formats.read(path[name])) for name in net.streams}
    file = formats.read(path)
    first = net.encoder.convolutions()[0]
    names = [re.escape(stream) for stream in net.streams]
    ours = re.compile(rf"(^|[./]){first}({'|'.join(names)})[./][^./]+$")
    if not any(ours.search(name) for name in file.arrays):
        return dict.fromkeys(net.streams, (path, file))
    return {stream: (path, _of(stream, net, file)) for stream in net.streams}


def _of(stream: str, net: LateFusion, file: formats.File) -> formats.File:
    """What a file holds of one stream, and what no stream has a name at."""
    arrays = {}
    for name, array in file.arrays.items():
        end = max(name.rfind("."), name.rfind("/"), 0)
        layer, part = name[:end], name[end:]
        owner = next((x for x in net.streams if layer.endswith(x)), "")
        if owner in ("", stream):
            arrays[f"{layer.removesuffix(owner)}{part}"] = array
    return dataclasses.replace(file, arrays=arrays)


def joined(found: Mapping[str, Matched], model: Model) -> Matched:
    """What the files of the streams give to the net of all.

    Args:
        found: What was taken from each, under the names of a net of one.
        model: The net of all, perhaps with a CRF behind it.

    Returns:
        What was taken, under its names.
    """
    shapes = variables_of.shapes(model)

    def name_of(name: str, stream: str):
        parent, _, part = name.rpartition("/")
        own = f"{parent}{stream}/{part}"
        return own if own in shapes else name

    each = list(found.items())
    values = {
        name_of(name, stream): value
        for stream, matched in each
        for name, value in matched.values.items()
    }
    first = each[0][1]
    paths = {str(matched.path): None for _, matched in each}
    return dataclasses.replace(
        first,
        path=" and ".join(paths),
        model=model,
        shapes=shapes,
        values=values,
        unexpected=tuple(dict.fromkeys(n for _, x in each for n in x.unexpected)),
        mismatched=tuple(
            (name_of(name, stream), theirs, ours)
            for stream, matched in each
            for name, theirs, ours in matched.mismatched
        ),
        notes=tuple(f"{stream}: {n}" for stream, x in each for n in x.notes),
    )
