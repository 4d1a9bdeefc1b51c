"""A data set that is opened by name, as it is examined: every item of its splits."""

from collections.abc import Mapping

import numpy as np

from fcn_jax.data import checks, contracts
from fcn_jax.data.contracts import Source
from fcn_jax.data.doctor_findings import STOPS, Findings
from fcn_jax.data.doctor_seen import Seen, counted, digest_of
from fcn_jax.data.label_sets import IGNORE_LABEL


class Opened:
    """Splits of a data set; of several heads it is the first that is shown.

    Args:
        sources: By split: what is trained on, and what is scored.
        splits: The names of these two.
        num_classes: Of the network; 0: as many as there are.
        found: Faults are added to it.

    Attributes:
        See `doctor.Patient`.
    """

    def __init__(
        self,
        sources: dict[str, Source],
        splits: tuple[str, str],
        num_classes: int,
        found: Findings,
    ):
        self._sources = sources
        self.train, self.scored = splits
        first = sources[self.train]
        heads = contracts.heads_of(first)
        head = heads[0]
        self.name, self.notes = first.name, list[str]()
        if len(heads) > 1:
            self.notes.append(
                f"it has {len(heads)} heads ({', '.join(x.name for x in heads)}); a "
                f"sheet shows the labels of {head.name}"
            )
        self.head, self.others = head.name, tuple(heads[1:])
        self.classes, self.palette = head.classes, head.palette
        self.ignore_label, self.may_be_absent = head.ignore_label, head.may_be_absent
        self.ids = {split: _ids(source) for split, source in sources.items()}
        if num_classes:
            try:
                checks.check_num_classes(first, num_classes)
            except ValueError as error:
                found.add("classes", STOPS, error)

    def look(self, split: str, index: int) -> Seen:
        """See `doctor.Patient`.

        Args:
            split: Where it is listed.
            index: Its place there.
        """
        source = self._sources[split]
        seen = Seen(split, index, self.ids[split][index])
        where = f"{source.name} {split}: {seen.name}"
        try:
            item = source[index]
            seen.name = item["id"]
            where = f"{source.name} {split}: {seen.name}"
            seen.size = (item["image"].shape[0], item["image"].shape[1])
            seen.digest = digest_of(item["image"])
            labels = item["labels"]
            seen.labelled(contracts.first_labels(labels))
            if isinstance(labels, Mapping):
                names = [head.name for head in self.others]
                seen.others = {name: counted(labels[name]) for name in names}
            checks.check_item(
                item,
                contracts.num_classes(source),
                contracts.ignore_labels(source),
                where,
            )
        except Exception as error:  # Whatever a source makes of a broken file.
            seen.fault("item", error, where)
        return seen

    def digest(self, split: str, index: int) -> bytes:
        """See `doctor.Patient`.

        Args:
            split: Where it is listed.
            index: Its place there.
        """
        return digest_of(self._sources[split][index]["image"])

    def picture(self, split: str, index: int) -> tuple[np.ndarray, np.ndarray]:
        """See `doctor.Patient`.

        Args:
            split: Where it is listed.
            index: Its place there.
        """
        item = self._sources[split][index]
        labels = contracts.first_labels(item["labels"])
        void = labels == self.ignore_label
        return contracts.to_rgb(item["image"]), np.where(void, IGNORE_LABEL, labels)

    def check_all(self, found: Findings, good: set[tuple[str, int]]) -> None:
        """Nothing: a source has looked at its masks together when it was opened.

        Args:
            found: Is not added to.
            good: (split, place) of those without a fault.
        """


def _ids(source: Source) -> tuple[str, ...]:
    """The ids of a source; their places where it does not tell without reading."""
    own = getattr(source, "ids", None)
    return (
        tuple(own) if own else tuple(f"{source.split}[{i}]" for i in range(len(source)))
    )
