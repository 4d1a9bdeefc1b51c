r"""Write the network of a run into one file that is used without fcn_jax.

fcn_jax export --workdir=runs/mine --out=mine.zip
fcn_jax export --workdir=camvid-fcn8s --out=camvid.onnx
fcn_jax export --workdir=runs/mine --out=mine.onnx --precision=float16 --output=labels

fcn_jax export --workdir=DIR --out=FILE [--format=stablehlo|onnx]
    [--output=logits|probabilities|labels] [--step=N] [--nocrf]
    [--classes=FILE [--palette=FILE]] [--opset=N] [--precision=float32|float16]

The file takes uint8 RGB images of any number and size; see docs/export.md. It is
StableHLO, for JAX alone, or ONNX, for onnxruntime and others; a name that ends in .onnx
asks for the latter. Names and colours of the classes are those that the run recorded;
an older run that recorded none takes them from its data set, or from --classes, a text
file with a name a line.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from absl import flags
from flax.typing import VariableDict

from fcn_jax import crf, data, export, exported, to_onnx
from fcn_jax.commands.command import Command
from fcn_jax.config import datasets, of_run
from fcn_jax.config.types import Config
from fcn_jax.crf.module import Model
from fcn_jax.data import label_files, label_sets
from fcn_jax.data.contracts import Head
from fcn_jax.runs import recorded, trained
from fcn_jax.storage.files import JsonObject

FORMATS = ("stablehlo", "onnx")
# Images, height and width, and how far the file is from the network there.
Checks: TypeAlias = Sequence[tuple[tuple[int, int, int], float]]


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("workdir", None, "Directory of the run.")
    flags.DEFINE_string("out", None, "The file to write.")
    flags.DEFINE_enum(
        "format", None, FORMATS, "Of the file; by default what its name says."
    )
    flags.DEFINE_enum("output", "logits", exported.OUTPUTS, "What the network gives.")
    flags.DEFINE_integer("step", None, "Checkpoint; the best by default.")
    flags.DEFINE_string("classes", None, "Text file of the classes' names.")
    flags.DEFINE_string("palette", None, "Text file of their colours; VOC's without.")
    flags.DEFINE_bool("crf", True, "Keep a CRF that was trained behind the network.")
    flags.DEFINE_integer(
        "opset", None, f"ONNX: version of its operators; {to_onnx.DEFAULT_OPSET}."
    )
    flags.DEFINE_enum(
        "precision", None, to_onnx.PRECISIONS, "ONNX: of weights and maps; float32."
    )


def run_flags(values: flags.FlagValues) -> None:
    """Export as the command line says.

    Args:
        values: Of the flags.

    Raises:
        ImportError: If a package is missing that the format needs.
        ValueError: If flags do not go together.
    """
    out = Path(values.out)
    of_file = _format(values, out)
    config = of_run.get_config(values.workdir)
    net = trained.TrainedNet(config, values.workdir, values.step)
    found = heads(config, values.classes, values.palette, net.checkpoint.metadata)
    recorded.check_classes(found, net.checkpoint.metadata, values.workdir)
    alone = len(found) == 1 and not found[0].name
    classes = {head.name: head.classes for head in found}
    palette = {head.name: head.palette for head in found}
    void = {head.name: head.ignore_label for head in found}
    model, variables = net.model, net.variables
    if not values.crf:
        model, variables = _without_crf(model, variables)
    about: dict[str, object] = {
        "step": net.checkpoint.step,
        "config": config.model.to_dict(),
        "void": void[""] if alone else void,
    }
    if of_file == "onnx":
        about["scale"] = config.eval_scale
    checks = _writer(values, of_file, config.eval_scale)(
        out,
        model,
        variables,
        classes=classes[""] if alone else classes,
        palette=palette[""] if alone else palette,
        preprocessing=net.preprocessing,
        output=values.output,
        about=about,
    )
    said = _of_onnx if of_file == "onnx" else _of_stablehlo
    print(
        f"{config.model.name} of step {net.checkpoint.step}, "
        f"{sum(head.num_classes for head in found)} classes, "
        f"{out.stat().st_size / 2**20:,.1f} MiB: {out}\n"
        f"{said(out, values.output, checks)}{_notes(config, of_file)}"
    )


def _format(values: flags.FlagValues, out: Path) -> str:
    """The format that is asked for, of whose flags alone some are given.

    Raises:
        ImportError: If a package is missing that it needs.
        ValueError: If a flag is given that it does not have.
    """
    by_name = "onnx" if out.suffix == ".onnx" else "stablehlo"
    found = values.format or by_name
    if found == "onnx":
        to_onnx.require_onnx()
        return found
    for name in ("opset", "precision"):
        if getattr(values, name) is not None:
            raise ValueError(
                f"--{name}={getattr(values, name)} is for ONNX files; ask for one with "
                f"--format=onnx, or leave it out."
            )
    export.require_flatbuffers()
    return found


def _writer(
    values: flags.FlagValues, of_file: str, scale: float
) -> Callable[..., Checks | None]:
    """What writes a file of a format, with the options of that format."""
    if of_file != "onnx":
        return functools.partial(export.export_network, scale=scale)
    from fcn_jax.to_onnx import writing  # It imports onnx, an extra.

    opset, precision = values.opset, values.precision
    return functools.partial(
        writing.export_onnx,
        opset=to_onnx.DEFAULT_OPSET if opset is None else opset,
        precision=to_onnx.PRECISIONS[0] if precision is None else precision,
    )


def _of_stablehlo(out: Path, output: str, checks: Checks | None) -> str:
    """What is said of a file of StableHLO."""
    del checks
    return f"in Python: {output} = fcn_jax.load_exported({str(out)!r})(images)"


def _of_onnx(out: Path, output: str, checks: Checks | None) -> str:
    """What is said of an ONNX file."""
    lines = [
        f"onnxruntime, {count} x {height}x{width} pixels: {output} within {far:.1e} of "
        f"the largest"
        for (count, height, width), far in checks or ()
    ]
    if not lines:
        lines = [
            "its numbers were not checked: onnxruntime is not installed (pip install "
            "onnxruntime)"
        ]
    lines += [
        f"in Python: onnxruntime.InferenceSession({str(out)!r}).run(None, "
        f"{{'images': images}})"
    ]
    return "\n".join(lines)


def _without_crf(
    model: Model, variables: VariableDict
) -> tuple[Model, dict[str, VariableDict]]:
    """The network before its CRF, and its variables.

    Raises:
        ValueError: If there is no CRF.
    """
    if not isinstance(model, crf.WithCRF):
        raise ValueError(
            "--nocrf: no CRF was trained behind the network of this run "
            "(config.model.crf is empty); leave it out."
        )
    return model.network, {
        collection: {name: x for name, x in found.items() if name != "crf"}
        for collection, found in variables.items()
    }


def _notes(config: Config, of_file: str) -> str:
    """What is to be known of a file: the resolution it sees, and the CRF it has not."""
    notes, scale = "", config.eval_scale
    if scale != 1 and of_file == "onnx":
        notes += (
            f"\nnote: the run is scored at {scale:g} of the resolution (eval_scale; "
            f"metadata 'scale'); resize the images so, and what comes back"
        )
    elif scale != 1:
        notes += (
            f"\nnote: it sees images at {scale:g} of their resolution, as the run is "
            f"scored (eval_scale): give them as they are"
        )
    if config.crf.parameters:
        notes += (
            f"\nnote: the CRF of the run (config.crf.parameters="
            f"{config.crf.parameters}) is not in the file; fcn_jax.crf.mean_field is it"
        )
    return notes


def heads(
    config: Config,
    classes: str | None = None,
    palette: str | None = None,
    metadata: JsonObject | None = None,
) -> tuple[Head, ...]:
    """Names and colours from text files, else as recorded, else of the data set.

    Args:
        config: Of the run.
        classes: Text file of names; None: those of the run.
        palette: Text file of colours, with `classes`; None: VOC's.
        metadata: Of the checkpoint; older ones record no classes.

    Raises:
        FileNotFoundError: If a file, or the folder of the data set, is not there.
        ValueError: If a file makes no sense, or `palette` comes without `classes`.
    """
    if classes:
        names = label_files.read_classes(classes)
        colours = label_sets.VOC.palette
        if palette:
            colours = label_files.read_palette(palette, names)
        return (Head("", names, colours),)
    if palette:
        raise ValueError("--palette gives colours to --classes=FILE; give that too.")
    of_weights_alone = metadata is not None and "config" not in metadata
    if metadata and (metadata.get("classes") or of_weights_alone):
        return recorded.heads_of(config, metadata)
    try:
        return data.heads(
            config.data.name,
            config.data.train_split,
            root=config.data.root or None,
            palette=config.data.palette or None,
            data_dir=config.data.data_dir or None,
            folder=datasets.folder_options(config),
            tool=datasets.tool_options(config),
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"the run recorded no names of its classes, and its data set has none: "
            f"{error} Give them with --classes=FILE, a name a line."
        ) from error


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    required={"workdir": "DIR", "out": "FILE"},
    takes_weights=True,
    out="file",
)
