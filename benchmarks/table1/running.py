"""Train and evaluate the systems, each command in a process of its own.

What is finished is not done again, and a run that was interrupted goes on.
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.table1.systems import Keys, System
from fcn_jax.config import named
from fcn_jax.config.types import Config
from fcn_jax.runs import logs
from fcn_jax.storage import files
from fcn_jax.weights import pretrained, zoo

ROOT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all systems of a table share.

    Attributes:
        out: Directory of the table.
        images: That each system sees in training; 0: as its configs say.
        seed: Of starts and orders.
        encoder: Weights from which each begins, as `encoder_at` gives them; "": as its
            config says.
        keys: Of every config, such as where the data are.
        smoke: Whether every run has two steps.
    """

    out: Path
    images: int = 0
    seed: int = 0
    encoder: str = ""
    keys: Keys = dataclasses.field(default_factory=dict)
    smoke: bool = False

    def asked(self) -> dict[str, object]:
        """What rows must have been made with to stand in one table."""
        return {
            "images": self.images,
            "seed": self.seed,
            "encoder": self.encoder,
            "keys": {key: str(value) for key, value in self.keys.items()},
            "smoke": self.smoke,
        }


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: As the paper prints it.
        mean_iu: Fraction.
        iu: By class; None where neither labels nor predictions have it.
        labels: What it learned from.
        note: What a reader must know.
        images: That were seen.
        train_seconds: Of training, as the logs have it, without compiling.
        eval_seconds: Of the evaluation, all images.
        memory: Of the process that trained, at its largest, MiB; a device's own memory
            is not in it. None where it was trained in an earlier call.
    """

    name: str
    mean_iu: float | None
    iu: Mapping[str, float | None]
    labels: str
    note: str
    images: int
    train_seconds: float
    eval_seconds: float
    memory: float | None


def encoder_at(given: str, place: Path) -> str:
    """Weights as commands know them that are started elsewhere.

    Args:
        given: A path, or the name of a net as `config.init_from` takes it; "": none.
        place: The directory that paths are from.

    Returns:
        An absolute path, or the name.
    """
    path = place / Path(given).expanduser()
    is_name = given in zoo.WEIGHTS or given in pretrained.names()
    return (
        given if not given or (is_name and not path.exists()) else str(path.resolve())
    )


def rows_of(system: System, setting: Setting) -> list[Row]:
    """The rows that a system gives: what is kept, or else what is run now.

    Args:
        system: What is trained.
        setting: What all share.

    Raises:
        ValueError: If rows, or runs, are kept that were made with another setting.
        RuntimeError: If a command fails.
    """
    kept = setting.out / "rows" / f"{system.name}.json"
    begun = setting.out / "runs" / f"{system.name}.json"
    for path in (kept, begun):
        _check_asked(path, system, setting)
    if kept.exists():
        found = json.loads(kept.read_text("utf-8"))
        return [Row(**row) for row in found["rows"]]
    files.write_json(begun, {"asked": setting.asked()})
    trained = [*_train(system, setting)]
    rows = _evaluate(system, setting, trained)
    files.write_json(
        kept,
        {"asked": setting.asked(), "rows": [dataclasses.asdict(row) for row in rows]},
    )
    return rows


def _check_asked(path: Path, system: System, setting: Setting) -> None:
    """Refuse what another setting made: its runs would be taken for those of this one.

    Raises:
        ValueError: If the file says so.
    """
    if not path.exists():
        return
    asked = json.loads(path.read_text("utf-8"))["asked"]
    # As earlier versions wrote and took it, from there.
    from_root = {**asked, "encoder": encoder_at(asked["encoder"], ROOT)}
    if setting.asked() not in (asked, from_root):
        name, out = system.name, setting.out
        raise ValueError(
            f"{path} was made with {asked}; expected {setting.asked()}, as all rows of "
            f"a table: name another --out, or delete rows/{name}.json, "
            f"runs/{name}.json, runs/{name}_* and eval/{name} in {out}."
        )


@dataclasses.dataclass(frozen=True)
class Trained:
    """A part that is trained: its folder, images, and what training took."""

    workdir: Path
    config: str
    keys: Keys
    images: int
    seconds: float
    memory: float | None


def _train(system: System, setting: Setting) -> Iterator[Trained]:
    before = setting.encoder
    for number, part in enumerate(system.parts):
        workdir = setting.out / "runs" / f"{system.name}_{number}"
        mode = "smoke" if setting.smoke else part.mode
        config = f"{part.config}:{mode}"
        # What a row asks for is too much of a smoke test's two steps.
        of_part = {} if setting.smoke else dict(part.keys)
        own = named.load(part.config).get_config(mode)
        keys: dict[str, object] = {**of_part, **setting.keys, "seed": setting.seed}
        keys |= steps(own, round(part.share * setting.images), of_part)
        keys |= places(own, setting.out)
        if before or setting.smoke:
            keys["init_from"] = before
        memory = None
        if not (workdir / "result.json").exists():
            memory = _run("train.py", config, workdir, keys)
        done = json.loads((workdir / "config.json").read_text("utf-8"))
        batch = done["batch_size"]
        seconds = _seconds(workdir, batch)
        images = done["num_steps"] * batch
        yield Trained(workdir, config, keys, images, seconds, memory)
        before = str(workdir)


def places(config: Config, out: Path) -> dict[str, Path]:
    """Where a run keeps what it makes of images, so that no call makes it again.

    Args:
        config: Of the run.
        out: Directory of the table.
    """
    found: dict[str, Path] = {}
    if config.data.objects.stage:
        found["data.objects.cache_dir"] = out / "proposals"
    if config.data.supervision == "box_segments":
        found["data.box_cache_dir"] = out / "segments"
    if config.data.supervision == "boxsup":
        found["data.boxsup.cache_dir"] = out / "candidates"
    return found


def steps(config: Config, images: int, keys: Keys) -> dict[str, object]:
    """The keys by which a run sees as many images.

    The steps at which its rate changes keep their place in the run.

    Args:
        config: Of the run.
        images: That it shall see; 0: as many as it does.
        keys: Of it, that differ.
    """
    if not images:
        return {}
    batch = int(str(keys.get("batch_size", config.batch_size)))
    count = max(2, round(images / batch))
    found: dict[str, object] = {"num_steps": count}
    for name in ("eval_every", "checkpoint_every"):
        found[name] = max(1, count // 4)
    found["log_every"] = max(1, min(config.log_every, count // 8))
    options = config.optim.schedule_options
    if "boundaries" in options:
        moved = [round(at * count / config.num_steps) for at in options.boundaries]
        found["optim.schedule_options.boundaries"] = tuple(
            max(at, number) for number, at in enumerate(moved, 1)
        )
    return found


def _evaluate(system: System, setting: Setting, trained: list[Trained]) -> list[Row]:
    last = trained[-1]
    out = setting.out / "eval" / system.name
    keys = {k: v for k, v in last.keys.items() if k != "init_from"} | system.keys
    if setting.smoke:
        keys.pop("inference.method", None)
    if system.crf:
        keys["crf.parameters"] = system.crf
    options = ["--compare", f"--out={out}"]
    if system.ensemble_with:
        second = setting.out / "runs" / f"{system.ensemble_with}_0"
        options.append(f"--with_run={second}")
    found: dict[str, dict] = {}
    if not (out / "comparison.json").exists():
        _run("eval.py", last.config, last.workdir, keys, *options)
    found = json.loads((out / "comparison.json").read_text("utf-8"))
    net = next(iter(found))
    rows = []
    for title, called in system.rows.items():
        scores = found[called.replace("net", net, 1)]
        row = Row(
            title,
            scores["mean_iu"],
            scores["iu"],
            system.labels,
            system.note,
            sum(part.images for part in trained),
            sum(part.seconds for part in trained),
            scores["seconds"],
            max((part.memory for part in trained if part.memory), default=None),
        )
        rows.append(row)
    return rows


def _seconds(workdir: Path, batch: int) -> float:
    """Of the steps of a run, from its log, however often it was interrupted."""
    seconds, before = 0.0, 0
    for entry in logs.read(workdir / "log.jsonl"):
        if entry["kind"] == "train":
            images = (entry["step"] - before) * batch
            seconds += images / entry["images_per_second"]
            before = entry["step"]
    return seconds


def _run(script: str, config: str, workdir: Path, keys: Keys, *options: str) -> float:
    """A script of this project, in its own process; its largest memory, MiB.

    Raises:
        RuntimeError: If it fails.
    """
    command = [script, f"--config=configs/{config}".replace(":", ".py:", 1)]
    command += [f"--workdir={workdir}", *options]
    command += [f"--config.{key}={value}" for key, value in keys.items()]
    print("$ python", *command, file=sys.stderr, flush=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=sys.stderr
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f"{script} of {workdir} ended with {process.returncode} after "
            f"{time.perf_counter() - start:.0f} s; its own message stands above. The "
            f"same command goes on where this one stopped."
        )
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return usage.ru_maxrss / unit
