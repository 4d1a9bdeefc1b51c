"""NYUDv2: rooms seen by a Kinect, 1,449 images with depth, 40 classes.

| split | images |
| --- | --- |
| trainval | 795, on which the nets of the papers are trained |
| train, val | 381 and 414 of these |
| test | 654 |

`root` is the folder of FCN's release, nyud.tar.gz unpacked

    data/images/img_ID.png     RGB
    data/depth/img_ID.png      millimetres, 16 bits
    data/hha/img_ID.png        disparity, height, angle; without this folder they are
                               computed from depth
    segmentation/img_ID.mat    `segmentation`: 0 void, 1 to 40
    train.txt, val.txt, test.txt (trainval.txt)    ids, one a line

or nyu_depth_v2_labeled.mat, with splits.mat (or such lists) beside it.

References:
    Silberman et al. 2012; Gupta et al. 2013 and 2014, whose cut of 425x560 it is;
    fcn.berkeleyvision.org, nyud_layers.py.
"""

from pathlib import Path

import numpy as np
import scipy.io

from fcn_jax.data import depth as depths
from fcn_jax.data import fingerprints, hha, image_files, label_sets, rgbd
from fcn_jax.data.checks import check_pair
from fcn_jax.data.contracts import Item, OneHead, Source
from fcn_jax.data.fingerprints import FileDigests, Fingerprint
from fcn_jax.data.options import Options
from fcn_jax.data.sources import nyud_labels, nyud_mat
from fcn_jax.data.sources.nyud_splits import SPLITS, listed_ids

MAT = "nyu_depth_v2_labeled.mat"
_IMAGES, _DEPTH, _HHA = "data/images", "data/depth", "data/hha"
_SEGMENTATION = "segmentation"


def open_nyud(split: str, options: Options) -> Source:
    """Open a split, of whichever of the two forms is there.

    Args:
        split: Of `nyud_splits.SPLITS`.
        options: `root`, and which `channels`.

    Returns:
        A source of `fcn_jax.data`.

    Raises:
        FileNotFoundError: If neither form is there, or a part of it is not.
        ImportError: If the .mat is there, and h5py is not installed.
        ValueError: If there is no root or no such split, or a file is another.
    """
    if not options.root:
        raise ValueError(
            f"data set 'nyud' needs its place; set --config.data.root=DIR to the "
            f"folder of FCN's release (nyud.tar.gz unpacked), or to {MAT}."
        )
    if split not in SPLITS:
        raise ValueError(f"nyud has no split {split!r}; there are {', '.join(SPLITS)}.")
    root, channels = Path(options.root).expanduser(), options.channels or "rgb"
    if (root / MAT).is_file():
        root = root / MAT
    if root.suffix == ".mat":
        return nyud_mat.NyudMat(root, split, channels)
    return NyudFolder(root, split, channels)


