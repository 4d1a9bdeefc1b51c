"""What a checkpoint records of its training, held against what it is used for now."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fcn_jax import data
from fcn_jax.config import datasets
from fcn_jax.config import workdir as workdirs
from fcn_jax.config.types import Config
from fcn_jax.data import contracts, fingerprints
from fcn_jax.data.contracts import Head, Source
from fcn_jax.data.fingerprints import Fingerprint
from fcn_jax.data.label_sets import VOC
from fcn_jax.runs import logs
from fcn_jax.storage import checkpoints
from fcn_jax.storage.checkpoints import Checkpoint, CheckpointStore
from fcn_jax.storage.files import JsonObject

# Options of a network that change its precision or its training, and not what it is.
_FREE = (
    "model.dtype",
    "model.dropout_rate",
    "model.freeze_batch_norm",
    "model.decoder_start",
    "model.bn_momentum",
    "model.bn_shift",
)

_OF_A_LOST_RUN = (
    "curves.png",
    "checkpoints_scores.json",
    "log.jsonl",
    "result.json",
    "checkpoints_damaged",
)


def classes_of(source: Source) -> JsonObject:
    """The names of a source's classes, by head, as a checkpoint records them."""
    return {head.name: list(head.classes) for head in contracts.heads_of(source)}


def labels_of(source: Source) -> JsonObject:
    """What a checkpoint records of a source's labels: `classes` and `colours`."""
    colours = {
        head.name: head.palette[: head.num_classes].tolist()
        for head in contracts.heads_of(source)
    }
    return {"classes": classes_of(source), "colours": colours}


def weights_of(class_weights: Sequence[float]) -> JsonObject:
    """What a checkpoint records of weights that were computed: `class_weights`.

    Args:
        class_weights: One a class; (): none were.
    """
    return {"class_weights": list(class_weights)} if class_weights else {}


def note_of_weights(
    class_weights: Sequence[float], metadata: Mapping[str, object]
) -> str:
    """What to say of class weights that are not those of a run's checkpoint.

    Args:
        class_weights: As they are computed now; (): none are.
        metadata: Of the checkpoint.

    Returns:
        A sentence; "" where they are the same, or none are recorded.
    """
    before = metadata.get("class_weights")
    if not isinstance(before, list) or not class_weights:
        return ""
    if before == list(class_weights):
        return ""
    then, now = (
        ", ".join(f"{weight:.3g}" for weight in weights)
        for weights in (before, class_weights)
    )
    return f"the class weights were {then}, and are {now} from here on"


def heads_of(config: Config, metadata: JsonObject) -> tuple[Head, ...]:
    """The heads of a run as its checkpoint records them.

    Args:
        config: Of the run.
        metadata: Of the checkpoint. Where it is older than a record, names and colours
            are those of the data set, if that is a known one, else numbers and VOC's.

    Returns:
        Names and colours of the classes, one for each head of the network.
    """
    numbers = datasets.num_classes_of(config)
    # A run that was made of weights alone has no data set, or one by default.
    known = data.DATASETS.get(config.data.name) if "data" in config else None
    if "config" not in metadata and numbers == len(VOC.classes):
        known = data.DATASETS["voc_segmentation/2012"]  # Of the published nets.
    listed = known.heads if known is not None and "classes" not in metadata else None
    if listed and [head.num_classes for head in listed] == [numbers]:
        return listed
    found: list[Head] = []
    for name, count in (
        numbers if isinstance(numbers, dict) else {"": numbers}
    ).items():
        names = metadata.get("classes", {}).get(name) or list(map(str, range(count)))
        colours = metadata.get("colours", {}).get(name)
        palette = VOC.palette.copy()
        if colours:
            palette[: len(colours)] = colours
        found.append(Head(name, tuple(names), palette))
    return tuple(found)


def check_model(config: Config, checkpoint: Checkpoint, workdir: str | Path) -> None:
    """Refuse to build another network than the one that was trained.

    Args:
        config: That the network is built from.
        checkpoint: Its parameters.
        workdir: Where they are from, for the message.

    Raises:
        ValueError: Naming every option that differs.
    """
    differing = [
        f"{name}={old!r}, now {new!r}"
        for name, old, new in _differences(config, checkpoint)
        if name.startswith("model.") and name not in _FREE
    ]
    if differing:
        raise ValueError(
            f"{workdir} was trained with {'; '.join(differing)}: that is another "
            f"network. Leave --config out, since the run has its own, or give these "
            f"options too."
        )


def notes(config: Config, checkpoint: Checkpoint) -> list[str]:
    """What differs in how the network is looked at, a sentence each.

    Args:
        config: That it is evaluated by.
        checkpoint: Its parameters.
    """
    said: list[str] = []
    for name, old, new in _differences(config, checkpoint):
        if name == "eval_scale":
            said.append(f"{name} was {old!r} in training, and is {new!r} now")
        if name == "preprocessing":
            said.append(f"{name} is {old!r}, as in training; {new!r} is passed over")
    return said


