"""Weights in several files, with an index in JSON beside them.

Keras 3 writes NAME.weights.json beside NAME_00000.weights.h5 and so on
(`save_weights(..., max_shard_size=)`), Hugging Face model.safetensors.index.json beside
its parts. The index has an entry "weight_map": where -> the file, or files.
"""

import json
import re
from pathlib import Path

from fcn_jax.weights.errors import WeightsError

_LARGEST = (
    1 << 24
)  # Bytes of an index; those of large language models have some 100 KB.
# The name of one of several files, and that of their index.
_PARTS = (
    (re.compile(r"^(?P<name>.+)_\d{5}\.weights\.h5$"), "{name}.weights.json"),
    (
        re.compile(r"^(?P<name>.+)-\d{5}-of-(?P<of>\d{5})(?P<suffix>\.\w+)$"),
        "{name}{suffix}.index.json",
    ),
)


def looks_like(head: bytes) -> bool:
    """Whether a file that begins so is JSON, and so perhaps an index."""
    return head.lstrip().startswith(b"{")


def files(path: str | Path) -> list[Path]:
    """The files that an index names, each once, in its order.

    Args:
        path: The index.

    Raises:
        WeightsError: If it is no index, or a file of it is not there.
    """
    path = Path(path)
    if path.stat().st_size > _LARGEST:
        raise WeightsError(
            path,
            f"JSON of {path.stat().st_size:,} bytes",
            "expected the index of weights in several files",
        )
    try:
        found = json.loads(path.read_text("utf-8"))
        entries = list(found["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            path,
            f"JSON without a weight_map ({type(error).__name__})",
            "expected the index of weights in several files (NAME.weights.json of "
            "Keras), or the weights themselves",
        ) from error
    names: dict[str, None] = {}
    for entry in entries:
        for name in entry if isinstance(entry, list) else [entry]:
            if not isinstance(name, str) or Path(name).name != name:
                raise WeightsError(
                    path, f"it names a file {name!r}", "expected names of files beside"
                )
            names[name] = None
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing or not names:
        parts = f"{', '.join(missing[:3])}{' and more' * (len(missing) > 3)}"
        raise WeightsError(
            path,
            f"its parts {parts} are not beside it" if missing else "it names no file",
            "expected all files that were saved with it: copy them here",
        )
    return [path.parent / name for name in names]


def check_alone(path: str | Path) -> None:
    """Refuse a file that is one of several, where their index is what to give.

    Args:
        path: A file of weights, given by itself.

    Raises:
        WeightsError: If its name is that of a part, unless it is the only one.
    """
    path = Path(path)
    for pattern, form in _PARTS:
        match = pattern.match(path.name)
        if match is None or match.groupdict().get("of") == "00001":
            continue
        index = path.with_name(form.format(**match.groupdict()))
        if not index.is_file():
            raise WeightsError(
                path,
                f"by its name it is one of several files, and {index.name}, which "
                f"names them, is not beside it",
                f"expected all files that were saved together: copy them here and give "
                f"{index.name}; if it is whole by itself, rename it",
            )
        if path in (parts := files(index)) and len(parts) > 1:
            raise WeightsError(
                path,
                f"it is one of {len(parts)} files whose weights are one net's",
                f"expected what names them all: give {index}",
            )
