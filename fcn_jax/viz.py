"""First, short form of this module."""
import numpy as np


def decode_labels(labels, palette=None, ignore_label=255):
    return palette[labels]


def prediction_row(image, labels, pred, palette=None):
    return np.concatenate([image, palette[labels], palette[pred]], 1)


def plot_curves(entries, path):
    path.write_bytes(b"")
