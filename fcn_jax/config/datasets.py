"""From a config to the sources and batches of a run."""

import dataclasses
import functools
from collections.abc import Generator

import ml_collections
import numpy as np

from fcn_jax import data, messages
from fcn_jax.config import build, examples, sampling, superpixels, weak
from fcn_jax.config.types import Config
from fcn_jax.crf.module import Model
from fcn_jax.data import checks, contracts, frequencies, imports, loader
from fcn_jax.data.augmentation import Augmentation
from fcn_jax.data.batch import Batch
from fcn_jax.data.cached import CachedSource
from fcn_jax.data.contracts import Source
from fcn_jax.data.cues import CUES, CueSource
from fcn_jax.data.options import FolderOptions, ToolOptions
from fcn_jax.data.together import Together
from fcn_jax.preprocessing import PREPROCESSING, Preprocessing


def open_source(config: Config, which: str) -> Source:
    """The source of `which`, "train" or "eval", checked against num_classes.

    That of "train" holds crops where config.data.objects asks for them, and weak labels
    where config.data.supervision does.

    Args:
        config: See `fcn_jax.config.base`.
        which: "train" or "eval".
    """
    if which == "eval":
        return open_eval(config)
    source = open_split(config, config.data.train_split)
    if config.data.get("extra", ""):  # Older runs do not have it.
        source = Together(source, _extra(config))
    source = _with_cue(config, "train_cue", source)
    if config.data.objects.stage:
        source = examples.of_source(config, source)
    room = config.data.get("cache", 0.0)  # Older runs do not have it.
    if room > 0:
        shared = config.data.get("num_workers", 0) > 0
        source = CachedSource(source, round(room * 2**30), shared)
    split = functools.partial(open_split, config)
    source = weak.with_weak_labels(config, source, split)
    return superpixels.divided(config, source)


def open_eval(config: Config, split: str = "") -> Source:
    """What a network is scored on, as `config.data.eval_cue` shows it.

    Args:
        config: See `fcn_jax.config.base`.
        split: Of the data set; "": the config's.
    """
    source = open_split(config, split or config.data.eval_split, config.data.eval_name)
    return superpixels.divided(config, _with_cue(config, "eval_cue", source))


def _with_cue(config: Config, key: str, source: Source) -> Source:
    """The source, or of its images what the config has seen.

    Raises:
        ValueError: If the cue is not known, or the source has no background.
    """
    cue = config.data.get(key, "")  # Older runs do not have it.
    if cue not in CUES:
        raise ValueError(
            f"config.data.{key}={cue!r} is not known; use one of "
            f"{', '.join(CUES[1:])}, or '' for images as they are."
        )
    return CueSource(source, cue) if cue else source


def open_split(config: Config, split: str, name: str = "") -> Source:
    """A split of the config's data set, or of another; whole images.

    Checked against num_classes.

    Args:
        config: See `fcn_jax.config.base`.
        split: Of the data set.
        name: Of another data set than the config's.
    """
    source = data.open_source(
        name or config.data.name,
        split,
        root=config.data.root or None,
        palette=config.data.palette or None,
        data_dir=config.data.data_dir or None,
        manual_dir=config.data.manual_dir or None,
        folder=folder_options(config),
        tool=tool_options(config),
        channels=config.data.get("channels", ""),  # Older runs do not have it.
    )
    checks.check_num_classes(source, num_classes_of(config))
    return source


def check_channels(source: Source, model: Model, preprocessing: Preprocessing) -> None:
    """Refuse images that the network, or what is made of them for it, does not take.

    Args:
        source: Of the images.
        model: The network.
        preprocessing: What turns images into its input.

    Raises:
        ValueError: Naming what differs.
    """
    letters = contracts.channels_in(source).letters
    given = preprocessing.channels_given.lower()
    if letters != given:
        raise ValueError(
            f"{source.name} has images of {letters} and config.preprocessing="
            f"{preprocessing.name!r} takes {given}; set --config.preprocessing (one of "
            f"{', '.join(PREPROCESSING)}) and --config.data.channels to the same."
        )
    if model.network.channels != preprocessing.num_channels:
        raise ValueError(
            f"{source.name} has images of {preprocessing.num_channels} channels, "
            f"{letters}, and the network takes {model.network.channels}; set "
            f"--config.model.channels={preprocessing.num_channels} (0 for nets of "
            f"several streams)."
        )


def _extra(config: Config) -> Source:
    """What is trained on beside the data set."""
    name, root = config.data.extra, config.data.extra_root
    if name not in data.DATASETS:
        hint = messages.suggestion(name, data.DATASETS)
        raise ValueError(
            f"config.data.extra={name!r} is no data set; {hint + ' ' if hint else ''}"
            f"There are: {', '.join(data.DATASETS)}."
        )
    if (name == "folder" or name in imports.FORMATS) and not root:
        raise ValueError(
            f"config.data.extra={name!r} needs the path of its files; set "
            f"--config.data.extra_root=DIR."
        )
    channels = config.data.get("channels", "")  # Older runs do not have it.
    return data.open_source(
        name,
        config.data.extra_split,
        channels=channels if channels in data.DATASETS[name].inputs else "",
        root=root or None,
        data_dir=config.data.data_dir or None,
        manual_dir=config.data.manual_dir or None,
    )


def folder_options(config: Config) -> FolderOptions:
    """How the files of a folder are to be read; of older runs as they were.

    Args:
        config: See `fcn_jax.config.base`.

    Raises:
        ValueError: If an option is not known.
    """
    names = [field.name for field in dataclasses.fields(FolderOptions)]
    return FolderOptions(**{n: config.data[n] for n in names if n in config.data})


