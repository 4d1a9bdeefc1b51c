"""Pictures of predictions, written batch by batch."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fcn_jax import viz
from fcn_jax.data import contracts
from fcn_jax.data.batch import Batch
from fcn_jax.data.contracts import Head, Labels, Source


class Pictures:
    """Writes what each batch looks like, and keeps a few images for a sheet.

    Args:
        out: Where to: labels/ID.png, overlays/ID.png, contact_sheet.png; of several
            heads labels/HEAD/ID.png, overlays/HEAD/ID.png, contact_sheet_HEAD.png.
        source: What is evaluated.
        labels: Whether to write predicted labels, as palette PNGs.
        overlays: Whether to write them laid over the images.
        sheet_rows: Images of the sheet.
    """

    def __init__(
        self, out: Path, source: Source, labels: bool, overlays: bool, sheet_rows: int
    ):
        self.out, self.heads = out, contracts.heads_of(source)
        self.labels, self.overlays = labels, overlays
        # Spread over the split, so that the sheet shows more than its first scene.
        stride = max(1, len(source) // max(1, sheet_rows))
        self.chosen = set(range(0, stride * sheet_rows, stride))
        self.written: set[Path] = set()
        # By index and head: name, image, labels, prediction.
        self.rows: dict[int, dict[str, tuple]] = {}

    def __call__(self, batch: Batch, pred: Labels) -> None:
        """Write the pictures of one batch; see `evaluate.OnBatch`.

        Args:
            batch: Of evaluation.
            pred: Predicted classes, uint8 [B, H, W], by head where there are several.
        """
        for row in np.flatnonzero(batch["example_valid"]):
            for head in self.heads:
                truth, found = (
                    x[head.name] if isinstance(x, Mapping) else x
                    for x in (batch["labels"], pred)
                )
                self._write(batch, row, head, truth[row], found[row])

    def _write(
        self,
        batch: Batch,
        row: np.intp,
        head: Head,
        truth: np.ndarray,
        found: np.ndarray,
    ):
        h, w = batch["sizes"][row]
        name, index = batch["id"][row], int(batch["index"][row])
        image = contracts.to_rgb(batch["image"][row, :h, :w])
        truth, found = truth[:h, :w], found[:h, :w]
        if self.labels:
            path = self.out / "labels" / head.name / f"{name}.png"
            viz.save_label_png(path, found, head.palette)
            self.written.add(path)
        if self.overlays:
            path = self.out / "overlays" / head.name / f"{name}.png"
            viz.save_image(path, viz.overlay(image, found, palette=head.palette))
            self.written.add(path)
        if index in self.chosen:
            by_head = self.rows.setdefault(index, {})
            by_head[head.name] = (name, image, truth, found)

    def note_of_others(self) -> str:
        """What to say of pictures that lie there and were not written now.

        They are of an earlier evaluation, of ids that are gone or of another split;
        nothing is deleted, since nothing says whose they are.

        Returns:
            A sentence; "" where there are none.
        """
        places = [self.out / kind for kind in ("labels", "overlays")]
        others = [
            path
            for place in places
            for path in sorted(place.rglob("*.png"))
            if path not in self.written
        ]
        if not others:
            return ""
        return (
            f"{len(others)} pictures in {self.out} are not of this evaluation, such as "
            f"{others[0].relative_to(self.out)}; they are left as they were. Delete "
            f"them, or give another --out"
        )

    def write_sheet(self, before: "Pictures | None" = None) -> None:
        """The contact sheet: image, truth, prediction and errors, an image a row.

        Args:
            before: Pictures of the same images before the CRF; their predictions are
                then shown too.
        """
        for head in self.heads:
            self._write_sheet(head, before)

    def _write_sheet(self, head: Head, before: "Pictures | None") -> None:
        rows = [self.rows[index][head.name] for index in sorted(self.rows)]
        titles = ("prediction",)
        if before is not None:
            titles = ("before the CRF", "after it")
            rows = [
                (*row[:3], before.rows[index][head.name][3], row[3])
                for index, row in zip(sorted(self.rows), rows, strict=True)
            ]
        sheet = viz.contact_sheet(
            rows,
            classes=head.classes,
            palette=head.palette,
            ignore_label=head.ignore_label,
            titles=titles,
        )
        name = f"contact_sheet_{head.name}" if head.name else "contact_sheet"
        viz.save_image(self.out / f"{name}.png", sheet)
