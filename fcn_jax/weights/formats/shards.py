"""Weights in several files, with an index in JSON beside them.

Keras 3 writes NAME.weights.json beside NAME_00000.weights.h5 and so on
(`save_weights(..., max_shard_size=)`), Hugging Face model.safetensors.index.json beside
its parts. The index has an entry "weight_map": where -> the file, or files.
"""

import json
from pathlib import Path

from fcn_jax.weights.errors import WeightsError

_LARGEST = (
    1 << 24
)  # Bytes of an index; those of large language models have some 100 KB.


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
