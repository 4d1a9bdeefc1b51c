"""Trained nets to start from, by name or file, with the options that they were made by.

A packed net is a `.safetensors` of ours, kernels in float16, whose header says beside
what every such file says (`provenance`) how the net was trained, its classes and their
colours, what it scores and at which commit. `fcn_jax pack` writes them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import overload

from flax.typing import VariableDict

from fcn_jax import messages, models
from fcn_jax.models.encoders import Encoder
from fcn_jax.models.network import Network
from fcn_jax.preprocessing import CAFFE, Preprocessing
from fcn_jax.storage.files import JsonObject
from fcn_jax.weights import loading
from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.formats import safetensors

FOLDER = Path(__file__).resolve().parents[1] / "pretrained"  # Of the package's own.
SUFFIX = ".safetensors"
# Entries of the header: the metadata of a checkpoint, scores, and the commit.
RUN, SCORE, COMMIT = "run", "score", "commit"
_LEAST = 0.5  # Share of the encoder that another net must get.


def names() -> list[str]:
    """The nets that come with the package."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def packed(given: str | Path) -> Path | None:
    """The file of a packed net; None if there is none.

    Args:
        given: A file, or the name of a net that comes with the package.
    """
    path = Path(given)
    if path.is_file():
        return path if path.suffix == SUFFIX else None
    own = FOLDER / f"{given}{SUFFIX}"
    return own if not path.exists() and str(given) in names() else None


def record(given: str | Path) -> tuple[Path, JsonObject]:
    """What a packed net says of itself.

    Args:
        given: See `packed`.

    Returns:
        Its file, and the metadata of the checkpoint that it was made of, its scores
        under "score" and the commit under "commit".

    Raises:
        FileNotFoundError: If there is no such net.
        WeightsError: If the file is no packed net, or damaged.
    """
    path = packed(given)
    if path is None:
        close = messages.suggestion(str(given), names())
        raise FileNotFoundError(
            f"pretrained={str(given)!r} is no {SUFFIX} file, and no net that comes "
            f"with the package; {close + ' ' if close else ''}There are: "
            f"{', '.join(names()) or 'none'}."
        )
    found = safetensors.read_metadata(path)
    try:
        run = json.loads(found[RUN])
        score = json.loads(found.get(SCORE, "{}"))
        _check_kinds(run["config"], score)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(
            path,
            f"it does not say which net it is of ({type(error).__name__}: {error})",
            "expected what fcn_jax pack writes; load_weights takes any other file",
        ) from error
    return path, {**run, SCORE: score, COMMIT: found.get(COMMIT, "")}


def _check_kinds(config: JsonObject, score: object) -> None:
    """Refuse a record whose values are of other kinds than those who read it expect."""
    kinds = (
        ("data", config["data"], dict),
        ("model.name", config["model"]["name"], str),
        ("model.num_classes", config["model"]["num_classes"], int),
        ("model.width", config["model"].get("width", 1.0), (int, float)),
        (SCORE, score, dict),
        ("preprocessing", config.get("preprocessing"), str),
    )
    for what, value, kind in kinds:
        if not isinstance(value, kind):
            wanted = getattr(kind, "__name__", "a number")
            raise TypeError(f"{what} is {value!r:.40}, expected {wanted}")
    if (name := config["model"]["name"]) not in models.MODELS:
        raise ValueError(f"model.name is {name!r:.40}, no net of this version")


def describe(name: str) -> str:
    """All that is known of a packed net, a fact a line, and how it is used."""
    path, run = record(name)
    model, score = run["config"]["model"], run[SCORE]
    facts = {
        "file": path,
        "net": f"{model['name']}, {model['num_classes']} classes",
        "size": f"{path.stat().st_size / 1e6:.1f} MB",
        "scores": ", ".join(f"{what} {x}" for what, x in score.items()) or "unknown",
        "commit": run[COMMIT] or "unknown",
    }
    lines = [name, *(f"  {title:11}{fact}" for title, fact in facts.items())]
    lines.append(
        f"in Python: model, variables = fcn_jax.create({model['name']!r}, "
        f"pretrained={name!r}), or fcn_jax.load({name!r}).predict(image)\n"
        f"to train from it: --config.init_from={name}"
    )
    return "\n".join(lines)


