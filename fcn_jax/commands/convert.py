r"""Rewrite weights for another framework, or for this one.

python -m fcn_jax convert IN OUT --model=NAME [--num_classes=21] [--nostrict]
    [--inputs=caffe|imagenet] [--preprocessing=caffe|imagenet] [--upsampling=learned]
    [--padding=caffe|same|valid] [--width=1] [--fc_features=4096] [--batch_norm]
    [--skip_scales=0.01,0.0001] [--bn_form=training|inference]

IN is a .caffemodel, .pth, .safetensors, .h5, .npz or a run's directory, told by its
content. OUT is NAME.safetensors (names and layouts of PyTorch), NAME.npz (ours), or,
without a suffix, a run's directory.
"""

import sys
from pathlib import Path

from absl import flags

from fcn_jax import configuration, models, runtime
from fcn_jax.preprocessing import PREPROCESSING
from fcn_jax.weights import exporting, loading

_USAGE = "usage: python -m fcn_jax convert IN OUT --model=NAME [--flag=value ...]"


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_enum("model", None, list(models.MODELS), "The net.")
    flags.DEFINE_integer("num_classes", 21, "Classes that it scores.")
    flags.DEFINE_bool("strict", True, "Refuse a file that is not exactly this net.")
    recipes = list(PREPROCESSING)
    flags.DEFINE_enum("inputs", None, recipes, "What IN's net was given.")
    flags.DEFINE_enum("preprocessing", "caffe", recipes, "What OUT's net is given.")
    flags.DEFINE_string("padding", None, "Of the net; its own by default.")
    flags.DEFINE_string("upsampling", None, "Of an FCN; its own by default.")
    flags.DEFINE_float("width", 1.0, "Factor on the net's channels.")
    flags.DEFINE_integer("fc_features", 4096, "Channels of fc6 and fc7.")
    flags.DEFINE_bool("batch_norm", None, "BatchNorm in an FCN's encoder.")
    flags.DEFINE_string("skip_scales", None, "Factors that IN's skips were trained by.")
    flags.DEFINE_enum("bn_form", None, loading.BN_FORMS, "Of Caffe's DeconvNet.")


def parse_flags(argv: list[str]) -> list[str]:
    """Parse the command line; a mistake in it ends the process with one message.

    Returns:
        The program, IN and OUT.
    """
    try:
        program, *rest = flags.FLAGS(argv)
        if len(rest) != 2 or not flags.FLAGS["model"].value:
            missing = "--model is missing" if len(rest) == 2 else f"paths are {rest}"
            raise flags.Error(f"{missing}; {_USAGE}")
    except flags.Error as error:
        sys.exit(f"fcn_jax convert: {error}")
    return [program, *rest]


def run_flags(values: flags.FlagValues, source: str, out: str) -> None:
    """Convert as the command line says."""
    exporting.check_out(Path(out))
    optional = ("padding", "upsampling", "batch_norm")
    options = {name: getattr(values, name) for name in optional}
    options = {name: value for name, value in options.items() if value is not None}
    scales = None
    if values.skip_scales:
        scales = configuration.parse_numbers("skip_scales", values.skip_scales)
    model = models.create(
        values.model,
        values.num_classes,
        width=values.width,
        fc_features=values.fc_features,
        **options,
    )
    recipe = PREPROCESSING[values.preprocessing]
    variables = loading.load_weights(
        source,
        model,
        strict=values.strict,
        preprocessing=recipe,
        inputs=values.inputs,
        skip_scales=scales,
        bn_form=values.bn_form,
    )
    exporting.save_weights(out, variables, model, preprocessing=recipe)
    print(f"written: {out}")


def main(argv: list[str]) -> None:
    """Read the flags and convert."""
    _, source, out = argv
    runtime.prepare()
    configuration.run_reporting_errors(lambda: run_flags(flags.FLAGS, source, out))
