"""From a trained run to a small file that others start from."""

import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
from flax.typing import VariableDict

from fcn_jax import parallel
from fcn_jax.config import workdir as workdirs
from fcn_jax.runs import recorded
from fcn_jax.runs.evaluation import Evaluation
from fcn_jax.storage import trees
from fcn_jax.storage.files import JsonObject
from fcn_jax.weights import pretrained, saving

MOST = 12e6  # Bytes of a file, as many as a wheel can bear.
LOSS = 0.005  # Of mean IU, by rounding; more says that something is wrong.
_HEADER = 100_000  # Bytes that names, shapes and the record take at most.
# What of a checkpoint's metadata is of no use to others, or of their own machine.
_PRIVATE = ("best", "losses", "data", "eval_data", "sha256", "metadata_sha256")


@dataclasses.dataclass(frozen=True)
class Packed:
    """What came of it.

    Attributes:
        path: The file.
        size: Its bytes.
        mean_iu: Of the run as it is, and of what was packed.
    """

    path: Path
    size: int
    mean_iu: tuple[float, float]


def half(variables: VariableDict) -> VariableDict:
    """Variables whose kernels are rounded to float16.

    All else stays float32: it is little, and variances of BatchNorm may be beyond what
    float16 holds.

    Args:
        variables: Of a net.

    Raises:
        ValueError: If a weight is beyond float16.
    """
    flat: dict[str, np.ndarray] = {}
    for name, x in trees.flatten(variables).items():
        rounded = x
        if name.endswith("/kernel"):
            with np.errstate(over="ignore"):
                rounded = np.asarray(x).astype(np.float16)
            if not np.isfinite(rounded).all():
                raise ValueError(
                    f"{name} holds {np.abs(x).max():.3g}, beyond float16 (65,504); "
                    f"such a net cannot be packed: export it (fcn_jax export)."
                )
        flat[name] = rounded
    return trees.nested(flat)


def pack(
    workdir: str | Path,
    out: str | Path,
    *,
    step: int | None = None,
    split: str | None = None,
    root: str = "",
    commit: str = "",
    most: float = MOST,
) -> Packed:
    """Write the net of a run for others, scored as it will be: after rounding.

    Args:
        workdir: Of the run.
        out: NAME.safetensors; it is replaced when all is done.
        step: Checkpoint; None: the best.
        split: That it is scored on; None: the config's.
        root: Where the data lie; "": where the config says.
        commit: Of the sources that it was trained with; recorded.
        most: Bytes that the file may have.

    Returns:
        What came of it.

    Raises:
        FileNotFoundError: If there is no run, or no checkpoint.
        ValueError: If the name is another, the net too large or its weights beyond
            float16, it has several heads or a CRF that was trained, or rounding costs
            more than `LOSS`.
        OSError: If no file can be written at `out`.
        ImportError: If the package that writes the format is missing.
    """
    out = Path(out)
    if out.suffix != pretrained.SUFFIX:
        raise ValueError(f"{out} is no name for a packed net; give NAME.safetensors.")
    saving.check_out(out)  # Before the net is scored twice.
    if not most > 0:
        raise ValueError(f"most={most:g} bytes are none; give more, or leave it out.")
    config = workdirs.config_of_run(workdir)
    if root:
        config.data.root = root
    run = Evaluation(config, workdir, split, step)
    member = run.members[0]
    if len(member.heads) > 1 or member.model is not member.model.network:
        raise ValueError(
            f"{workdir} has several heads, or a CRF that was trained with it; a net "
            f"with one head and no CRF can be packed."
        )
    rounded = half(member.variables)
    size = sum(x.nbytes for x in jax.tree.leaves(rounded)) + _HEADER
    if size > most:
        raise ValueError(
            f"{out.name} would have {size / 1e6:.1f} MB; expected {most / 1e6:g} at "
            f"most. Train a narrower net (config.model.width, fc_features, or "
            f"fc6_dilation=3), or raise --most_mb."
        )
    before = run.score()["mean_iu"] or 0.0
    as_read = jax.tree.map(lambda x: np.asarray(x, np.float32), rounded)
    member.replicated = parallel.replicate(as_read, run.devices)
    after = run.score()["mean_iu"] or 0.0
    if before - after > LOSS:
        raise ValueError(
            f"rounding to float16 takes mean IU from {before:.4f} to {after:.4f}, and "
            f"{LOSS} is the most that it may cost; export the net instead (fcn_jax "
            f"export)."
        )
    score = {
        "mean_iu": round(after, 4),
        "data": f"{run.source.name} {run.source.split}",
        "images": len(run.source),
        "scale": config.eval_scale,
    }
    facts = {
        pretrained.RUN: json.dumps(_public(run)),
        pretrained.SCORE: json.dumps(score),
        pretrained.COMMIT: commit,
    }
    saving.save_weights(
        out,
        rounded,
        member.model.network,
        preprocessing=member.preprocessing,
        facts=facts,
    )
    return Packed(out, out.stat().st_size, (before, after))


def _public(run: Evaluation) -> dict[str, object]:
    """The metadata of a checkpoint without what is of its machine alone."""
    metadata = {k: v for k, v in run.checkpoint.metadata.items() if k not in _PRIVATE}
    config: JsonObject = json.loads(run.config.to_json())
    for key in (*workdirs.PLACE_KEYS, "init_from"):
        *parts, name = key.split(".")
        found = config
        for part in parts:
            found = found.get(part, {})  # Older runs lack some.
        if isinstance(found.get(name), str):  # Others are numbers of readers.
            found[name] = ""
    return {
        **metadata,
        "config": config,
        "step": run.checkpoint.step,
        **recorded.labels_of(run.source),
    }
