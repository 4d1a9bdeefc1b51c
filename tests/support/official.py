"""Data sets as their authors give them, tiny: as a folder, and as archives."""

import io
import tarfile
import zipfile

import numpy as np
import scipy.io
from PIL import Image

from fcn_jax.data import official
from fcn_jax.data.official import sift_flow
from fcn_jax.data.sources import archives

SIZE = (6, 8)
SCENES = "spatial_envelope_256x256_static_8outdoorcategories"
TRAINED, TESTED = (
    ("coast_a1", "forest_b2", "street_c3"),
    ("coast_arnat59", "street_gre11"),
)
CAMVID = {
    "train": ("0001TP_006690", "0006R0_f00930", "0016E5_08190"),
    "val": ("0016E5_07959",),
    "test": ("0001TP_008550", "Seq05VD_f00030"),
}
# What begins the names of the files of an archive, where a data set has several.
_STARTS = {
    "voc2010": "VOCdevkit/", "pascal_context": "trainval/",
    "cityscapes_images": "leftImg8bit/", "cityscapes_labels": "gtFine/",
    "coco_train2017": "images/train2017/", "coco_val2017": "images/val2017/",
    "coco_stuff": "annotations/", "camvid_images": "701_", "camvid_labels": "Label",
}  # fmt: skip


def image(array, kind="png", mode=None):
    """The bytes of an image file."""
    stream = io.BytesIO()
    Image.fromarray(array, mode).save(stream, kind)
    return stream.getvalue()


def photo(seed, kind="jpeg"):
    """The bytes of a photo, noise."""
    rng = np.random.default_rng(seed)
    return image(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8), kind)


def mat(**matrices):
    """The bytes of a MATLAB file."""
    stream = io.BytesIO()
    scipy.io.savemat(stream, matrices)
    return stream.getvalue()


def values(held, seed=0):
    """A matrix of values, all of which occur."""
    held = np.asarray(held)
    found = np.random.default_rng(seed).choice(held, SIZE)
    found.ravel()[: len(held)] = held
    return found


def files_of(name):
    """The files of a data set by their names in its folder."""
    return _FILES[name]()


def _sift_flow():
    found = {}
    for seed, scene in enumerate((*TRAINED, *TESTED, *sift_flow._UNANNOTATED)):
        found[f"Images/{SCENES}/{scene}.jpg"] = photo(seed)
        if scene in sift_flow._UNANNOTATED:
            continue
        semantic = values((0, 1, 6, 28, 33), seed)
        geometric = values((-1, 1, 2, 3), seed)
        found[f"SemanticLabels/{SCENES}/{scene}.mat"] = mat(S=semantic.astype(np.uint8))
        found[f"GeoLabels/{SCENES}/{scene}.mat"] = mat(S=geometric.astype(np.int16))
    return found


def _pascal_context():
    found = {}
    voc = "VOCdevkit/VOC2010"
    for split, ids in (("train", ("2008_000002", "2008_000003")), ("val", ("a",))):
        lines = "".join(f"{name}\n" for name in ids).encode()
        found[f"{voc}/ImageSets/Main/{split}.txt"] = lines
        for seed, name in enumerate(ids):
            found[f"{voc}/JPEGImages/{name}.jpg"] = photo(seed)
            # Accordion, aeroplane, table, cloth, bedclothes, wood, wool.
            labels = values((1, 2, 397, 80, 19, 458, 459), seed).astype(np.uint16)
            found[f"trainval/{name}.mat"] = mat(LabelMap=labels)
    return found


def _ade20k():
    found = {}
    for number, split in enumerate(("training", "training", "validation")):
        name = f"{split}/ADE_{number:08}"
        found[f"images/{name}.jpg"] = photo(number)
        labels = values((0, 1, 2, 150), number).astype(np.uint8)
        found[f"annotations/{name}.png"] = image(labels)
    return found


def _cityscapes():
    found = {}
    for number, split in enumerate(("train", "train", "val", "test")):
        name = f"{split}/aachen/aachen_{number:06}_000019"
        found[f"leftImg8bit/{name}_leftImg8bit.png"] = photo(number, "png")
        held = (0, 7, 8, 14, 33) if split != "test" else (0,)
        labels = values(held, number).astype(np.uint8)
        found[f"gtFine/{name}_gtFine_labelIds.png"] = image(labels)
        found[f"gtFine/{name}_gtFine_color.png"] = photo(number, "png")
    return found


def _coco_stuff():
    found = {}
    for number, split in enumerate(("train2017", "train2017", "val2017")):
        found[f"images/{split}/{number:012}.jpg"] = photo(number)
        labels = values((0, 12, 91, 181, 255), number).astype(np.uint8)
        found[f"annotations/{split}/{number:012}.png"] = image(labels)
    grey = np.random.default_rng(1).integers(0, 256, SIZE, dtype=np.uint8)
    found["images/train2017/000000000001.jpg"] = image(grey, "jpeg")
    return found


def _camvid():
    found = {}
    for split, names in CAMVID.items():
        for seed, name in enumerate(names):
            found[f"{split}/{name}.png"] = photo(seed, "png")
            labels = values(range(12), seed).astype(np.uint8)
            found[f"{split}annot/{name}.png"] = image(labels)
    return found


def _camvid_full():
    found = {}
    colours = np.array(
        [(0, 0, 0), (128, 128, 128), (192, 0, 128), (128, 0, 192), (192, 0, 192)],
        np.uint8,
    )  # Void, Sky, Archway, LaneMkgsDriv, MotorcycleScooter.
    for names in CAMVID.values():
        for seed, name in enumerate(names):
            found[f"701_StillsRaw_full/{name}.png"] = photo(seed, "png")
            found[f"LabeledApproved_full/{name}_L.png"] = image(
                colours[values(range(5), seed)]
            )
    return found


_FILES = {
    "sift_flow": _sift_flow,
    "pascal_context": _pascal_context,
    "ade20k": _ade20k,
    "cityscapes": _cityscapes,
    "coco_stuff": _coco_stuff,
    "camvid": _camvid,
    "camvid/full": _camvid_full,
}


def unpack(name, root, without=()):
    """Write the folder of a data set."""
    for path, data in files_of(name).items():
        if path not in without:
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    return root


def pack(name, folder, without=()):
    """Write the archives of a data set, under their official names."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in official.layout_of(name).parts:
        start = _STARTS.get(part.archive, "")
        held = {}
        for path, data in files_of(name).items():
            if not path.startswith(start) or path in without:
                continue
            inside = path.removeprefix(f"{part.mount}/") if part.mount else path
            held[f"{part.root}/{inside}" if part.root else inside] = data
        write_archive(folder / archives.ARCHIVES[part.archive].name, held)
    return folder


def write_archive(path, held):
    """A zip, a tar or a compressed one, by its name, with folders of their own."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.mkdir("a folder")
            for name, data in held.items():
                packed.writestr(name, data)
        return
    mode = "w:gz" if path.suffix == ".gz" else "w"
    with tarfile.open(path, mode) as packed:
        for name, data in held.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