def tool_options(config: Config) -> ToolOptions:
    """What the files of a tool leave open; of older runs nothing.

    Args:
        config: See `fcn_jax.config.base`.
    """
    names = [field.name for field in dataclasses.fields(ToolOptions)]
    return ToolOptions(**{n: config.data[n] for n in names if n in config.data})


def num_classes_of(config: Config) -> int | dict[str, int]:
    """The classes of the network; by head where there are several."""
    found = config.model.num_classes
    return found.to_dict() if isinstance(found, ml_collections.ConfigDict) else found


def describe_source(source: Source) -> str:
    """What was opened, how its masks are stored where that varies, and notes on it."""
    stored = getattr(source, "mask_format", None)
    classes = " and ".join(
        f"{head.num_classes} {head.name + ' ' if head.name else ''}classes"
        for head in contracts.heads_of(source)
    )
    line = f"{source.name} {source.split}: {len(source)} images, {classes}" + (
        f", masks stored as {stored}" if stored else ""
    )
    notes = getattr(source, "notes", ())
    return "\n".join([line, *(f"note: {note}" for note in notes)])


BALANCES = ("", "median_frequency", "inverse_frequency")


def class_weights(config: Config, source: Source) -> tuple[float, ...]:
    """The weights of the classes that `config.loss.balance` asks for.

    Args:
        config: See `fcn_jax.config.base`.
        source: What it is trained on; all of its masks are read.

    Returns:
        One a class; () where it asks for none.

    Raises:
        ValueError: If it is not known, there are weights beside it, or several heads,
            or no pixel has a class.
    """
    balance = config.loss.get("balance", "")  # Older runs do not have it.
    if balance not in BALANCES:
        raise ValueError(
            f"config.loss.balance={balance!r} is not known; use 'median_frequency', "
            f"'inverse_frequency' (of superpixels), or '' for none."
        )
    if not balance:
        return ()
    if config.loss.class_weights:
        raise ValueError(
            f"config.loss.balance={balance!r} and config.loss.class_weights="
            f"{tuple(config.loss.class_weights)} both weigh the classes; give one."
        )
    build.check_one_head(config, f"config.loss.balance={balance!r}")
    inverse = balance == "inverse_frequency"
    count = superpixels.class_shares if inverse else _pixel_shares
    shares = count(config, source)
    if not shares.any():
        raise ValueError(
            f"config.loss.balance={balance!r} weighs classes by how often they occur, "
            f"and all pixels of {source.name} {source.split} are void; see fcn_jax "
            f"doctor."
        )
    if inverse:
        return frequencies.inverse_weights(shares)
    return frequencies.median_frequency_weights(shares)


def _pixel_shares(config: Config, source: Source) -> np.ndarray:
    del config
    return frequencies.class_frequencies(source)


def overlap_note(train: Source, scored: Source) -> str:
    """What to say of images that are both trained on and scored.

    Args:
        train: What a run is trained on.
        scored: What it is scored on.

    Returns:
        A sentence; "" where there are none, or the sources do not tell.
    """
    if train.name != scored.name or train.split == scored.split:
        return ""
    shared = set(getattr(train, "ids", ())) & set(getattr(scored, "ids", ()))
    return checks.overlap_text(shared, len(scored), train.split, scored.split)


def batch_note(config: Config, source: Source) -> str:
    """What to say of a batch that is larger than the data set; "" if it is not.

    Args:
        config: See `fcn_jax.config.base`.
        source: That it is trained on.
    """
    size, images = sampling.images_of_update(config), len(source)
    if size <= images:
        return ""
    larger = size != config.batch_size
    key = "config.batch_size" + " / config.loss.pixel_probability" * larger
    return (
        f"{key}={size:,} is more than the {images:,} images of "
        f"{source.split}: each update sees them {size / images:,.1f} times"
    )


def padding_note(config: Config, source: Source) -> str:
    """What to say of batches of whole images that are padding for the most part.

    Args:
        config: See `fcn_jax.config.base`.
        source: What it is trained on.

    Returns:
        A sentence; "" where images are cropped, or near each other in size.
    """
    if config.data.crop or config.data.canvas:
        return ""
    sizes, ids = source.image_sizes(), getattr(source, "ids", ())
    largest = str(ids[sizes.astype(int).prod(axis=1).argmax()]) if ids else ""
    return checks.padding_text(sizes, largest)


_SIZES = {"scale", "crop", "cutout"}  # () in a config, None in the library.


def augmentation_of(config: Config) -> Augmentation:
    """What may happen to a training image; of older runs what they had.

    Args:
        config: See `fcn_jax.config.base`.
    """
    names = [field.name for field in dataclasses.fields(Augmentation)]
    given = {name: config.data[name] for name in names if name in config.data}
    for name in given.keys() & _SIZES:
        given[name] = tuple(given[name]) or None
    return Augmentation(**given)


def train_batches(
    config: Config, source: Source, start_step: int, share: tuple[int, int] = (0, 1)
) -> Generator[Batch, None, None]:
    """The training batches from update `start_step` on.

    Args:
        config: See `fcn_jax.config.base`.
        source: What it is trained on.
        start_step: Updates done.
        share: Which process this is, and how many share the batches.
    """
    settings = config.data
    return loader.train_batches(
        source,
        batch_size=sampling.images_of_update(config),
        seed=config.seed,
        num_classes=num_classes_of(config),
        augmentation=augmentation_of(config),
        canvas=tuple(settings.canvas) or None,
        with_replacement=settings.with_replacement,
        start_step=start_step,
        share=loader.Share(*share, config.accumulate),
        readers=loader.Readers(
            settings.num_threads,
            settings.get("num_workers", 0),  # Older runs do not have it.
        ),
    )