class NyudFolder(OneHead):
    """A split of the folder of FCN's release.

    Args:
        root: See above.
        split: Of `nyud_splits.SPLITS`.
        channels: Of `rgbd.INPUTS`.

    Raises:
        FileNotFoundError: If a folder, a list or a file of the split is not there.
        ValueError: If the root is an archive, or a list is empty.
    """

    name = "nyud"

    def __init__(self, root: str | Path, split: str, channels: str = "rgb"):
        self.root, self.split, self.channels = Path(root), split, channels
        self.classes = label_sets.NYUD.classes
        self.palette = label_sets.NYUD.palette
        self._computes_hha = not (self.root / _HHA).is_dir()
        _check_folders(self.root, self._folders())
        self.ids = tuple(listed_ids(self.root, split, f"{self.root} (nyud)"))
        self._check_files()

    def _folders(self) -> list[str]:
        """The folders that are read."""
        found = [_IMAGES, _SEGMENTATION]
        if self.channels == "rgbd" or (self._computes_hha and "hha" in self.channels):
            found.append(_DEPTH)
        elif "hha" in self.channels:
            found.append(_HHA)
        return found

    def _path(self, folder: str, name: str) -> Path:
        ending = ".mat" if folder == _SEGMENTATION else ".png"
        return self.root / folder / f"img_{name}{ending}"

    def _check_files(self) -> None:
        """Raise if a file of the split is not there.

        Raises:
            FileNotFoundError: Naming the first, and how many.
        """
        for folder in self._folders():
            there = {path.name for path in (self.root / folder).iterdir()}
            missing = [x for x in self.ids if self._path(folder, x).name not in there]
            if missing:
                others = len(missing) - 1
                more = f", and neither do {others} more" * (others > 0)
                raise FileNotFoundError(
                    f"{self._path(folder, missing[0])} does not exist{more}; split "
                    f"{self.split!r} names {len(self.ids)} images, and the archive is "
                    f"not whole: unpack it again, or take their ids off the list."
                )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Item:
        if not 0 <= index < len(self):
            raise IndexError(
                f"nyud {self.split}: no image {index}; there are {len(self)}, from 0 "
                f"on."
            )
        name = self.ids[index]
        path = self._path(_IMAGES, name)
        image = rgbd.stacked(
            self.channels,
            image_files.read_photo(path),
            lambda: self._depth(name),
            lambda: self._hha(name),
            str(path),
        )
        segmentation = self._path(_SEGMENTATION, name)
        labels = nyud_labels.to_labels(
            _read_segmentation(segmentation), str(segmentation)
        )
        check_pair(image, labels, str(path))
        return {"image": image, "labels": labels, "id": name}

    def _hha(self, name: str) -> np.ndarray:
        """HHA of an image, read or computed."""
        if not self._computes_hha:
            return image_files.read_photo(self._path(_HHA, name))
        depth = self._depth(name)
        cut = depth.shape == nyud_mat.CUT_SIZE
        return hha.encode(depth, hha.KINECT_CROPPED if cut else hha.KINECT)

    def _depth(self, name: str) -> np.ndarray:
        """Depth of an image, metres; the file is named where it has none."""
        path = self._path(_DEPTH, name)
        depth = depths.read(path)
        depths.check(depth, str(path))
        return depth

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]."""
        paths = [self._path(_IMAGES, name) for name in self.ids]
        return np.array([image_files.image_size(path) for path in paths], np.int32)

    def fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """Of the list, the channels, and the content of images and segmentations.

        Args:
            digests: Of files, where some are known; None: all are read.
        """
        known = digests or FileDigests()
        return {
            "ids": fingerprints.digits([self.channels, *self.ids]),
            **{
                folder: fingerprints.digits_of_files(
                    [self._path(folder, name) for name in self.ids], known
                )
                for folder in self._folders()
            },
        }


def _check_folders(root: Path, folders: list[str]) -> None:
    """Raise unless a root has the folders that are read.

    Raises:
        FileNotFoundError: Naming the first that is missing.
        ValueError: If the root is a file.
    """
    if root.is_file():
        raise ValueError(
            f"{root} is a file; unpack it (tar xf {root}) and give the folder that "
            f"comes of it, or give {MAT}."
        )
    missing = [folder for folder in folders if not (root / folder).is_dir()]
    if missing:
        raise FileNotFoundError(
            f"{root / missing[0]} does not exist; a root of nyud has "
            f"{', '.join(folders)} and lists of ids, as FCN's nyud.tar.gz, or {MAT}."
        )


def _read_segmentation(path: Path) -> np.ndarray:
    """The classes of an image, as they are stored.

    Raises:
        ValueError: If it is no such file.
    """
    try:
        found = np.asarray(scipy.io.loadmat(str(path))["segmentation"])
    except Exception as error:
        raise ValueError(
            f"{path} is no segmentation ({type(error).__name__}: {error}); expected a "
            f"MATLAB file with `segmentation`. The archive is damaged: get it again."
        ) from error
    if found.ndim != 2 or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(
            f"{path}: segmentation is {found.dtype} {list(found.shape)}; expected "
            f"integers [H, W]."
        )
    return found.astype(np.int64)