def check_classes(
    heads: Sequence[Head], metadata: Mapping[str, object], workdir: str | Path
) -> None:
    """Refuse classes that are not those that were trained, or stand in another order.

    Args:
        heads: Of the data set.
        metadata: Of a checkpoint; older ones record no names, and are not checked.
        workdir: Where it is from, for the message.

    Raises:
        ValueError: Naming the first class that differs.
    """
    recorded = metadata.get("classes")
    if not isinstance(recorded, Mapping):
        return
    for head in heads:
        names = recorded.get(head.name, list(head.classes))
        pairs = enumerate(zip(names, head.classes, strict=False))
        for label, (old, new) in pairs:
            if old != new:
                raise ValueError(
                    f"{workdir}: class {label} is {old!r} in training and {new!r} in "
                    f"this data set, so that its labels mean something else. Put the "
                    f"classes in the order of training ({', '.join(names[:6])}...), "
                    f"or give the data that it was trained on."
                )


def note_of_colours(source: Source, metadata: Mapping[str, object]) -> str:
    """What is to be said where masks are read by other colours than in training.

    Args:
        source: That is scored.
        metadata: Of a checkpoint; older ones record no colours.

    Returns:
        A sentence; "" where there is nothing to say.
    """
    recorded = metadata.get("colours")
    if not getattr(source, "by_colour", False) or not isinstance(recorded, Mapping):
        return ""
    for head in contracts.heads_of(source):
        now = head.palette[: head.num_classes].tolist()
        then = recorded.get(head.name, now)
        for name, new, old in zip(head.classes, now, then, strict=False):
            if new != old:
                return (
                    f"masks are read by their colours, and {name!r} is {tuple(new)} "
                    f"here and was {tuple(old)} in training: if the masks are those of "
                    f"before, they are read wrongly"
                )
    return ""


def note_of_init(init_from: str, source: Source) -> str:
    """What is to be said of a run that another starts from: that it has other classes.

    Args:
        init_from: The run, or any file.
        source: What the new run is trained on.

    Returns:
        A sentence; "" where there is nothing to say.
    """
    if not (Path(init_from) / "checkpoints").is_dir():
        return ""
    reader = checkpoints.CheckpointReader(Path(init_from) / "checkpoints")
    metadata = reader.newest_metadata()  # The classes of a run are those of all.
    try:
        if metadata is not None:
            check_classes(contracts.heads_of(source), metadata, init_from)
    except ValueError as error:
        return f"{error} Its scores start from those of other classes."
    return ""


def lost_run(workdir: Path, store: CheckpointStore, config: Config) -> str:
    """What shows that a directory held a run whose checkpoints are gone.

    A run that ended before its first checkpoint loses nothing by beginning anew.

    Args:
        workdir: Of the run.
        store: Its checkpoints.
        config: Of the run.

    Returns:
        In words; "" where nothing shows it, or there are checkpoints.
    """
    if store.steps():
        return ""
    damaged, log = workdir / "checkpoints_damaged", workdir / "log.jsonl"
    if damaged.is_dir():
        return f"its checkpoints were damaged, and lie in {damaged}"
    saved = logs.first_save(log)
    if saved is not None:
        return f"its log says that step {saved} was saved, and no checkpoint is there"
    scored = sorted(store.scores.read())
    if len(scored) > 1:  # A step is scored while it is saved; the next one waits.
        return f"step {scored[0]} was saved and scored, and no checkpoint is there"
    last = max((entry["step"] for entry in logs.read(log)), default=0)
    # Older versions did not write that down. A save is awaited by the next one, before
    # which the log has that one's step.
    every = (config.checkpoint_every, config.eval_every)
    _, second, *_ = sorted({n * period for period in every for n in (1, 2)})
    if last > second or (workdir / "result.json").exists():
        return f"its log ends at step {last}, and its checkpoints are gone"
    return ""


def check_restart(lost: str, workdir: Path) -> None:
    """Refuse to begin at step 0 where checkpoints were that are lost.

    Args:
        lost: What `lost_run` found.
        workdir: Of the run.

    Raises:
        ValueError: If there were checkpoints, and none is left.
    """
    if lost:
        raise ValueError(
            f"{workdir} held a run: {lost}; here it would begin at step 0 again. "
            f"Restore them from a backup, give a fresh --workdir, or pass --restart to "
            f"begin anew in this one."
        )


def set_aside(workdir: Path) -> str:
    """Move what is left of a lost run away: another begins in its directory.

    Args:
        workdir: Of both.

    Returns:
        A sentence that says where to.
    """
    aside, count = workdir / "before_restart", 1
    while aside.exists():
        count += 1
        aside = workdir / f"before_restart_{count}"
    aside.mkdir()
    # What says that there was a run goes last: a kill leaves all or some of it here.
    for name in _OF_A_LOST_RUN:
        if (workdir / name).exists():
            (workdir / name).rename(aside / name)
    return f"what was left of the run before is in {aside}; this one begins at step 0"


def check_data(now: Fingerprint, then: Fingerprint | None, workdir: Path) -> None:
    """Refuse to go on with other data than a run began with.

    Args:
        now: Fingerprint of the training data.
        then: The one that was recorded; None: an older run recorded none.
        workdir: Of the run, for the message.

    Raises:
        ValueError: Naming what differs.
    """
    if then is None:
        return
    differing = fingerprints.differing(now, then)
    if differing:
        raise ValueError(
            f"{workdir}: the training data are not those that this run began with; "
            f"their {', '.join(differing)} differ. Restore them, begin in a fresh "
            f"--workdir, or pass --allow_changed=data to go on with them."
        )


def _differences(config: Config, checkpoint: Checkpoint):
    theirs = checkpoint.metadata.get("config")
    return workdirs.compare(theirs, config) if isinstance(theirs, dict) else []
