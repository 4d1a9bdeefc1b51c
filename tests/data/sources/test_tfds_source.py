"""Prepared data sets read at random, without TensorFlow and without a word."""

import errno
import logging
import pickle
import subprocess
import sys
import textwrap
import threading
import types

import numpy as np
import pytest

from fcn_jax.data import contracts, loader
from fcn_jax.data.sources import drawing, shapes, tfds_source
from tests.support.patience import SECONDS


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Ten examples, prepared once."""
    folder = tmp_path_factory.mktemp("tfds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "SIZES", {"train": 6, "val": 4})
        shapes.open_shapes("train", str(folder))
    return str(folder)


@pytest.fixture
def source(data_dir):
    return shapes.open_shapes("train", data_dir)


def test_what_a_source_says_of_itself(source):
    assert (source.name, source.split) == ("shapes/1.0.0", "train")
    assert source.classes == drawing.CLASSES
    assert (source.palette.shape, source.palette.dtype) == ((256, 3), np.uint8)


def test_items_are_as_the_pipeline_takes_them(source):
    item = source[np.int64(2)]
    assert set(item) == {"image", "labels", "objects", "id"}
    height, width = source.image_sizes()[2]
    assert item["image"].shape == (height, width, 3)
    assert item["labels"].shape == item["objects"].shape == (height, width)
    assert type(item["id"]) is str


def test_ids_are_told_without_pictures(source):
    assert source.image_ids() == [item["id"] for item in source]
    assert contracts.ids_of(source) == source.image_ids()


@pytest.mark.parametrize("index", (-1, 6))
def test_an_index_lies_in_the_split(source, index):
    with pytest.raises(
        IndexError, match=f"train: no image {index}; there are 6, from 0 on"
    ):
        source[index]


def test_a_loop_over_a_source_ends(source):
    assert len([item["id"] for item in source]) == 6


def test_slices_of_splits(data_dir):
    whole = shapes.open_shapes("train", data_dir)
    half = shapes.open_shapes("train[3:]", data_dir)
    assert (len(half), half.split) == (3, "train[3:]")
    assert half[0]["id"] == whole[3]["id"]
    np.testing.assert_array_equal(half.image_sizes(), whole.image_sizes()[3:])


def test_the_fingerprint_of_a_split(data_dir):
    names = ("train", "train", "train[3:]", "val")
    found = [shapes.open_shapes(name, data_dir).fingerprint() for name in names]
    assert found[0] == found[1]
    assert len({each["name"] for each in found}) == 3


def test_an_empty_slice_is_refused(data_dir):
    with pytest.raises(
        ValueError, match="shapes/1.0.0: split 'train.*' holds no image"
    ):
        shapes.open_shapes("train[6:]", data_dir)


@pytest.mark.parametrize("split", ("test", "train[oops]"))
def test_an_unknown_split_is_named(data_dir, split):
    with pytest.raises(
        ValueError, match="(?s)no split '.*there are train, val, and slices"
    ):
        shapes.open_shapes(split, data_dir)


def test_a_source_can_be_pickled(source):
    copy = pickle.loads(pickle.dumps(source))
    assert (copy.name, copy.split) == (source.name, source.split)
    np.testing.assert_array_equal(copy[1]["image"], source[1]["image"])
    np.testing.assert_array_equal(copy.image_sizes(), source.image_sizes())


def test_sources_feed_the_pipeline_from_threads(source):
    options = {"batch_size": 2, "num_classes": 7}
    batches = loader.train_batches(source, seed=0, **options)
    batch = next(batches)
    batches.close()
    for row, index in enumerate(batch["index"]):
        height, width = batch["sizes"][row]
        labels = batch["labels"][row, :height, :width]
        np.testing.assert_array_equal(labels, source[index]["labels"])
    evaluated = list(loader.eval_batches(source, **options))
    assert sorted(name for batch in evaluated for name in batch["id"] if name) == [
        f"train_{number:05}" for number in range(6)
    ]


def test_what_is_prepared_is_not_prepared_again(tmp_path, monkeypatch, caplog, capfd):
    monkeypatch.setattr(shapes, "SIZES", {"train": 1, "val": 1})
    with caplog.at_level(logging.WARNING):
        shapes.open_shapes("val", str(tmp_path))
    said = [r.getMessage() for r in caplog.records]
    assert said[0].startswith("preparing the shapes data set (generated once) in ")
    assert said[1:] == ["prepared the shapes data set (generated once)"]
    caplog.clear()
    monkeypatch.setattr(shapes, "examples", None)
    shapes.open_shapes("val", str(tmp_path))
    assert not caplog.records
    assert capfd.readouterr().out == ""


def test_interrupted_preparation_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    def broken(split, name):
        yield from examples(split, 1, name)
        raise RuntimeError("the disc is full")

    examples = shapes.examples
    monkeypatch.setattr(shapes, "examples", broken)
    with pytest.raises(RuntimeError, match="the disc is full"):
        shapes.open_shapes("train", str(tmp_path))
    monkeypatch.setattr(shapes, "examples", examples)
    monkeypatch.setattr(shapes, "SIZES", {"train": 2, "val": 1})
    assert len(shapes.open_shapes("train", str(tmp_path))) == 2


def test_prepared_data_are_read_without_tensorflow(data_dir):
    code = """
        import sys
        from fcn_jax.data.sources import shapes
        source = shapes.open_shapes("val", sys.argv[1])
        source[0], source.image_sizes()
        print("tensorflow" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), data_dir],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def test_warnings_are_silenced_only_within():
    import warnings

    with tfds_source.quiet_tfds() as tfds:
        warnings.warn("not heard", stacklevel=1)
        assert tfds.__name__ == "tensorflow_datasets"
    with pytest.raises(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_errors_of_the_library_are_still_logged(caplog):
    log = logging.getLogger("absl")
    caplog.set_level(logging.WARNING, "absl")  # A command may have made it quieter.
    with tfds_source.quiet_tfds():
        log.warning("not heard")
        log.error("an error")
    log.warning("a warning")
    assert [r.getMessage() for r in caplog.records] == ["an error", "a warning"]


def test_of_two_processes_that_prepare_one_does(tmp_path, monkeypatch, caplog):
    """Two hosts with one home directory, which begin a run together."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 2, "val": 1})
    examples, hold = shapes.examples, tfds_source._one_at_a_time
    begun, waited_for = threading.Event(), threading.Event()

    def slow(split, name):
        begun.set()
        assert waited_for.wait(SECONDS)
        yield from examples(split, 2 if split == "train" else 1, name)

    def held(folder):
        if begun.is_set():
            waited_for.set()
        return hold(folder)

    monkeypatch.setattr(shapes, "examples", slow)
    monkeypatch.setattr(tfds_source, "_one_at_a_time", held)
    make = shapes.builder_class(shapes.SHAPES)
    with tfds_source.quiet_tfds() as tfds:
        builders = [make(data_dir=tmp_path, file_format="array_record") for _ in "ab"]

        def prepare(builder):
            tfds_source.prepare(builder, tfds, "shapes")
            return len(tfds_source.TfdsSource(builder, "train", drawing.CLASSES))

        first = threading.Thread(target=prepare, args=builders[:1])
        first.start()
        assert begun.wait(SECONDS)
        assert not builders[1].is_prepared()
        assert prepare(builders[1]) == 2
        first.join()
    assert len(list((tmp_path / "shapes").iterdir())) == 1


def test_a_data_dir_that_may_not_be_written_to_is_named(tmp_path):
    def refuse(download_config):
        raise OSError(errno.EROFS, "Read-only file system: 'data'")

    builder = types.SimpleNamespace(
        data_dir=tmp_path / "data/shapes/1",
        is_prepared=bool,
        download_and_prepare=refuse,
    )
    message = (
        r"data/shapes/1 could not be .*for writing or choose another config.data.d"
    )
    with tfds_source.quiet_tfds() as tfds, pytest.raises(OSError, match=message):
        tfds_source.prepare(builder, tfds, "shapes")