def options_of(settings: JsonObject, name: str | None) -> tuple[str, JsonObject]:
    """The net of a run's config, or another one, by the run's options that it has.

    Args:
        settings: `config.model` of the run.
        name: Of the net; None: the run's.

    Returns:
        Its name, and what `create` takes beside it.
    """
    theirs = str(settings["name"])
    same = name in (None, theirs)
    name = name or theirs
    encoder = str(settings.get("encoder") or "")
    if not same and not encoder and theirs in models.MODELS:
        encoder = models.MODELS[theirs].default_encoder
        settings = {**settings, "encoder": encoder}
    known = {"num_classes", "encoder", *models.option_names(name, encoder)} - {"dtype"}
    if not same or not settings.get("skip_scales"):
        known.discard("skip_scales")
    known -= {
        key for key in ("encoder", "channels", "fc6_dilation") if not settings.get(key)
    }
    return name, {key: value for key, value in settings.items() if key in known}


@overload
def create(
    name: str,
    num_classes: int | Mapping[str, int] | None = None,
    encoder: str | Encoder | None = None,
    *,
    pretrained: None = None,
    preprocessing: Preprocessing = CAFFE,
    **options: object,
) -> Network: ...


@overload
def create(
    name: str,
    num_classes: int | Mapping[str, int] | None = None,
    encoder: str | Encoder | None = None,
    *,
    pretrained: str | Path,
    preprocessing: Preprocessing = CAFFE,
    **options: object,
) -> tuple[Network, VariableDict]: ...


def create(
    name: str,
    num_classes: int | Mapping[str, int] | None = None,
    encoder: str | Encoder | None = None,
    *,
    pretrained: str | Path | None = None,
    preprocessing: Preprocessing = CAFFE,
    **options: object,
) -> Network | tuple[Network, VariableDict]:
    """Make a network by name; with its weights, where one is trained already.

    Args:
        name: A key of `models.MODELS`.
        num_classes: Classes to score, background included, or a number for each head,
            by its name. None: 21, or those of the pretrained net. With others its
            scores start anew, and so they do in another network than the pretrained.
        encoder: See `models.create`; None: the network's own, or the pretrained one.
        pretrained: A net that comes with the package, or a file of `fcn_jax pack`;
            None: none.
        preprocessing: What a pretrained net will be given; its first layer is rewritten
            for that where it was given something else.
        **options: See `models.create`; those of the pretrained net where not given.

    Returns:
        See `models.create`; with `pretrained` the pair of it and of its variables, as
        `model.init` returns them.

    Raises:
        ValueError: As `models.create`.
        FileNotFoundError: If there is no such pretrained net.
        WeightsError: If it is damaged, or has no place in the network.
        ImportError: If the package that reads it is missing.
    """
    if pretrained is None:
        classes = 21 if num_classes is None else num_classes
        return models.create(name, classes, encoder or "", **options)
    path, run = record(pretrained)
    settings = run["config"]["model"]
    # A name that is not known is refused by `models.create`.
    theirs: JsonObject = {}
    if name in models.MODELS:
        theirs = options_of(settings, name)[1]
    given = {"num_classes": num_classes, "encoder": encoder}
    theirs |= {key: value for key, value in given.items() if value is not None}
    theirs.update(options)
    model = models.create(name, **theirs)
    classes = settings["num_classes"]
    same = name == settings["name"] and theirs["num_classes"] == classes
    variables, _ = loading.load_weights(
        path,
        model,
        strict=same,
        preprocessing=preprocessing,
        least=0.0 if same else _LEAST,
    )
    return model, variables
