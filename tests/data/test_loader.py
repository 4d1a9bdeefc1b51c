"""Order, padding, threads and errors of the pipeline."""

import itertools
import math
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from fcn_jax.data import checks, loader, transforms
from fcn_jax.data.loader import Augmentation, Readers
from tests.support.loading import (
    ALL,
    assert_same,
    evaluate,
    mixed_source,
    seen,
    train,
)
from tests.support.noise import Source
from tests.support.patience import SECONDS


@pytest.fixture
def mixed():
    return mixed_source()


@pytest.mark.parametrize("with_replacement", (False, True))
def test_a_batch_depends_on_seed_and_step_only(mixed, with_replacement):
    options = {"augmentation": ALL, "with_replacement": with_replacement}
    batches = train(mixed, 9, readers=Readers(0), **options)
    for num_threads in (1, 4):
        assert_same(train(mixed, 9, readers=Readers(num_threads), **options), batches)
    for start in (1, 4, 7):
        restarted = train(mixed, 2, start_step=start, **options)
        assert_same(restarted, batches[start : start + 2])
    other = train(mixed, 9, readers=Readers(0), seed=4, **options)
    assert seen(other) != seen(batches)


def test_epochs_hold_every_image_and_are_reshuffled(mixed):
    order = seen(train(mixed, 21, batch_size=1))
    epochs = [order[start : start + 7] for start in (0, 7, 14)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(7))] * 3
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_with_replacement_images_repeat_within_an_epoch(mixed):
    order = seen(train(mixed, 70, batch_size=1, with_replacement=True))
    epochs = [order[start : start + 7] for start in range(0, 70, 7)]
    assert set(order) == set(range(7))
    assert any(len(set(epoch)) < 7 for epoch in epochs)


def test_crops_are_of_one_size(mixed):
    for batch in train(mixed, 5, augmentation=ALL):
        assert set(batch) == {"image", "labels", "sizes", "index"}
        assert (batch["image"].shape, batch["image"].dtype) == ((2, 9, 7, 3), np.uint8)
        assert (batch["labels"].shape, batch["labels"].dtype) == ((2, 9, 7), np.uint8)
        np.testing.assert_array_equal(batch["sizes"], [[9, 7]] * 2)


def test_whole_images_are_padded_with_zeros_and_void(mixed):
    for batch in train(mixed, 7):
        assert batch["image"].shape == (2, 10, 10, 3)
        assert batch["sizes"].dtype == batch["index"].dtype == np.int32
        for row, index in enumerate(batch["index"]):
            height, width = batch["sizes"][row]
            assert (height, width) == mixed.sizes[index]
            image, labels = batch["image"][row].copy(), batch["labels"][row].copy()
            np.testing.assert_array_equal(image[:height, :width], mixed.images[index])
            np.testing.assert_array_equal(labels[:height, :width], mixed.labels[index])
            image[:height, :width], labels[:height, :width] = 0, 255
            assert (image == 0).all()
            assert (labels == 255).all()


def test_the_canvas_can_be_given_and_has_room_for_the_largest_scale(mixed):
    assert train(mixed, 1, canvas=(12, 16))[0]["image"].shape == (2, 12, 16, 3)
    scaled = train(mixed, 6, augmentation=Augmentation(scale=(0.5, 1.5)))
    assert {batch["image"].shape for batch in scaled} == {(2, 15, 15, 3)}
    assert any((b["sizes"][0] != mixed.sizes[b["index"][0]]).any() for b in scaled)


@pytest.mark.parametrize("num_threads", (0, 2))
def test_a_wrong_label_is_named_from_within_threads(mixed, num_threads):
    mixed.labels[4][2, 1] = 77
    with pytest.raises(
        ValueError, match="noise train: n4: label 77 at row 2, column 1 .1 such pixels"
    ):
        train(mixed, 7, readers=Readers(num_threads))


@pytest.mark.parametrize(("count", "batch_size"), ((1, 1), (1, 3), (2, 5)))
def test_few_images_fill_a_batch_again_and_again(count, batch_size):
    source = Source([(6, 10), (7, 9)][:count])
    found = seen(train(source, 4 * count, batch_size=batch_size))
    assert len(found) == 4 * count * batch_size
    epochs = np.sort(np.reshape(found, (-1, count)), axis=1)
    np.testing.assert_array_equal(epochs, np.tile(np.arange(count), (len(epochs), 1)))


@pytest.mark.parametrize("num_threads", (0, 2))
def test_an_image_larger_than_the_canvas_is_named(mixed, num_threads):
    with pytest.raises(
        ValueError, match="noise train: n.: an image of .* the canvas of 4x4; set --con"
    ):
        train(mixed, 1, canvas=(4, 4), readers=Readers(num_threads))


