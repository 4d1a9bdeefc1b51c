r"""Look at a data set before training: what is wrong, what to do, and what is in it.

fcn_jax doctor ROOT
fcn_jax doctor ROOT --num_classes=11 --sheet=overlays.png
fcn_jax doctor ROOT --config.data.void_label=254 --config.data.split=0.8
fcn_jax doctor ROOT --json=- > report.json
fcn_jax doctor voc_segmentation/2012
fcn_jax doctor labelme --config.data.root=photos
fcn_jax doctor pascal_context --config.data.classes=59 --config.data.manual_dir=DIR

DATA is a folder in VOC layout (docs/data_sets.md), or the name of a data set; keys of
config.data mean what they mean in a training, --config=NAME takes those of a config.
Every image and mask of the two splits is read to its end; a bad file is told, and the
others are looked at all the same. What stops training, or spoils what is learned, comes
first; then hints: duplicates, images in both splits, classes of one split, EXIF
orientations, files of no list. Then how often classes occur, with weights by median
frequency, and what of padded batches is padding.

The exit status is 0 where nothing is found that stops training (there may be hints),
and 1 where something is.
"""

import json
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from absl import flags
from tqdm import tqdm

from fcn_jax import data, messages
from fcn_jax.commands import command_line
from fcn_jax.commands.command import Command
from fcn_jax.config import datasets, plain
from fcn_jax.config.types import Config
from fcn_jax.data import doctor, doctor_text, imports, official
from fcn_jax.data.doctor import Patient
from fcn_jax.data.doctor_findings import Findings
from fcn_jax.data.doctor_folder import Folder
from fcn_jax.data.doctor_seen import Seen
from fcn_jax.data.doctor_source import Opened
from fcn_jax.data.options import Options
from fcn_jax.data.sources import imported
from fcn_jax.storage import files
from fcn_jax.viz import labels, sheets

_SHEET = 24  # Images of a sheet.
_STDOUT = "-"
_USUAL = ("train", "val")  # Splits, where no config names others.


def define_flags() -> None:
    """Declare the flags of this command."""
    command_line.define_config_flag()
    flags.DEFINE_integer("num_classes", 0, "Of the network; 0: as the data set has.")
    flags.DEFINE_alias("num-classes", "num_classes")
    flags.DEFINE_string("json", "", "File for the report as JSON; -: print it.")
    flags.DEFINE_string("sheet", "", "PNG for a sheet of images under their labels.")
    flags.DEFINE_integer("threads", None, "That read; one a core by default.")


def check_flags(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """There must be one data set, and numbers that mean something.

    Args:
        values: Of the flags.
        operands: The data set.

    Raises:
        flags.Error: If there is not.
    """
    if len(operands) != 1:
        raise flags.Error(
            f"give one data set: fcn_jax doctor DATA; given were {operands or 'none'}"
        )
    if values.num_classes < 0:
        raise flags.Error(
            f"--num_classes={values.num_classes} is negative; leave it "
            f"out, or give the network's number of classes"
        )
    if values.threads is not None and values.threads < 1:
        raise flags.Error(f"--threads={values.threads} is not positive; give 1 or more")
    given = operands[0]
    if given not in data.DATASETS and not Path(given).expanduser().is_dir():
        hint = messages.suggestion(given, data.DATASETS)
        raise flags.Error(
            f"{given!r} is neither a folder nor a data set; "
            f"{hint + ' ' if hint else ''}Data sets are {', '.join(data.DATASETS)}"
        )


def run_flags(values: flags.FlagValues, given: str) -> None:
    """Examine a data set as the command line says.

    Args:
        values: Of the flags.
        given: The folder, or the name of the data set.

    Raises:
        SystemExit: With 1, if something was found that stops training.
    """
    found = Findings()
    patient = _patient(values.config, given, values.num_classes, found)
    num_threads = values.threads or os.cpu_count() or 1

    def track(seen: Iterable[Seen], total: int) -> Iterable[Seen]:
        return tqdm(seen, total=total, unit="image", disable=None)

    with warnings.catch_warnings():
        # Pillow's, of damaged files, without their names.
        warnings.filterwarnings("ignore", module=r"PIL\b")
        report = doctor.examine(patient, found, num_threads, track)
    if values.json != _STDOUT:
        print(doctor_text.as_text(report))
    if values.json == _STDOUT:
        print(json.dumps(doctor_text.as_json(report), indent=2))
    elif values.json:
        files.write_json(values.json, doctor_text.as_json(report))
    if values.sheet:
        _draw(patient, values.sheet)
    if report.stops:
        sys.exit(1)


def _patient(config: Config, given: str, num_classes: int, found: Findings) -> Patient:
    """What is to be examined, opened."""
    splits = (config.data.train_split, config.data.eval_split)
    # A folder may have a format's name.
    is_folder = Path(given).expanduser().is_dir() and not config.data.root
    packed = given in official.NAMES and not config.data.root and not is_folder
    if given in imports.FORMATS and not is_folder and not packed:
        return _imported(config, given, splits, num_classes, found)
    if packed or (given in data.DATASETS and given not in ("folder", *imports.FORMATS)):
        return _opened(config, given, splits, num_classes, found)
    root = config.data.root if given == "folder" else given
    return Folder(
        Path(data.at_hand(root, config.data.data_dir) or "").expanduser(),
        splits,
        config.data.palette or None,
        datasets.folder_options(config),
        num_classes,
        found,
    )


def _opened(
    config: Config,
    given: str,
    splits: tuple[str, str],
    num_classes: int,
    found: Findings,
) -> Opened:
    """A data set that is opened by name; its own splits, where it has no others."""
    if splits == _USUAL:
        splits = data.DATASETS[given].splits
    config.data.name = given
    sources = {
        split: data.open_source(
            given,
            split,
            root=config.data.root or None,
            data_dir=config.data.data_dir or None,
            manual_dir=config.data.manual_dir or None,
            tool=datasets.tool_options(config),
            channels=config.data.channels,
        )
        for split in dict.fromkeys(splits)
    }
    return Opened(sources, splits, num_classes, found)


def _imported(
    config: Config,
    form: str,
    splits: tuple[str, str],
    num_classes: int,
    found: Findings,
) -> Folder:
    """What is made of a tool's files, opened."""
    options = Options(
        root=data.at_hand(config.data.root, config.data.data_dir),
        data_dir=config.data.data_dir or None,
        folder=datasets.folder_options(config),
        tool=datasets.tool_options(config),
    )
    made = imported.make(form, options)
    patient = Folder(made.root, splits, None, made.options, num_classes, found)
    patient.name = f"{form} {config.data.root}"
    patient.notes = [*made.notes, *patient.notes]
    return patient


def _draw(patient: Patient, path: str) -> None:
    """Write a sheet of images, evenly from all splits, under their labels."""
    places = [(s, i) for s, ids in patient.ids.items() for i in range(len(ids))]
    step = max(1, len(places) // _SHEET)
    rows = []
    for split, index in places[::step][:_SHEET]:
        try:
            image, shown = patient.picture(split, index)
            if image.shape[:2] == shown.shape:
                rows.append((f"{split} {patient.ids[split][index]}", image, shown))
        except Exception:  # It is among the findings.
            continue
    if not rows:
        print(f"no image could be drawn for {path}", file=sys.stderr)
        return
    labels.save_image(
        path, sheets.overlay_sheet(rows, patient.classes, patient.palette)
    )


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
    config=plain.__file__,
)
