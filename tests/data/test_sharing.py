"""Batches that several processes make: those of one, each row once."""

import numpy as np
import pytest

from fcn_jax.data import loader
from tests.support.loading import ALL, assert_same, evaluate, mixed_source, seen, train


@pytest.fixture
def mixed():
    return mixed_source()


@pytest.mark.parametrize("parts", (1, 2))
@pytest.mark.parametrize("with_replacement", (False, True))
def test_processes_share_the_batches_of_one(mixed, with_replacement, parts):
    options = {
        "with_replacement": with_replacement, "augmentation": ALL, "batch_size": 8
    }  # fmt: skip
    alone = train(mixed, 6, **options)
    shards = [
        train(mixed, 6, share=loader.Share(index, 2, parts), **options)
        for index in range(2)
    ]
    # Of each micro-batch the first process has the first half.
    owners = {1: [0, 0, 0, 0, 1, 1, 1, 1], 2: [0, 0, 1, 1, 0, 0, 1, 1]}[parts]
    for step, batch in enumerate(alone):
        rows = [iter(range(4)), iter(range(4))]
        for row, owner in enumerate(owners):
            place = next(rows[owner])
            for name, value in batch.items():
                theirs = shards[owner][step][name][place]
                np.testing.assert_array_equal(theirs, value[row])


def test_shared_batches_go_on_where_a_run_stopped(mixed):
    options = {"share": loader.Share(1, 2, 2), "batch_size": 4}
    batches = train(mixed, 5, **options)
    assert_same(train(mixed, 2, start_step=3, **options), batches[3:])


def ids(mixed, processes, first, count):
    """The places of the images of each micro-batch, in order, of all processes."""
    shards = [
        train(
            mixed,
            count,
            batch_size=8,
            start_step=first,
            share=loader.Share(index, processes, 2),
        )
        for index in range(processes)
    ]
    rows = 4 // processes
    return [
        [
            int(place)
            for part in range(2)
            for shard in shards
            for place in shard[step]["index"][part * rows :][:rows]
        ]
        for step in range(count)
    ]


def test_another_number_of_processes_goes_on_in_the_same_order(mixed):
    alone = ids(mixed, 1, 0, 6)
    assert ids(mixed, 2, 0, 2) + ids(mixed, 4, 2, 2) + ids(mixed, 1, 4, 2) == alone
    assert alone == [list(b["index"]) for b in train(mixed, 6, batch_size=8)]


def test_a_batch_must_be_divisible_by_processes(mixed):
    with pytest.raises(
        ValueError, match=r"batch_size=6 cannot be shared by 2 processes with 2 micro"
    ):
        train(mixed, 1, batch_size=6, share=loader.Share(0, 2, 2))


@pytest.mark.parametrize(
    "options",
    (
        {"batch_size": 0},
        {"share": loader.Share(2, 2)},
        {"share": loader.Share(-1, 1)},
    ),
)
def test_processes_are_counted_from_0(mixed, options):
    for make in (lambda **o: train(mixed, 1, **o), lambda **o: evaluate(mixed, **o)):
        with pytest.raises(
            ValueError, match="at least one image, and processes are counted from 0 to"
        ):
            make(**options)


def test_processes_share_the_evaluation_and_make_as_many_batches(mixed):
    shards = [
        evaluate(mixed, batch_size=4, share=loader.Share(index, 2))
        for index in range(2)
    ]
    assert len(shards[0]) == len(shards[1])
    for one, other in zip(*shards, strict=True):  # They compile for the same shapes.
        assert one["image"].shape == other["image"].shape
    index = np.array(seen(shards[0]) + seen(shards[1]))
    assert sorted(index[index >= 0]) == list(range(7))


def test_a_process_for_which_no_image_is_left_has_void(mixed):
    shards = [
        evaluate(mixed, batch_size=8, share=loader.Share(index, 4))
        for index in range(4)
    ]
    alone = evaluate(mixed, batch_size=8)
    for number, batch in enumerate(alone):
        for name in ("index", "labels", "example_valid"):
            joined = np.concatenate([shard[number][name] for shard in shards])
            np.testing.assert_array_equal(joined, batch[name])
    assert any(not batch["example_valid"].any() for batch in shards[3])