def test_a_canvas_is_compared_with_every_image_beforehand(mixed):
    with pytest.raises(ValueError, match="train: n1: an image of 10x6 is larger than"):
        loader.train_batches(mixed, batch_size=1, seed=0, num_classes=3, canvas=(9, 10))
    mixed.sizes[1] = (1, 1)
    augmentation = Augmentation(scale=(0.5, 2.0))
    with pytest.raises(ValueError, match="train: n3: an image of 18x14 is larger than"):
        train(mixed, 1, canvas=(16, 20), augmentation=augmentation)


def test_image_and_labels_are_of_one_size(mixed):
    mixed.labels[2] = mixed.labels[2][:-1]
    for make in (lambda: train(mixed, 7), lambda: evaluate(mixed)):
        with pytest.raises(
            ValueError, match="n2: the image is 7x9 and its mask 6x9 .height x width."
        ):
            make()


@pytest.mark.parametrize("num_threads", (0, 1, 4))
def test_evaluation_does_not_depend_on_threads(mixed, num_threads):
    assert_same(evaluate(mixed, readers=Readers(num_threads)), evaluate(mixed))


@pytest.mark.parametrize("stream", (loader.train_batches, loader.eval_batches))
def test_few_images_are_read_ahead(stream):
    """What is held at a time does not grow with the number of images."""

    class Counting(Source):
        read = 0

        def __getitem__(self, index):
            self.read += 1
            return super().__getitem__(index)

    source = Counting([(4, 4)] * 200)
    options = {"seed": 0} if stream is loader.train_batches else {}
    batches = stream(source, batch_size=2, num_classes=3, **options)
    next(batches)
    time.sleep(0.3)
    assert source.read <= 2 + 16 + 2  # The batch, those ahead, and one for a thread.
    batches.close()


@pytest.mark.parametrize(
    ("batch_size", "ahead"), ((1, 16), (2, 8), (8, 4), (128, 4), (200, 2), (10**6, 1))
)
def test_large_batches_are_not_made_ahead_beyond_memory(monkeypatch, batch_size, ahead):
    asked = []

    def options(**given):
        asked.append(given["prefetch_buffer_size"])
        raise StopAsyncIteration

    monkeypatch.setattr(loader.grain, "ReadOptions", options)
    source = Source([(4, 4)] * 3)
    batches = loader.train_batches(source, batch_size=batch_size, seed=0, num_classes=3)
    with pytest.raises(StopAsyncIteration):
        next(batches)
    assert asked == [ahead]


def test_evaluation_yields_every_image_once(mixed):
    batches = evaluate(mixed, batch_size=3)
    valid = np.concatenate([batch["example_valid"] for batch in batches])
    index = np.array(seen(batches))
    assert sorted(index[valid]) == list(range(7))
    assert (index[~valid] == -1).all()
    for batch in batches:
        for row, place in enumerate(batch["index"]):
            height, width = batch["sizes"][row]
            labels = batch["labels"][row].copy()
            if place < 0:
                assert not batch["example_valid"][row]
                assert (labels == 255).all()
                assert (batch["image"][row] == 0).all()
                assert batch["id"][row] == ""
                continue
            assert batch["id"][row] == f"n{place}"
            assert (height, width) == mixed.sizes[place]
            image = batch["image"][row, :height, :width]
            np.testing.assert_array_equal(image, mixed.images[place])
            assert (labels[:height, :width] == place % 3).all()
            labels[:height, :width] = 255
            assert (labels == 255).all()


def test_mixed_images_take_two_canvases(mixed):
    shapes = {batch["image"].shape for batch in evaluate(mixed)}
    assert shapes == {(2, 7, 10, 3), (2, 10, 8, 3)}


def test_one_panorama_does_not_make_all_images_as_large():
    sizes = [(6, 10)] * 5 + [(20, 60)] + [(10, 6)] * 3
    batches = evaluate(Source(sizes))
    canvases = {batch["image"].shape[1:3] for batch in batches}
    assert canvases == {(6, 10), (20, 60), (10, 6)}
    assert sorted(i for i in seen(batches) if i >= 0) == list(range(9))
    one = evaluate(Source([(20, 60)] + [(10, 6)] * 8))
    assert {batch["image"].shape[1:3] for batch in one} == {(20, 60), (10, 6)}
    # Among few images it is not worth another compilation.
    few = evaluate(Source([(6, 10), (8, 14), (20, 20)]), batch_size=4)
    assert {batch["image"].shape[1:3] for batch in few} == {(20, 20)}


