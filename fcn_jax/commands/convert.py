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

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from fcn_jax import models
from fcn_jax.commands import command_line
from fcn_jax.commands.command import Command
from fcn_jax.config import build
from fcn_jax.models.encoders import ENCODERS
from fcn_jax.preprocessing import PREPROCESSING
from fcn_jax.runs import trained
from fcn_jax.weights import loading, pretrained, saving
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
    flags.DEFINE_integer("num_classes", None, "Classes that it scores; 21 by default.")
    flags.DEFINE_bool("strict", True, "Refuse a file that is not exactly this net.")
    known = list(PREPROCESSING)
    flags.DEFINE_enum("inputs", None, known, "What IN's net was given.")
    flags.DEFINE_enum(
        "preprocessing", None, known, "What OUT's net is given; caffe by default."
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
    named = values["model"].value or (operands and _is_known(operands[0]))
    if len(operands) != 2 or not named:
        paths = f"paths are {list(operands)}"
        missing = "--model is missing" if len(operands) == 2 else paths
        raise flags.Error(f"{missing}; {_USAGE}")


def run_flags(values: flags.FlagValues, source: str, out: str) -> None:
    """Convert as the command line says.

    Args:
        values: Of the flags.
        source: IN.
        out: OUT.
    """
    saving.check_out(Path(out))
    scales = None
    if values.skip_scales:
        scales = command_line.parse_numbers("skip_scales", values.skip_scales)
    name, options, preprocessing = values.model, {}, PREPROCESSING["caffe"]
    if _is_known(source):
        config, source = trained.found_at(source)
        preprocessing = build.make_preprocessing(config)
        name, options = pretrained.options_of(config.model.to_dict(), name)
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
    saving.save_weights(out, variables, model, preprocessing=preprocessing)
    print(f"written: {out}")


def _is_known(source: str):
    """Whether its network is: it is a run, trained or converted, or a packed net."""
    if path := pretrained.packed(source):
        try:
            return pretrained.RUN in safetensors.read_metadata(path)
        except WeightsError:
            return False  # Those who load it say what is wrong with it.
    places = (Path(source) / name for name in ("config.json", "checkpoints"))
    return any(place.exists() for place in places)


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
)
