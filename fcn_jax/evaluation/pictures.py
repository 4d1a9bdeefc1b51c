"""Pictures of predictions, written batch by batch."""

import numpy as np

from fcn_jax import viz
from fcn_jax.data import contracts


class Pictures:
    """Writes what each batch looks like, and keeps a few images for a sheet."""

    def __init__(self, out, source, labels, overlays, sheet_rows):
        self.out, self.heads = out, contracts.heads_of(source)
        self.head = self.heads[0]
        self.labels, self.overlays = labels, overlays
        # Spread over the split, so that the sheet shows more than its first scene.
        stride = max(1, len(source) // max(1, sheet_rows))
        self.chosen = set(range(0, stride * sheet_rows, stride))
        self.rows = {}

    def __call__(self, batch, pred):
        """Write the pictures of one batch; of several heads, those of the first."""
        labels_of = contracts.first_labels(batch["labels"])
        first = contracts.first_labels(pred)
        for row in np.flatnonzero(batch["example_valid"]):
            h, w = batch["sizes"][row]
            name, index = batch["id"][row], int(batch["index"][row])
            image = contracts.to_rgb(batch["image"][row, :h, :w])
            labels = labels_of[row, :h, :w]
            predicted = first[row, :h, :w]
            palette = self.head.palette
            if self.labels:
                self._save_labels(name, pred, row, (h, w))
            if self.overlays:
                overlay = viz.overlay(image, predicted, palette=palette)
                viz.save_image(self.out / "overlays" / f"{name}.png", overlay)
            if index in self.chosen:
                self.rows[index] = (name, image, labels, predicted)

    def _save_labels(self, name, pred, row, size):
        """The predicted labels of an image; of several heads, a folder for each."""
        height, width = size
        for head in self.heads:
            of_head = pred[head.name] if head.name else pred
            path = self.out / "labels" / head.name / f"{name}.png"
            viz.save_label_png(path, of_head[row, :height, :width], head.palette)

    def write_sheet(self, before=None):
        """The contact sheet: image, truth, prediction and errors, an image a row.

        Args:
            before: Pictures of the same images before the CRF; their predictions are
                then shown too.
        """
        rows = [self.rows[index] for index in sorted(self.rows)]
        titles = ("prediction",)
        if before is not None:
            titles = ("before the CRF", "after it")
            rows = [
                (*row[:3], before.rows[index][3], row[3])
                for index, row in zip(sorted(self.rows), rows, strict=True)
            ]
        sheet = viz.contact_sheet(
            rows,
            classes=self.head.classes,
            palette=self.head.palette,
            titles=titles,
        )
        viz.save_image(self.out / "contact_sheet.png", sheet)
