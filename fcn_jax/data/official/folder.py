"""A split of a data set in the folder that its authors made."""

from collections.abc import Mapping

import numpy as np

from fcn_jax.data import checks, fingerprints, image_files
from fcn_jax.data.contracts import Item
from fcn_jax.data.fingerprints import FileDigests, Fingerprint
from fcn_jax.data.official import layouts
from fcn_jax.data.official.layouts import Layout
from fcn_jax.data.official.trees import Folder


class OfficialFolder:
    """Images and labels as they are asked for; nothing is prepared.

    All files of the split are looked for when it is opened.

    Args:
        layout: Of the data set.
        tree: Its folder.
        split: The split.

    Attributes:
        name: Of the data set, and its variant.
        ids: Of the images.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If there is no such split, or it is empty. `source[i]` raises it if
            a file cannot be read whole or holds what is no label.
    """

    channels = "rgb"

    def __init__(self, layout: Layout, tree: Folder, split: str):
        self.name, self.split = f"{layout.name}/{layout.variant}", split
        self.heads = layout.heads
        self._layout, self._tree = layout, tree
        self._members = layouts.checked_members(layout, tree, split)
        self.ids = tuple(member.name for member in self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, index: int) -> Item:
        member = self._members[index]
        path = self._tree.root / member.image
        image = image_files.read_photo(path)
        labels = layouts.read_labels(self._layout, self._tree, member)
        by_head = labels if isinstance(labels, Mapping) else {"": labels}
        for head, found in by_head.items():
            names = f"{member.image} and {member.labels[head]}"
            checks.check_pair(image, found, f"{self._tree.where}, {names}")
        return {"image": image, "labels": labels, "id": member.name}

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2], from the files' headers."""
        paths = (self._tree.root / member.image for member in self._members)
        return np.array([image_files.image_size(path) for path in paths], np.int32)

    def fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """What the split is: its ids, lengths of images, and all content of labels.

        Args:
            digests: Of labels, where some are known; None: all are read.
        """
        root, members = self._tree.root, self._members
        lengths = [str((root / each.image).stat().st_size) for each in members]
        masks = (root / name for each in members for name in each.labels.values())
        return {
            "name": fingerprints.digits([self.name]),
            "ids": fingerprints.digits(self.ids),
            "images": fingerprints.digits(lengths),
            "masks": fingerprints.digits_of_files(masks, digests or FileDigests()),
        }
