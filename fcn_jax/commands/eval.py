r"""Evaluate a run: the four FCN metrics, the classes' table, and pictures.

fcn_jax eval --workdir=runs/shapes_fcn8s
fcn_jax eval --workdir=runs/mine --split=val --scales=0.75,1,1.25 --flip
fcn_jax eval --workdir=runs/mine --resolutions=0.5,1,2
fcn_jax eval --workdir=runs/mine --with_run=runs/shapes_fcn8s --compare
fcn_jax eval --workdir=camvid-fcn8s --config.data.root=FOLDER

The config is the run's own, unless --config names another; keys can be given alone. So
weights are scored: fcn_jax convert FILE DIR --model=fcn8s, then fcn_jax eval
--workdir=DIR --config.data.root=FOLDER.

Takes the run's best checkpoint (or --step) and writes, into --out (by default
DIR/eval/SPLIT; of a packed net eval_NAME/SPLIT): metrics.json, table.txt, images.csv
(the scores of each image, the worst first), contact_sheet.png, labels/ID.png in the
palette of the data set (VOC's is what its server takes) and overlays/ID.png. With
--resolutions: resolutions.json and resolutions.png instead. With --compare:
comparison.json and comparison.txt. With --config.crf.parameters=pydensecrf the dense
CRF comes last; scores and the contact sheet then show before and after.

Several processes share the images where they are started as those of fcn_jax train
(srun, Kubernetes, or --coordinator, --process and --processes), with directories that
all see. Every image is scored once, and config.eval_batch_size is that of all together.

With --report the HTML page of fcn_jax report is written too, in a second pass.
"""

from pathlib import Path

from absl import flags

from fcn_jax import hosts
from fcn_jax.commands import command_line, several
from fcn_jax.commands.command import Command
from fcn_jax.config.types import Config
from fcn_jax.data import contracts, one_head
from fcn_jax.inference import ensembles
from fcn_jax.runs import examination, shared, trained
from fcn_jax.runs.evaluation import Evaluation, look_at
from fcn_jax.runs.reports import compare, compare_resolutions, evaluate
from fcn_jax.viz import html_report


def define_flags() -> None:
    """Declare the flags of this command."""
    command_line.define_flags()
    flags.DEFINE_string("split", None, "Split to evaluate; the config's by default.")
    flags.DEFINE_string("out", None, "Where to write; WORKDIR/eval/SPLIT by default.")
    flags.DEFINE_integer("step", None, "Checkpoint to evaluate; the best by default.")
    flags.DEFINE_string("scales", None, "Input scales to average; the config's.")
    flags.DEFINE_bool("flip", False, "Average with the mirrored image.")
    flags.DEFINE_string("resolutions", None, "Score at each of these resolutions.")
    flags.DEFINE_string("with_run", None, "A second run, or packed net: an ensemble.")
    flags.DEFINE_enum(
        "combine", "mean_prob", ensembles.COMBINATIONS, "How the two are combined."
    )
    flags.DEFINE_bool("compare", False, "Score each run and the ensemble side by side.")
    flags.DEFINE_bool("labels", True, "Write the predicted labels as palette PNGs.")
    flags.DEFINE_bool("overlays", True, "Write the predictions over the images.")
    flags.DEFINE_bool("report", False, "Write the page of fcn_jax report too.")
    flags.DEFINE_string("head", "", "Of several, that of --report and --compare.")
    several.define_flags()
    flags.DEFINE_integer("rows", 6, "Images of the contact sheet.", lower_bound=1)


def run_flags(values: flags.FlagValues) -> None:
    """Evaluate as the command line says.

    Args:
        values: Of the flags.

    Raises:
        ValueError: If --report is asked for beside what makes no such page, scales
            beside resolutions, or of several processes what only one makes.
    """
    config = command_line.config_of_flags()
    _check_resolutions(values)
    if values.report:
        if values.resolutions or values.compare:
            raise ValueError(
                "--report goes with neither --resolutions nor --compare; leave it out, "
                "or run them one after the other."
            )
        html_report.check_installed()
    _check_head(config, values)
    if several.place_of(values) is not None:
        for name in ("resolutions", "compare", "report"):
            if values[name].value:
                raise ValueError(
                    f"--{name} is for one process, and several were started; leave it "
                    f"out, or start one (without srun, --coordinator and --processes)."
                )
    crew = several.crew_of(values)
    with hosts.together(crew), shared.silent(crew):
        _run(config, values, crew)


def _check_resolutions(values: flags.FlagValues) -> None:
    """Refuse beside --resolutions what would be passed over.

    Raises:
        ValueError: Naming it.
    """
    for name in ("scales", "compare"):
        if values.resolutions and values[name].value:
            raise ValueError(
                f"--{name} does not go with --resolutions, which scores at one after "
                f"the other; leave it out, or run them one after the other."
            )


def _check_head(config: Config, values: flags.FlagValues) -> None:
    """Refuse what looks at one of several heads where none is chosen, and the reverse.

    Raises:
        ValueError: Naming what to do.
    """
    for name in ("report", "compare"):
        if values[name].value:
            examination.check_one_head(
                config, values.workdir, values.head, f"--{name} is"
            )
            return
    if values.head:
        raise ValueError(
            f"--head={values.head} chooses a head for --report or --compare, and "
            f"neither is given; leave it out: tables and pictures are of all heads."
        )


def _run(config: Config, values: flags.FlagValues, crew: hosts.Crew) -> None:
    shared.check_alike(config, crew)
    scales = (
        command_line.parse_numbers("scales", values.scales) if values.scales else None
    )
    run = Evaluation(
        config,
        values.workdir,
        values.split,
        values.step,
        with_run=values.with_run,
        combine=values.combine,
        crew=crew,
    )
    if values.head:  # Before anything is scored.
        one_head.chosen(contracts.heads_of(run.source), values.head, run.source.name)
    place = trained.place_of_results(values.workdir)
    out = Path(values.out or place / run.source.split)
    if crew.count > 1:
        same = ("scales", "flip", "combine", "labels", "overlays")
        crew.agree({f"--{name}": values[name].value for name in same})
        if crew.first:
            out.mkdir(parents=True, exist_ok=True)
        shared.check_seen(out, crew, "--out")
    if values.resolutions:
        resolutions = command_line.parse_numbers("resolutions", values.resolutions)
        compare_resolutions(run, out, resolutions, values.flip)
    elif values.compare:
        look_at(run, values.head)
        compare(run, out, scales, values.flip)
    else:
        evaluate(
            run, out, scales, values.flip, values.labels, values.overlays, values.rows
        )
        if values.report:
            options = examination.Options(
                scales=scales, flip=values.flip, head=values.head
            )
            print(examination.report_of(run, out / "report.html", options))


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    required={"config": "NAME", "workdir": "DIR"},
    takes_weights=True,
    memory=(
        "lower config.eval_batch_size or --scales, leave the CRF out of photographs so "
        "large, or set config.inference.method=tiles (which holds the scores of whole "
        "images all the same; fcn_jax predict holds those of a row of tiles)"
    ),
    out="directory",
)
