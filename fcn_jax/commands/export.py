r"""Write the network of a run into one file that is used with JAX alone.

fcn_jax export --workdir=DIR --out=FILE [--output=labels|probabilities] [--step=N]
    [--classes=FILE [--palette=FILE]]

The file takes uint8 RGB images of any number and size; see docs/export.md. Names and
colours of the classes are those that the run recorded; an older run that recorded
none takes them from its data set, or from --classes, a text file with a name a line.
"""

from pathlib import Path

from absl import flags

from fcn_jax import data, export, exported
from fcn_jax.commands.command import Command
from fcn_jax.config import datasets
from fcn_jax.config import workdir as workdirs
from fcn_jax.config.types import Config
from fcn_jax.data import label_files, label_sets
from fcn_jax.data.contracts import Head
from fcn_jax.runs import recorded, trained
from fcn_jax.storage.files import JsonObject


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("workdir", None, "Directory of the run.")
    flags.DEFINE_string("out", None, "The file to write.")
    flags.DEFINE_enum("output", "logits", exported.OUTPUTS, "What the network gives.")
    flags.DEFINE_integer("step", None, "Checkpoint; the best by default.")
    flags.DEFINE_string("classes", None, "Text file of the classes' names.")
    flags.DEFINE_string("palette", None, "Text file of their colours; VOC's without.")


def run_flags(values: flags.FlagValues) -> None:
    """Export as the command line says.

    Args:
        values: Of the flags.

    Raises:
        ValueError: If --out is a directory.
    """
    out = Path(values.out)
    if out.is_dir():
        raise ValueError(f"--out={out} is a directory; give the name of a file.")
    export.require_flatbuffers()
    config = workdirs.config_of_run(values.workdir)
    net = trained.TrainedNet(config, values.workdir, values.step)
    found = heads(config, values.classes, values.palette, net.checkpoint.metadata)
    recorded.check_classes(found, net.checkpoint.metadata, values.workdir)
    alone = len(found) == 1 and not found[0].name
    classes = {head.name: head.classes for head in found}
    palette = {head.name: head.palette for head in found}
    export.export_network(
        out,
        net.model,
        net.variables,
        classes=classes[""] if alone else classes,
        palette=palette[""] if alone else palette,
        preprocessing=net.preprocessing,
        output=values.output,
        scale=config.eval_scale,
        about={"step": net.checkpoint.step, "config": config.model.to_dict()},
    )
    scale = (
        f"\nnote: it sees images at {config.eval_scale:g} of their resolution, as the "
        f"run is scored (eval_scale): give them as they are"
        if config.eval_scale != 1
        else ""
    )
    print(
        f"{config.model.name} of step {net.checkpoint.step}, "
        f"{sum(head.num_classes for head in found)} classes, "
        f"{out.stat().st_size / 2**20:,.1f} MiB: {out}\n"
        f"in Python: {values.output} = fcn_jax.load_exported({str(out)!r})(images)"
        + scale
    )


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
            folder=datasets.folder_options(config),
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
)
