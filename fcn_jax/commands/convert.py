r"""Rewrite weights for another framework, or for this one.

fcn_jax convert fcn8s-heavy-pascal.caffemodel fcn8s.safetensors --model=fcn8s
fcn_jax convert vgg16.pth runs/start --model=fcn32s --num_classes=11 --nostrict
fcn_jax convert runs/mine mine.safetensors
fcn_jax convert camvid-fcn8s camvid.npz

fcn_jax convert IN OUT --model=NAME [--num_classes=21] [--nostrict]
    [--inputs=caffe|imagenet] [--preprocessing=caffe|imagenet] [--upsampling=learned]
    [--padding=caffe|same|valid] [--width=1] [--fc_features=4096] [--batch_norm]
    [--skip_scales=0.01,0.0001] [--bn_form=training|inference]
    [--encoder=vgg16|alexnet|googlenet] [--norm_first]

IN is a .caffemodel, .pth, .safetensors, .h5, .npz or a run's directory, detected by its
content, or a net that comes with the package, by name. Of a run, and of a net that
`fcn_jax pack` wrote, the options are known: flags, --model too, are for what differs.
OUT is NAME.safetensors (names and layouts of PyTorch), NAME.npz (ours), or, without a
suffix, a run's directory.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from absl import flags

from fcn_jax import messages, models
from fcn_jax.commands import command_line
from fcn_jax.commands.command import Command
from fcn_jax.config import build, families
from fcn_jax.config import workdir as workdirs
from fcn_jax.config.types import Config
from fcn_jax.models.encoders import ENCODERS
from fcn_jax.models.network import Network
from fcn_jax.preprocessing import PREPROCESSING, Preprocessing
from fcn_jax.storage import checkpoints
from fcn_jax.storage.files import JsonObject
from fcn_jax.weights import formats, loading, pretrained, saving
from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.formats import safetensors

_OPTIONS = (
    "num_classes",
    "encoder",
    "norm_first",
    "padding",
    "upsampling",
    "width",
    "fc_features",
    "batch_norm",
)
_USAGE = "usage: fcn_jax convert IN OUT --model=NAME [--flag=value ...]"


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_enum("model", None, list(models.MODELS), "The net.")
    flags.DEFINE_integer("num_classes", None, "Classes; IN's, or 21, by default.")
    flags.DEFINE_bool("strict", True, "Refuse a file that is not exactly this net.")
    known = list(PREPROCESSING)
    flags.DEFINE_enum("inputs", None, known, "What IN's net was given.")
    flags.DEFINE_enum(
        "preprocessing", None, known, "What OUT's net is given; a run's own, or caffe."
    )
    flags.DEFINE_enum("encoder", None, list(ENCODERS), "Of an FCN; its own by default.")
    flags.DEFINE_bool("norm_first", None, "AlexNet: LRN before pooling (bvlc_alexnet).")
    flags.DEFINE_string("padding", None, "Of the net; its own by default.")
    flags.DEFINE_string("upsampling", None, "Of an FCN; its own by default.")
    flags.DEFINE_float("width", None, "Factor on the net's channels; 1 by default.")
    flags.DEFINE_integer("fc_features", None, "Of fc6 and fc7; 4096 by default.")
    flags.DEFINE_bool("batch_norm", None, "BatchNorm in an FCN's encoder.")
    flags.DEFINE_string("skip_scales", None, "Factors that IN's skips were trained by.")
    flags.DEFINE_enum("bn_form", None, loading.BN_FORMS, "Of Caffe's DeconvNet.")


def check_flags(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """There must be IN and OUT, and --model where IN does not tell.

    Args:
        values: Of the flags.
        operands: IN and OUT.

    Raises:
        flags.Error: If there are not.
    """
    if len(operands) != 2:
        raise flags.Error(f"paths are {list(operands)}; {_USAGE}")
    # What is not there, or torn, is said when it is read.
    if not values["model"].value and _is_there(operands[0]):
        try:
            tells = _known(operands[0]) is not None
        except (WeightsError, OSError, ValueError):
            tells = True
        if not tells:
            raise flags.Error(f"--model is missing; {_USAGE}")


def run_flags(values: flags.FlagValues, source: str, out: str) -> None:
    """Convert as the command line says.

    Args:
        values: Of the flags.
        source: IN.
        out: OUT.
    """
    saving.check_out(Path(out))
    _check_source(source, out)
    scales = None
    if values.skip_scales:
        scales = command_line.parse_numbers("skip_scales", values.skip_scales)
    name, options, preprocessing = values.model, {}, PREPROCESSING["caffe"]
    known = _known(source, bool(name))
    if known:
        source = str(known.place)
        preprocessing = build.make_preprocessing(known.config)
        name, options = pretrained.options_of(known.config.model.to_dict(), name)
    for option in _OPTIONS:
        if getattr(values, option) is not None:
            options[option] = getattr(values, option)
    assert name is not None  # `check_flags` has seen to it.
    model = models.create(name, **options)
    if values.preprocessing:
        preprocessing = PREPROCESSING[values.preprocessing]
    variables, _ = loading.load_weights(
        source,
        model,
        strict=values.strict,
        preprocessing=preprocessing,
        inputs=values.inputs,
        skip_scales=scales,
        bn_form=values.bn_form,
        verbose=True,
    )
    record = known and _record(known, model, preprocessing)
    saving.save_weights(
        out, variables, model, preprocessing=preprocessing, record=record
    )
    print(f"written: {out}")


class _Known(NamedTuple):
    """A source whose network is known, trained or converted.

    Attributes:
        config: Of its run.
        place: Its directory, or the file of a packed net.
        metadata: Of its checkpoint.
    """

    config: Config
    place: str | Path
    metadata: JsonObject


def _is_there(source: str):
    return Path(source).exists() or pretrained.packed(source) is not None


def _check_source(source: str, out: str):
    """Refuse what is not there, and what would be written over."""
    if not _is_there(source):
        close = messages.suggestion(source, pretrained.names())
        raise FileNotFoundError(
            f"{source} does not exist; {close + ' ' if close else ''}expected "
            f"{formats.KNOWN}, or a net that comes with the package "
            f"({', '.join(pretrained.names())})."
        )
    if Path(source).resolve() == Path(out).resolve():
        raise ValueError(
            f"{out} is IN itself, whose record of its training would be lost; give "
            f"OUT another name."
        )


def _known(source: str, named: bool = False):
    """What is known of a run or a packed net; None of all else.

    Args:
        source: IN.
        named: Whether --model says which net it is: what cannot be read is no record.

    Raises:
        WeightsError: If a packed net is damaged, and not `named`.
    """
    if path := pretrained.packed(source):
        try:
            if pretrained.RUN not in safetensors.read_metadata(path):
                return None
            metadata = pretrained.record(path)[1]
        except WeightsError:
            if named:
                return None
            raise
        return _Known(Config(metadata["config"]), path, metadata)
    places = (Path(source) / name for name in ("config.json", "checkpoints"))
    if not any(place.exists() for place in places):
        return None
    reader = checkpoints.CheckpointReader(Path(source) / "checkpoints")
    return _Known(
        workdirs.config_of_run(source), source, reader.newest_metadata() or {}
    )


def _record(known: _Known, model: Network, preprocessing: Preprocessing):
    """What a run's directory says of its training, for a net that is still of it."""
    theirs = known.config.model
    if families.family_of(saving.model_name(model)) != families.family_of(theirs.name):
        return None
    record = {}
    if theirs.num_classes == model.num_classes:
        labels = ("classes", "colours")
        record = {key: known.metadata[key] for key in labels if key in known.metadata}
    config = json.loads(known.config.to_json())
    names = (name for name, x in PREPROCESSING.items() if x == preprocessing)
    config["preprocessing"] = next(names, config["preprocessing"])
    return {**record, "config": config}


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
)
