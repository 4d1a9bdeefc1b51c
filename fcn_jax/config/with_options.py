"""A config whose free dicts are given keys, for --config: with_options.py:JSON.

A config is locked, so that a misspelt key is found. The options of a schedule and of a
method of proposals, or of masks, are another matter: which there are, it knows.
"""

import ast
import json
from collections.abc import Mapping
from pathlib import Path

from fcn_jax.config import named
from fcn_jax.config.types import Config

FREE_DICTS = (
    "optim.schedule_options",
    "data.objects.proposal_options",
    "data.boxsup.options",
)


def argument(file: str | Path, mode: str | None, options: Mapping[str, str]) -> str:
    """What --config is given, so that it is another config with options.

    Args:
        file: Of the other config.
        mode: What comes after its colon; None: there is none.
        options: Key of the config, such as "optim.schedule_options.power", and value.
    """
    given = {"file": str(file), "mode": mode, "options": dict(options)}
    return f"{__file__}:{json.dumps(given)}"


def get_config(text: str) -> Config:
    """The config that a JSON of `argument` describes.

    Args:
        text: The JSON.
    """
    given = json.loads(text)
    mode = () if given["mode"] is None else (given["mode"],)
    config = named.load(given["file"]).get_config(*mode)
    with config.unlocked():
        for key, value in given["options"].items():
            place, _, name = key.rpartition(".")
            found = config
            for part in place.split("."):
                found = found[part]
            found[name] = _value(value)
    return config


def _value(text: str) -> object:
    """A number, a tuple or the text itself."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
