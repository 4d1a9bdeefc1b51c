"""Where a data set is, and how its files are to be read."""

import dataclasses

import numpy as np

from fcn_jax.data.label_sets import IGNORE_LABEL

MISSING_MASKS = ("error", "background", "void")


@dataclasses.dataclass(frozen=True)
class FolderOptions:
    """How the files of a folder are to be read, where they leave it open.

    Attributes:
        mask_dir: The folder of masks.
        missing_mask: What an image without a mask is: an "error", all "background", or
            all "void".
        void_label: The value of void in masks; 255 is void beside it.
        reduce_zero_label: Whether 0 is void in masks, and 1 the first class.
        mask_values: The value in masks of each class, in order; all others are void.
            (): values are labels.
        apply_exif: Whether images are turned as their EXIF orientation says, because
            masks were drawn over them as they are seen.
        split: Share of the images that "train" has, the others being "val", where a
            folder has no lists; 0: it has.
        split_seed: Of their division.
    """

    mask_dir: str = "SegmentationClass"
    missing_mask: str = "error"
    void_label: int = IGNORE_LABEL
    reduce_zero_label: bool = False
    mask_values: tuple[int, ...] = ()
    apply_exif: bool = False
    split: float = 0.0
    split_seed: int = 0

    def __post_init__(self):
        values = tuple(self.mask_values)  # Of a config read from JSON it is a list.
        object.__setattr__(self, "mask_values", values)
        if not all(map(_is_value, values)) or len(set(values)) != len(values):
            raise ValueError(
                f"config.data.mask_values={values} is not understood; masks hold whole "
                f"numbers from 0 to 255, and each class has one of its own."
            )
        if not _is_value(self.void_label):
            raise ValueError(
                f"config.data.void_label={self.void_label!r} is not understood; masks "
                f"hold whole numbers from 0 to 255."
            )
        if type(self.split_seed) is not int or self.split_seed < 0:
            raise ValueError(
                f"config.data.split_seed={self.split_seed!r} is no seed; give a whole "
                f"number from 0 on."
            )
        if self.missing_mask not in MISSING_MASKS:
            raise ValueError(
                f"config.data.missing_mask={self.missing_mask!r} is not known; use one "
                f"of {', '.join(MISSING_MASKS)}."
            )
        if not 0 <= self.split < 1:
            raise ValueError(
                f"config.data.split={self.split} is no share; give the part of the "
                f"images that is trained on, such as 0.8, or 0 to read lists."
            )
        changes = (self.void_label != IGNORE_LABEL, self.reduce_zero_label)
        if self.mask_values and any(changes):
            raise ValueError(
                "config.data.mask_values names the value of every class, so that all "
                "others are void; leave void_label and reduce_zero_label out."
            )

    @property
    def table(self) -> np.ndarray | None:
        """The label of every value of a mask, uint8 [256]; None: the value itself."""
        labels = np.arange(256).astype(np.uint8)
        if self.mask_values:
            labels[:] = IGNORE_LABEL
            labels[list(self.mask_values)] = np.arange(len(self.mask_values))
            return labels
        if self.void_label == IGNORE_LABEL and not self.reduce_zero_label:
            return None
        labels[self.void_label] = IGNORE_LABEL
        if self.reduce_zero_label:
            labels = np.where(labels == IGNORE_LABEL, labels, labels - 1)
            labels[0] = IGNORE_LABEL
        return labels.astype(np.uint8)


def _is_value(value: object) -> bool:
    return type(value) is int and 0 <= value <= 255


AS_STORED = FolderOptions()


@dataclasses.dataclass(frozen=True)
class ToolOptions:
    """What the files of a tool, or of a data set, leave open.

    See `fcn_jax.data.imports`.

    Attributes:
        labels: Table of labels, a text file; "": as the format has it.
        images: Folder of images, from the root; "": to be found.
        masks: Folder of masks likewise.
        classes: Which of its label sets a data set is to have, where there are several;
            "": the usual one.
    """

    labels: str = ""
    images: str = ""
    masks: str = ""
    classes: str = ""


AS_FOUND = ToolOptions()


@dataclasses.dataclass(frozen=True)
class Options:
    """Where a data set is; each takes what it needs.

    Attributes:
        root: "folder" and the formats of tools: where it is.
        palette: "folder": text file of the colours of RGB masks, such as
            `label_files.read_palette` reads; None: those that it comes with, or VOC's.
        data_dir: Where prepared data sets are kept; None: the default of TFDS, and for
            tools' files ~/.cache/fcn_jax/imported.
        manual_dir: Where archives are that were downloaded by hand.
        folder: "folder": how its files are to be read.
        tool: The formats of tools: what their files leave open.
        channels: Of a set with depth: what its images hold; "": colours.
    """

    root: str | None = None
    palette: str | None = None
    data_dir: str | None = None
    manual_dir: str | None = None
    folder: FolderOptions = AS_STORED
    tool: ToolOptions = AS_FOUND
    channels: str = ""
