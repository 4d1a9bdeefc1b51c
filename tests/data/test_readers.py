"""Batches that other processes make: the same ones, and how these end."""

import itertools
import multiprocessing
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from fcn_jax.data import loader
from fcn_jax.data.loader import Augmentation, Readers
from tests.support.noise import Source
from tests.support.paths import ROOT
from tests.support.patience import SECONDS

ALL = Augmentation(flip=True, scale=(0.5, 2.0), crop=(9, 7), jitter=2, brightness=0.2)


@pytest.fixture
def mixed():
    return Source([(6, 10), (10, 6), (7, 9), (9, 7), (6, 8)])


def train(source, count, **options):
    options = {"batch_size": 2, "seed": 3, "num_classes": 3, **options}
    return list(itertools.islice(loader.train_batches(source, **options), count))


def test_processes_make_no_difference(mixed):
    options = {"augmentation": ALL, "start_step": 3}
    found = train(mixed, 5, readers=Readers(2, 1), **options)
    for one, other in zip(found, train(mixed, 5, **options), strict=True):
        assert set(one) == set(other)
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    assert not multiprocessing.active_children()


def test_a_wrong_label_is_named_from_within_processes(mixed):
    mixed.labels[4][2, 1] = 77
    with pytest.raises(ValueError, match="noise train: n4: label 77 at row 2, column"):
        train(mixed, 7, readers=Readers(2, 1))


def test_a_process_that_is_killed_is_told(mixed):
    made = loader.train_batches(
        mixed, batch_size=2, seed=3, num_classes=3, readers=Readers(2, 1)
    )
    next(made)
    (worker,) = multiprocessing.active_children()
    worker.kill()
    with pytest.raises(
        ChildProcessError, match="makes batches is gone .*exit code -9.*fewer --conf"
    ):
        list(itertools.islice(made, 50))


@pytest.mark.long
def test_processes_end_with_the_one_that_trains(tmp_path):
    """However that ends: a signal's answer leaves no time to close anything."""
    program = textwrap.dedent(
        """
        import multiprocessing, os, sys
        from fcn_jax.data import loader
        from tests.support.noise import Source

        if __name__ == "__main__":
            source = Source([(6, 10), (7, 9)])
            made = loader.train_batches(
                source, batch_size=2, seed=3, num_classes=3,
                readers=loader.Readers(1, 1),
            )
            next(made)
            (worker,) = multiprocessing.active_children()
            print(worker.pid, flush=True)
            os._exit(143)
        """
    )
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, tmp_path / "program.py"]
    # What its workers inherit of its output ends when they do.
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 143
    worker = int(done.stdout)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and Path(f"/proc/{worker}").exists():
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
