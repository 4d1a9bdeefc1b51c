"""Damaged files are refused with the package's own error, or read."""

import importlib
import random

import pytest

from fcn_jax.weights import WeightsError, formats
from tests.support import weight_samples as samples

READERS = {
    "caffemodel": "caffemodel",
    "pth_zip": "pytorch",
    "pth_stream": "pytorch",
    "safetensors": "safetensors",
    "keras": "keras",
    "npz": "npz",
    "npz_compressed": "npz",
}


@pytest.mark.parametrize("name", READERS)
def test_a_mutated_file_is_read_or_refused(tmp_path, name):
    whole, path = samples.whole()[name], tmp_path / "weights"
    reader = importlib.import_module(f"fcn_jax.weights.formats.{READERS[name]}")
    path.write_bytes(whole)
    assert formats.read(path).format == READERS[name]
    refused = 0
    for seed in range(200):
        path = tmp_path / f"{seed}"
        path.write_bytes(samples.mutate(whole, random.Random(seed)))
        for read in (reader.read, formats.read):
            try:
                read(path)
            except WeightsError:
                refused += 1
    assert refused > 50
