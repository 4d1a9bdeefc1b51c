"""Pictures of labels and predictions, and plots of runs."""

from fcn_jax.viz.labels import (
    contact_sheet,
    decode_labels,
    error_map,
    overlay,
    prediction_row,
    save_image,
    save_label_png,
    with_legend,
)

__all__ = [
    "contact_sheet",
    "decode_labels",
    "error_map",
    "overlay",
    "prediction_row",
    "save_image",
    "save_label_png",
    "with_legend",
]