@pytest.mark.parametrize(
    ("worth", "expected"),
    (
        (11.9, {(6, 10), (10, 10)}),  # Four of ten rows, of thirty images.
        (12.1, {(10, 10)}),
        (math.inf, {(10, 10)}),
    ),
)
@pytest.mark.parametrize("together", (1, 5))
def test_a_canvas_more_saves_so_many_images(worth, expected, together):
    source = Source([(6, 10)] * 30 + [(10, 10)] * 30)
    batches = evaluate(source, batch_size=together, worth_a_canvas=worth)
    assert {batch["image"].shape[1:3] for batch in batches} == expected
    assert sorted(seen(batches)) == list(range(60))


def test_images_much_alike_take_one_canvas():
    source = Source([(6, 10), (6, 6), (5, 9)])
    assert {b["image"].shape for b in evaluate(source)} == {(2, 6, 10, 3)}


def test_an_image_goes_to_the_smallest_canvas_that_holds_it(mixed):
    batches = evaluate(mixed, batch_size=1, canvases=[(10, 10), (8, 10)])
    places = {b["index"].item(): b["image"].shape[1:3] for b in batches}
    high = {1, 3}
    assert places == {i: (10, 10) if i in high else (8, 10) for i in range(7)}


def test_an_image_must_fit_a_canvas(mixed):
    with pytest.raises(
        ValueError, match="noise train: image 1 is 10x6 and fits none of the canvases"
    ):
        evaluate(mixed, canvases=[(8, 10)])


def test_other_scales_come_with_their_sizes(mixed):
    for batch in evaluate(mixed, scales=(1.0, 0.5)):
        height, width = batch["image"].shape[1:3]
        half = batch["image@0.5"]
        assert half.shape == (2, round(height / 2), round(width / 2), 3)
        for row, place in enumerate(batch["index"]):
            if place < 0:
                assert (half[row] == 0).all()
                continue
            h, w = transforms.scaled_size(mixed.sizes[place], 0.5)
            np.testing.assert_array_equal(batch["sizes@0.5"][row], [h, w])
            resized = transforms.resize_image(mixed.images[place], (h, w))
            np.testing.assert_array_equal(half[row, :h, :w], resized)
            assert (half[row, h:] == 0).all()
            assert (half[row, :, w:] == 0).all()


def test_evaluation_names_a_wrong_label_and_keeps_the_batches_before(mixed):
    mixed.labels[6][0, 0] = 9
    batches = loader.eval_batches(mixed, batch_size=1, num_classes=3)
    assert seen(itertools.islice(batches, 6)) == [0, 2, 4, 5, 1, 3]
    with pytest.raises(ValueError, match="noise train: n6: label 9 at row 0, column 0"):
        next(batches)


def test_headers_that_lie_about_the_size_are_found(mixed):
    mixed.image_sizes = lambda: np.full((7, 2), 6, np.int32)
    with pytest.raises(ValueError, match="n0: an image of 6x10 is larger than the can"):
        evaluate(mixed)


@pytest.mark.parametrize("stream", (loader.train_batches, loader.eval_batches))
def test_closing_early_leaves_no_thread(mixed, stream):
    before = set(threading.enumerate())
    options = {"seed": 0} if stream is loader.train_batches else {}
    batches = stream(mixed, batch_size=1, num_classes=3, **options)
    next(batches)
    own = set(threading.enumerate()) - before
    assert own
    batches.close()
    for thread in own:
        thread.join(timeout=SECONDS)
    assert not [thread for thread in own if thread.is_alive()]


def test_the_classes_must_be_those_of_the_source(mixed):
    checks.check_num_classes(mixed, 3)
    with pytest.raises(ValueError, match="num_classes=2, but noise has 3 classes"):
        checks.check_num_classes(mixed, 2)


@pytest.mark.long
@pytest.mark.parametrize("stream", ("train_batches", "eval_batches"))
def test_a_program_that_fails_between_batches_reads_no_others(stream, tmp_path):
    """Python's end waits for threads: those that read ahead have to stop."""
    code = """
        import sys
        import numpy as np
        from fcn_jax.data import loader

        class Source:
            name, split, ignore_label = "zeros", "train", 255
            def __len__(self):
                return 1000
            def __getitem__(self, index):
                with open(sys.argv[2], "ab") as file:
                    file.write(b".")
                labels = np.zeros((4, 4), np.uint8)
                return {"image": np.zeros((4, 4, 3), np.uint8), "labels": labels,
                        "id": str(index)}
            def image_sizes(self):
                return np.full((1000, 2), 4, np.int32)

        options = {"seed": 0} if sys.argv[1] == "train_batches" else {}
        make = getattr(loader, sys.argv[1])
        batches = make(Source(), batch_size=2, num_classes=2, **options)
        next(batches)
        raise SystemExit(3)
    """
    reads = tmp_path / "reads"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), stream, reads],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert reads.stat().st_size <= 2 + 16 + 2  # Those that are read ahead anyway.
