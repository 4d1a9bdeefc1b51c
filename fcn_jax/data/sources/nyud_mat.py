"""NYUDv2 from its labelled file, nyu_depth_v2_labeled.mat, as the papers cut it.

It is a MATLAB file of version 7.3, which is HDF5 with axes reversed; h5py reads it
(pyfive 1.3 reads other numbers than it holds, without an error). Images are read one at
a time. Labels differ a little from those of FCN's release, in which outlines between
regions were cleaned, and so will scores.

References:
    Silberman et al. 2012; s-gupta/nyu-hooks, script_data.m and cropIt.m (the cut, depth
    in whole millimetres, ids from 5001), s-gupta/rcnn-depth, saveHHA.m.
"""

import functools
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import scipy.io

from fcn_jax.data import depth as depths
from fcn_jax.data import fingerprints, hha, label_sets, rgbd
from fcn_jax.data.contracts import Item, OneHead
from fcn_jax.data.fingerprints import FileDigests, Fingerprint
from fcn_jax.data.sources import nyud_labels, nyud_splits

SIZE, CUT_SIZE = (480, 640), (425, 560)
FIRST_ID = 5001  # Of image 1, in the lists of Gupta and of FCN.
_NEEDED = ("images", "depths", "rawDepths", "labels", "names")
_SPLITS = {"trainval": "trainNdxs", "test": "testNdxs"}
_HDF5 = b"\x89HDF\r\n\x1a\n"
_BLOCK = 512  # Of a MATLAB file, before HDF5 begins.


class NyudMat(OneHead):
    """A split of the labelled file.

    Args:
        path: The file; splits.mat, or lists of ids, stand beside it.
        split: Of `nyud_splits.SPLITS`.
        channels: Of `rgbd.INPUTS`.

    Raises:
        FileNotFoundError: If the file or its splits are not there.
        ImportError: If h5py is not installed.
        ValueError: If it is another file, or damaged, or a split names what is not in
            it.
    """

    name = "nyud"

    def __init__(self, path: str | Path, split: str, channels: str = "rgb"):
        self.path, self.split, self.channels = Path(path), split, channels
        self.classes = label_sets.NYUD.classes
        self.palette = label_sets.NYUD.palette
        count = _check(self.path, require_h5py(self.path))
        self._places = _places(self.path, split, count)
        self.ids = tuple(str(place + FIRST_ID) for place in self._places)

    @functools.cached_property
    def _file(self) -> Mapping[str, Sequence[np.ndarray]]:
        return require_h5py(self.path).File(self.path, "r")

    def __getstate__(self) -> dict[str, object]:
        # Another process opens it for itself.
        return {n: x for n, x in self.__dict__.items() if n != "_file"}

    def __len__(self) -> int:
        return len(self.ids)

    def _read(self, what: str, place: int) -> np.ndarray:
        """What the file holds of an image, its axes as NumPy has them, cut.

        Raises:
            ValueError: If it cannot be read.
        """
        try:
            found = np.asarray(self._file[what][place])
        except (OSError, KeyError, RuntimeError) as error:
            raise ValueError(
                f"{self.path}: {what} {place + 1} cannot be read ({error}); the file "
                f"is damaged: get it again."
            ) from error
        return found.transpose()[hha.CROP]

    def __getitem__(self, index: int) -> Item:
        if not 0 <= index < len(self):
            raise IndexError(
                f"nyud {self.split}: no image {index}; there are {len(self)}, from 0 "
                f"on."
            )
        place = self._places[index]
        where = f"{self.path}, image {place + 1}"
        image = rgbd.stacked(
            self.channels,
            self._read("images", place),
            lambda: self._depth(place, where),
            lambda: self._hha(place, where),
            where,
        )
        numbers = self._read("labels", place)
        if numbers.max() > nyud_labels.NUM_NAMES:
            raise ValueError(
                f"{where}: labels hold {numbers.max()}; expected 0 to "
                f"{nyud_labels.NUM_NAMES}. The file is damaged: get it again."
            )
        labels = nyud_labels.to_labels(nyud_labels.table()[numbers].astype(int), where)
        return {"image": image, "labels": labels, "id": self.ids[index]}

    def _depth(self, place: int, where: str) -> np.ndarray:
        """In-painted depth, in whole millimetres as the files of the papers."""
        metres = self._read("depths", place)
        depths.check(metres, where)
        return depths.encoded(metres) / depths.MILLIMETRES

    def _hha(self, place: int, where: str) -> np.ndarray:
        depth = self._depth(place, where)
        missing = self._read("rawDepths", place) == 0
        return hha.encode(depth, hha.KINECT_CROPPED, missing)

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]: all are cut alike."""
        return np.tile(np.array(CUT_SIZE, np.int32), (len(self), 1))

    def fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """Of the split, the channels and the file's size; its 3 GB are not read.

        Args:
            digests: Of files; none are needed.
        """
        del digests
        size = str(self.path.stat().st_size)
        return {"ids": fingerprints.digits([self.channels, size, *self.ids])}


def require_h5py(path: str | Path) -> ModuleType:
    """Import h5py, or say how to install it.

    Args:
        path: The file that needs it.

    Raises:
        ImportError: If it is missing.
    """
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise ImportError(
            f"{path}: MATLAB files of version 7.3 are read with h5py, which is not "
            f'installed; install it with pip install "fcn-jax[nyud]", or use the '
            f"folder of FCN's release, which does not need it."
        ) from error


_EXPECTED = "expected nyu_depth_v2_labeled.mat (version 7.3, 2.8 GB)"


def _check(path: Path, h5py: ModuleType) -> int:
    """Raise unless a file is the labelled one; the number of its images.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is another.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; {_EXPECTED}.")
    with path.open("rb") as file:
        start = file.read(_BLOCK + len(_HDF5))
    if not (start.startswith(_HDF5) or start.endswith(_HDF5)):
        raise ValueError(
            f"{path} is no MATLAB file of version 7.3 (it begins with "
            f"{start[:9]!r}); {_EXPECTED}. What FCN's release has are folders: give "
            f"the one that holds data and segmentation."
        )
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in _NEEDED if name not in file]
            held = [name for name in file if name[0] != "#"]
            shapes = {x: file[x].shape for x in _NEEDED[:4] if x not in missing}
            kinds = {x: file[x].dtype for x in shapes}
            names = {} if missing else _names(file)
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}); it is truncated, corrupt, or another "
            f"file: {_EXPECTED}."
        ) from error
    if missing:
        raise ValueError(
            f"{path} lacks {', '.join(missing)} (it holds "
            f"{', '.join(sorted(held)[:8]) or 'nothing'}); {_EXPECTED}."
        )
    count = shapes["depths"][0]
    _check_shapes(path, shapes, count)
    _check_kinds(path, kinds)
    _check_names(path, names)
    return count


