"""The files of annotation tools, tiny and whole: one of each format of `imports`."""

import json

import numpy as np

from tests.support import folders

NAMES = {"train": "abc", "val": "de"}
# For formats that do not name what their masks hold.
TABLES = {"folders": "0 -> ground\n1 -> car\n2 -> void\n"}
_HEIGHT, _WIDTH = folders.SIZE
_OWN = np.array([(0, 0, 0), (250, 50, 83), (51, 221, 255)], np.uint8)
_CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 90, "name": "dog"}]
# COCO's, of which 20 are VOC's: ids with gaps, in another order, and one more.
COCO_CATEGORIES = [
    {"id": number, "name": name}
    for number, name in (
        (1, "person"), (2, "bicycle"), (3, "car"), (4, "motorcycle"), (5, "airplane"),
        (6, "bus"), (7, "train"), (9, "boat"), (13, "stop sign"), (16, "bird"),
        (17, "cat"), (18, "dog"), (19, "horse"), (20, "sheep"), (21, "cow"),
        (44, "bottle"), (62, "chair"), (63, "couch"), (64, "potted plant"),
        (67, "dining table"), (72, "tv"),
    )
]  # fmt: skip


def write(form, root, seed=0):
    """A source of a format; another seed writes other annotations of its images.

    The formats without splits, "labelme" and "folders", have five images.
    """
    _WRITERS[form](root, seed)
    return root


def _each():
    """(split, id, number) of every image."""
    numbered = enumerate((s, name) for s, names in NAMES.items() for name in names)
    return [(split, name, number) for number, (split, name) in numbered]


def _pairs(root, seed, image, mask, values=None):
    """Photos and masks, at the places that two patterns say."""
    for split, name, number in _each():
        labels = folders.labels(seed=100 * seed + number)
        values_of = labels if values is None else values[labels]
        for pattern, array in ((image, folders.photo(number)), (mask, values_of)):
            folders.save(root / pattern.format(split=split, name=name), array)


def _square(seed, number):
    """Left, top, right and bottom: inside the image, another for each."""
    left = (seed + number) % 8 + 1
    return left, 2, left + 4, 6


def _folders(root, seed):
    _pairs(root, seed, "photos/{name}.jpg", "masks/{name}.png")


def _labelme(root, seed):
    for _, name, number in _each():
        folders.save(root / f"{name}.jpg", folders.photo(number))
        left, top, right, bottom = _square(seed, number)
        points = ([[left, top], [right, bottom]], [[0, 0], [3, 0], [0, 3]])
        shapes = [
            {"label": "cat", "points": points[0], "shape_type": "rectangle"},
            {"label": "dog", "points": points[1], "shape_type": "polygon"},
        ]
        record = {"shapes": shapes, "imagePath": f"{name}.jpg", "imageData": None}
        (root / f"{name}.json").write_text(json.dumps(record))


def _coco_voc(root, seed):
    _coco(root, seed, categories=COCO_CATEGORIES)
    for path in (root / "annotations").iterdir():
        record = json.loads(path.read_text())
        for each in record["annotations"]:
            each |= {"area": 1001, "category_id": {90: 18, 3: 17}[each["category_id"]]}
        path.write_text(json.dumps(record))


def _coco(root, seed, kind="instances", categories=_CATEGORIES):
    for split in NAMES:
        images, annotations = [], []
        for of, name, number in _each():
            if of != split:
                continue
            image = {"file_name": f"{name}.jpg", "height": _HEIGHT, "width": _WIDTH}
            images.append({"id": number, **image})
            folders.save(root / f"images/{split}/{name}.jpg", folders.photo(number))
            annotations += _ANNOTATED[kind](root, split, name, number, seed)
        record = {"images": images, "annotations": annotations}
        path = root / f"annotations/{kind}_{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({**record, "categories": categories}))


def _instances(root, split, name, number, seed):
    left, top, right, bottom = _square(seed, number)
    outline = [left, top, right, top, right, bottom, left, bottom]
    return [
        {"id": 9, "image_id": number, "category_id": category, "segmentation": [shape]}
        for category, shape in ((90, [0, 0, 9, 0, 0, 9]), (3, outline))
    ]


def _segments(root, split, name, number, seed):
    numbers = np.array([0, 1, 7])[folders.labels(seed=100 * seed + number)]
    colours = np.stack([numbers, 0 * numbers, 0 * numbers], -1).astype(np.uint8)
    folders.save(root / f"annotations/panoptic_{split}/{name}.png", colours)
    segments = [{"id": 1, "category_id": 3}, {"id": 7, "category_id": 90}]
    return [{"image_id": number, "file_name": f"{name}.png", "segments_info": segments}]


_ANNOTATED = {"instances": _instances, "panoptic": _segments}


def _voc(root, seed):
    _pairs(root, seed, "JPEGImages/{name}.jpg", "SegmentationClass/{name}.png", _OWN)
    for split, names in NAMES.items():
        folders.write_list(root, "".join(f"{name}\n" for name in names), split)
    lines = ("background:0,0,0::", "cat:250,50,83::", "dog:51,221,255::")
    (root / "labelmap.txt").write_text("\n".join(lines))


def _yolo(root, seed):
    for split, name, number in _each():
        folders.save(root / f"images/{split}/{name}.jpg", folders.photo(number))
        path = root / f"labels/{split}/{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        left, top, right, bottom = _square(seed, number)
        points = ((left, top), (right, top), (right, bottom), (left, bottom))
        shares = " ".join(f"{x / _WIDTH} {y / _HEIGHT}" for x, y in points)
        path.write_text(f"1 {shares}\n0 0 0 0.2 0 0 0.2\n")
    yaml = "train: images/train\nval: images/val\nnames: [cat, dog]\n"
    (root / "data.yaml").write_text(yaml)


def _cityscapes(root, seed):
    _pairs(
        root,
        seed,
        "leftImg8bit/{split}/aachen/aachen_{name}_leftImg8bit.png",
        "gtFine/{split}/aachen/aachen_{name}_gtFine_labelIds.png",
        np.array([0, 7, 33], np.uint8),
    )


def _ade20k(root, seed):
    _pairs(root, seed, "images/{split}/{name}.jpg", "annotations/{split}/{name}.png")
    info = "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t1\t1\t1\twall\n"
    (root / "objectInfo150.txt").write_text(f"{info}2\t0.1\t1\t1\t1\tdoor\n")
    for kind in ("images", "annotations"):
        for split, long in (("train", "training"), ("val", "validation")):
            place = root / kind / long
            place.mkdir(exist_ok=True)
            for path in (root / kind / split).iterdir():
                path.replace(place / path.name)
            (root / kind / split).rmdir()


def _camvid(root, seed):
    _pairs(root, seed, "{split}/{name}.png", "{split}annot/{name}.png")


_WRITERS = {
    "folders": _folders,
    "coco": _coco,
    "coco_voc": _coco_voc,
    "coco_panoptic": lambda root, seed: _coco(root, seed, "panoptic"),
    "labelme": _labelme,
    "voc": _voc,
    "yolo": _yolo,
    "cityscapes": _cityscapes,
    "ade20k": _ade20k,
    "camvid": _camvid,
}
