"""A folder in VOC layout as it is examined: its lists, its files, masks as labels.

What is looked at, and in which words, is what `VocFolder` does when it is opened, but
for one thing: the first fault does not end it.
"""

from pathlib import Path

import numpy as np

from fcn_jax.data import doctor_lists, image_files, label_sets
from fcn_jax.data.doctor_findings import HINT, STOPS, Findings
from fcn_jax.data.doctor_seen import Seen, digest_of
from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources import voc_folder
from fcn_jax.data.sources.folder_files import Pair
from fcn_jax.data.sources.folder_labels import FolderLabels


class Folder:
    """A folder, opened as far as it can be.

    Args:
        root: The folder.
        splits: The lists that are trained on and scored.
        palette: Text file of the colours of masks; None: those it comes with.
        options: How the files are to be read.
        num_classes: Of the network; 0: as many as the folder names.
        found: Faults are added to it.

    Attributes:
        See `doctor.Patient`.
    """

    def __init__(
        self,
        root: Path,
        splits: tuple[str, str],
        palette: str | None,
        options: FolderOptions,
        num_classes: int,
        found: Findings,
    ):
        self.name, self._root, self._options = str(root), root, options
        self.train, self.scored = splits
        lists = doctor_lists.read(root, splits, options, found)
        self._pairs, self.notes = lists.pairs, lists.notes
        self.ids = {s: tuple(p.name for p in pairs) for s, pairs in self._pairs.items()}
        every = [pair for pairs in self._pairs.values() for pair in pairs]
        self._masks = self._labels(palette, every, found)
        self.classes: tuple[str, ...] = self._masks.classes if self._masks else ()
        self.palette = self._masks.palette if self._masks else label_sets.VOC.palette
        self.ignore_label = label_sets.IGNORE_LABEL
        self.may_be_absent: tuple[str, ...] = ()
        self.head, self.others = "", ()
        if num_classes and self.classes and num_classes != len(self.classes):
            shown = ", ".join(self.classes[:6]) + ", ..." * (len(self.classes) > 6)
            found.add(
                "classes",
                STOPS,
                f"num_classes={num_classes}, but {root} has {len(self.classes)} "
                f"classes ({shown}): name yours in classes.txt, one a line, or set "
                f"--config.model.num_classes={len(self.classes)}",
            )
        doctor_lists.find_leftovers(root, lists, options, found)

    def _labels(
        self, palette: str | None, pairs: list[Pair], found: Findings
    ) -> FolderLabels | None:
        """What reads masks; None where names or colours are wrong."""
        masks = [pair.mask for pair in pairs if pair.mask and _opens(pair.mask)]
        if not masks:
            return None
        try:
            labels = FolderLabels(
                self._root, None, palette or None, self._options, masks[:1]
            )
        except (OSError, ValueError) as error:
            found.add("names", STOPS, error)
            return None
        if labels.note:
            found.add("names", HINT, labels.note)
        return labels

    def look(self, split: str, index: int) -> Seen:
        """See `doctor.Patient`.

        Args:
            split: Where it is listed.
            index: Its place there.
        """
        pair = self._pairs[split][index]
        seen, check, path = Seen(split, index, pair.name), "image", pair.image
        header, turn = None, self._options.apply_exif
        try:
            header = image_files.read_header(pair.image)
            seen.turned = not header.is_upright and not turn
            seen.size = header.upright_size if turn else (header.height, header.width)
            photo = image_files.read_photo(pair.image, draft=True)
            seen.digest = digest_of(photo)
        except Exception as error:  # Whatever a decoder makes of a broken file.
            seen.fault(check, _explained(path, error), str(path))
        if pair.mask is None:
            return seen
        check, path = "mask", pair.mask
        try:
            if self._masks is None:
                image_files.read_header(path)
                return seen
            labels, seen.stored = self._masks.read(path)
            seen.labelled(labels)
            if header:
                check, size = "size", (labels.shape[0], labels.shape[1])
                voc_folder.check_size(pair, header, size, self._options)
            check = "labels"
            assert seen.counts is not None
            if seen.counts[len(self.classes) : -1].any():
                self._masks.check_labels(labels, path)
        except Exception as error:
            seen.fault(check, _explained(path, error), str(path))
        return seen

    def digest(self, split: str, index: int) -> bytes:
        """See `doctor.Patient`.

        Args:
            split: Where it is listed.
            index: Its place there.
        """
        return digest_of(image_files.read_photo(self._pairs[split][index].image))

    def check_all(self, found: Findings, good: set[tuple[str, int]]) -> None:
        """See `doctor.Patient`.

        Args:
            found: Is added to.
            good: (split, place) of those without a fault.
        """
        masks = [p.mask for s, i in sorted(good) if (p := self._pairs[s][i]).mask]
        if self._masks and masks:
            try:
                self._masks.check([mask for mask in masks if mask])
            except ValueError as error:
                found.add("values", STOPS, error)
            for note in self._masks.notes:
                found.add("values", HINT, note)

    def picture(self, split: str, index: int) -> tuple[np.ndarray, np.ndarray]:
        """An image and its labels, to be shown.

        Args:
            split: Where it is listed.
            index: Its place there.

        Raises:
            ValueError: If they cannot be read, or do not fit.
        """
        pair = self._pairs[split][index]
        image = image_files.read_photo(pair.image, upright=self._options.apply_exif)
        if pair.mask is None or self._masks is None:
            return image, np.full(image.shape[:2], self.ignore_label, np.uint8)
        labels, _ = self._masks.read(pair.mask)
        return image, labels


def _opens(path: Path) -> bool:
    try:
        image_files.read_header(path)
    except (OSError, ValueError):
        return False
    return True


def _explained(path: Path, error: Exception) -> Exception:
    """The error as it is where it names its file; else with the file."""
    if isinstance(error, OSError | ValueError) and str(path) in str(error):
        return error
    return ValueError(
        f"{path} cannot be read ({type(error).__name__}: {error}); replace it or take "
        f"its id off the list."
    )