def _check_shapes(
    path: Path, shapes: Mapping[str, tuple[int, ...]], count: int
) -> None:
    """Raise unless all arrays are of images of 480x640.

    Raises:
        ValueError: Naming the first that is not.
    """
    turned = (count, *SIZE[::-1])
    wanted = {"images": (count, 3, *SIZE[::-1])} | dict.fromkeys(_NEEDED[1:4], turned)
    for name, shape in wanted.items():
        if shapes[name] != shape:
            raise ValueError(
                f"{path}: {name} is {list(shapes[name])} in HDF5; expected "
                f"{list(shape)}, images of 480x640: {_EXPECTED}."
            )


def _check_kinds(path: Path, kinds: Mapping[str, np.dtype]) -> None:
    """Raise unless all arrays are of bytes, metres and whole numbers, as they were.

    Raises:
        ValueError: Naming the first that is not.
    """
    metres = ("f", "metres, floating point")
    wanted = {
        "images": ("u", "bytes, uint8"),
        "depths": metres,
        "rawDepths": metres,
        "labels": ("u", "numbers of names, uint16"),
    }
    for name, (kind, what) in wanted.items():
        found = kinds[name]
        if found.kind != kind or (name == "images" and found.itemsize > 1):
            raise ValueError(
                f"{path}: {name} is {found}; expected {what}: it was converted since. "
                f"Write it as it was: {_EXPECTED}."
            )


def _check_names(path: Path, names: Mapping[int, str]) -> None:
    """Raise unless the names of labels are those of the data set.

    Raises:
        ValueError: Naming one that is not.
    """
    wrong = {n: x for n, x in nyud_labels.KNOWN.items() if names.get(n) != x}
    if not wrong and len(names) == nyud_labels.NUM_NAMES:
        return
    number, name = next(iter(wrong.items()), (nyud_labels.NUM_NAMES, "the last"))
    raise ValueError(
        f"{path}: of its {len(names)} names of labels number {number} is "
        f"{names.get(number)!r}; expected {nyud_labels.NUM_NAMES}, and there {name!r}. "
        f"Its labels are of another table: {_EXPECTED}."
    )


def _names(file: Mapping[object, np.ndarray]) -> dict[int, str]:
    """The names of labels, by number: cells of characters, behind references."""
    return {
        number: "".join(chr(code) for code in np.ravel(file[reference]))
        for number, reference in enumerate(np.ravel(file["names"]), start=1)
    }


def _places(path: Path, split: str, count: int) -> list[int]:
    """The places in the file of a split's images, from 0 on.

    Raises:
        FileNotFoundError: If neither splits.mat nor lists are there.
        ValueError: If they name images that are not there.
    """
    official = path.with_name("splits.mat")
    if split in _SPLITS and official.is_file():
        where, numbers = official, _official(official, _SPLITS[split])
    elif split in _SPLITS and not any(path.parent.glob("*.txt")):
        raise FileNotFoundError(
            f"{official} does not exist; put the official split there, or lists of "
            f"ids (train.txt, val.txt and test.txt of FCN's release)."
        )
    else:
        where = path.parent / f"{split}.txt"
        ids = nyud_splits.listed_ids(path.parent, split, str(path))
        numbers = [int(x) if x.isdigit() else 0 for x in ids]
        numbers = [n - FIRST_ID + 1 if n >= FIRST_ID else n for n in numbers]
    if not numbers:
        raise ValueError(
            f"{where} names no image of {split!r}; expected numbers of images, from 1 "
            f"on. Get it again, or remove it and put lists of ids in its place."
        )
    wrong = [n for n in numbers if not 1 <= n <= count]
    if wrong:
        raise ValueError(
            f"{where} names image {wrong[0]} ({len(wrong)} of {len(numbers)} like "
            f"that), and {path} holds 1 to {count} (ids {FIRST_ID} to "
            f"{FIRST_ID + count - 1}); they do not belong together."
        )
    return [n - 1 for n in numbers]


def _official(path: Path, name: str) -> list[int]:
    """The numbers of a split, as they are in splits.mat.

    Raises:
        ValueError: If it is no such file.
    """
    try:
        return [int(n) for n in np.ravel(scipy.io.loadmat(str(path))[name])]
    except Exception as error:
        raise ValueError(
            f"{path} is no split ({type(error).__name__}: {error}); expected a MATLAB "
            f"file with {' and '.join(_SPLITS.values())}."
        ) from error
