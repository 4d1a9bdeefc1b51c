r"""Make a folder in VOC layout of what annotation tools write; see docs/your_files.md.

fcn_jax import coco annotations/instances_train.json DST
fcn_jax import labelme photos/ DST --split=0.8 --seed=0
fcn_jax import folders SRC DST --images=photos --masks=drawn --labels=labels.txt

FORMAT is one of those listed below. --labels=FILE says which class each value, colour
or name is, 'VALUE -> CLASS' a line (void for pixels that do not count, * for all
others); the folder gets the table that was used as labels.txt, to be changed and given
again. A format without splits is divided by chance. Images are linked, or copied with
--copy.

The folder is made whole or not at all, and nothing may be there. The exit status is 0
where it was made, else 1.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from absl import flags
from tqdm import tqdm

from fcn_jax import messages
from fcn_jax.commands.command import Command
from fcn_jax.data import imports
from fcn_jax.data.imports import label_table, writing
from fcn_jax.data.imports.contracts import VOID, Example, Places
from fcn_jax.data.imports.writing import Options, Report

_USAGE = "usage: fcn_jax import FORMAT SRC DST"


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("labels", "", "Table of labels: 'VALUE -> CLASS' a line.")
    flags.DEFINE_float("split", 0.8, "Share of train, where there are no splits.")
    flags.DEFINE_integer("seed", 0, "Of that division.")
    flags.DEFINE_bool("copy", False, "Copy images; by default they are linked.")
    flags.DEFINE_string("images", "", "Folder of images in SRC, if it is not found.")
    flags.DEFINE_string("masks", "", "Folder of masks in SRC, likewise.")


def check_flags(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """There must be a known format, a source, and a folder that is not there yet.

    Args:
        values: Of the flags.
        operands: Format, source and folder.

    Raises:
        flags.Error: If there are not.
    """
    del values
    if len(operands) != 3:
        raise flags.Error(f"{_USAGE}; given were {operands or 'none'}")
    if operands[0] not in imports.FORMATS:
        raise flags.Error(messages.unknown_name("format", operands[0], imports.FORMATS))


def run_flags(values: flags.FlagValues, form: str, source: str, root: str) -> None:
    """Import as the command line says.

    Args:
        values: Of the flags.
        form: Of the source.
        source: What is read.
        root: The folder that is made.
    """
    options = Options(values.split, values.seed, values.copy)
    table = label_table.read(values.labels) if values.labels else None
    places = Places(values.images, values.masks, bool(table and table.by_colour))
    found = imports.read(form, source, places)

    def track(examples: Iterable[Example], total: int) -> Iterable[Example]:
        return tqdm(examples, total=total, unit="image", disable=None)

    report = writing.write(found, Path(root).expanduser(), table, options, track)
    print(as_text(report))


def as_text(report: Report) -> str:
    """What was made, as lines.

    Args:
        report: Of `writing.write`.
    """
    images = ", ".join(f"{n} of {split}" for split, n in sorted(report.images.items()))
    lines = [f"{report.root}: {images}; {len(report.classes)} classes"]
    lines += [f"note: {note}" for note in report.notes]
    total = sum(row.pixels for row in report.rows) or 1
    wide = max(len(row.value) for row in report.rows)
    lines += ["", f"{'held':{wide}}  images   pixels  class"]
    for row in report.rows:
        unmatched = "" if row.matched else "  (by *)"
        share = f"{row.pixels / total:7.2%}"
        lines.append(
            f"{row.value:{wide}}  {row.images:6}  {share}  {row.name}{unmatched}"
        )
    void = sum(row.pixels for row in report.rows if row.name == VOID)
    lines += ["", f"void: {void / total:.2%} of all pixels"]
    lines += [f"next: fcn_jax doctor {report.root}"]
    return "\n".join(lines)


COMMAND = Command(
    text=(__doc__ or "")
    + "\nFormats:\n"
    + "\n".join(f"  {name:15}{text}" for name, text in imports.FORMATS.items()),
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
)
