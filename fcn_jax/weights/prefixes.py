"""What wrappers put before the names of layers, and how it is taken off.

`torch.nn.DataParallel` and `DistributedDataParallel` add "module.", `torch.compile`
"_orig_mod."; PyTorch Lightning and own classes the name of an attribute: "model.",
"net.", "backbone.", "encoder.". Several may stand together, and in the middle:
"features.module.0".
"""

from collections.abc import Callable, Iterable

# Parts of a name that no layer of a network is called by.
_WRAPPERS = ("module", "_orig_mod")
_MOST_PARTS = 3  # Of an attribute's path, such as "model.net.backbone".


def strip(
    names: Iterable[str], is_layer: Callable[[str], bool]
) -> tuple[dict[str, str], str]:
    """Names without what stands before the layers.

    Args:
        names: Such as "module.backbone.features.0.weight".
        is_layer: Whether a network has a layer of that name, such as "features.0".

    Returns:
        The name of each without the prefix, "features.0.weight", and the prefix that
        was taken off beside the wrappers, "backbone", "" if there is none: the one
        after which most names are those of layers. Names without it stay.
    """
    short = {
        name: ".".join(part for part in name.split(".") if part not in _WRAPPERS)
        for name in names
    }
    counts = {"": sum(is_layer(_layer(x)) for x in short.values())}
    for name in short.values():
        parts = name.split(".")
        for depth in range(1, min(_MOST_PARTS, len(parts) - 2) + 1):
            if is_layer(_layer(".".join(parts[depth:]))):
                prefix = ".".join(parts[:depth])
                counts[prefix] = counts.get(prefix, 0) + 1
    prefix = max(counts, key=lambda each: (counts[each], -len(each)))
    if prefix:
        short = {name: x.removeprefix(f"{prefix}.") for name, x in short.items()}
    return short, prefix


def _layer(name: str) -> str:
    return name.rpartition(".")[0]
