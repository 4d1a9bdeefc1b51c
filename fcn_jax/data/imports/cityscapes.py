"""Cityscapes: leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and gtFine's *_labelIds.png.

Its 34 ids become the 19 classes that are trained and scored, the others void. Where no
file is *_labelIds.png, *_labelTrainIds.png are read, of cityscapesScripts. Where
Datumaro wrote it, label_colors.txt names other classes (`masks.numbered_keys`). Files
may also lie without folders of cities, and be JPEG. The split "test", whose masks are
empty, is left out.

References:
    cityscapesScripts, helpers/labels.py.
"""

from pathlib import Path

from fcn_jax.data import label_files
from fcn_jax.data.image_files import MASK_ENDINGS
from fcn_jax.data.imports import finding, masks
from fcn_jax.data.imports.contracts import VOID, Collection, Example, Key, Places
from fcn_jax.data.imports.masks import Pair
from fcn_jax.data.label_sets import IGNORE_LABEL

_IMAGE = "_leftImg8bit"
_IDS, _TRAIN_IDS = "_gtFine_labelIds", "_gtFine_labelTrainIds"
# By id; those in parentheses are void.
_NAMES = (
    "(unlabeled)", "(ego vehicle)", "(rectification border)", "(out of roi)",
    "(static)", "(dynamic)", "(ground)", "road", "sidewalk", "(parking)",
    "(rail track)", "building", "wall", "fence", "(guard rail)", "(bridge)", "(tunnel)",
    "pole", "(polegroup)", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "(caravan)", "(trailer)", "train",
    "motorcycle", "bicycle",
)  # fmt: skip


def read(source: Path, places: Places) -> Collection:
    """See `contracts.Importer`.

    Args:
        source: The folder that holds leftImg8bit and gtFine.
        places: Where these are, if they have other names.

    Raises:
        FileNotFoundError: If one is missing, or an image of a mask.
        ValueError: If the file of names is wrong.
    """
    what = "Cityscapes has leftImg8bit/ and gtFine/"
    images_at = finding.need_folder(source / (places.images or "leftImg8bit"), what)
    masks_at = finding.need_folder(source / (places.masks or "gtFine"), what)
    images = finding.stems(finding.files_below(images_at), images_at)
    examples: list[Example] = []
    masks_found = finding.files_below(masks_at, MASK_ENDINGS)
    stems = [path.stem for path in masks_found]
    by_id = any(stem.endswith(_IDS) for stem in stems)
    by_train_id = not by_id and any(stem.endswith(_TRAIN_IDS) for stem in stems)
    end = _TRAIN_IDS if by_train_id else _IDS
    for path in masks_found:
        place = path.relative_to(masks_at).with_suffix("").as_posix()
        split = place.partition("/")[0]
        if not place.endswith(end) or split == "test":
            continue
        image = f"{place.removesuffix(end)}{_IMAGE}"
        if image not in images:
            raise FileNotFoundError(
                f"{images_at} holds no image {image}, of which {path} is the mask; add "
                f"it, or remove the mask."
            )
        name = Path(place).name.removesuffix(end)
        pair = Pair(name, images[image], path)
        examples.append(masks.example(pair, split, colours=False))
    pairs = {each.image for each in examples}
    left = sorted(
        name
        for name, path in images.items()
        if path not in pairs and not name.startswith("test/")
    )
    notes = [
        f"{len(left)} images are left out, without *{end}.png: "
        f"{', '.join(left[:3])}{', ...' * (len(left) > 3)}"
    ] * bool(left)
    return Collection(examples, _keys(source, by_train_id), notes=notes)


def _keys(source: Path, by_train_id: bool) -> list[Key]:
    named = label_files.find(source)
    if named is not None:
        return masks.numbered_keys(named)
    if by_train_id:
        trained = [name for name in _NAMES if not name.startswith("(")]
        void = Key(IGNORE_LABEL, VOID, default=VOID)
        return [*(Key(i, name, default=name) for i, name in enumerate(trained)), void]
    return [
        Key(i, name.strip("()"), default=VOID if name.startswith("(") else name)
        for i, name in enumerate(_NAMES)
    ]
