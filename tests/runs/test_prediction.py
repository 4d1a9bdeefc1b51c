"""Photographs through a network: labels, probabilities, sizes, tiles, progress."""

import functools
import itertools
import json
import threading
import types

import jax
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

import fcn_jax
from fcn_jax import crf
from fcn_jax.config import workdir as workdirs
from fcn_jax.data import geotiff, photos
from fcn_jax.runs import evaluation, looking, predicted, prediction, progress, trainer
from tests.support import folders
from tests.support.predicting import lines, listed, write_pictures
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")

COLOURS = [(10, 20, 30), (200, 0, 0), (0, 200, 0)]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    data = make_folder(tmp_path_factory.mktemp("data"))
    lines = (f"{n} {c[0]} {c[1]} {c[2]}\n" for n, c in zip("abc", COLOURS, strict=True))
    (data / "label_colors.txt").write_text("".join(lines))
    (data / "classes.txt").write_text("a\nb\nc\n")
    workdir = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        trainer.train(tiny_config(data, num_steps=1, num_pictures=0), workdir)
    return workdir


@pytest.fixture(scope="module")
def net(workdir):
    return fcn_jax.load(workdir)


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path / "in")


def pixels(path):
    with Image.open(path) as image:
        return np.array(image)


def test_names_and_colours_are_those_of_training(net):
    (head,) = net.heads
    assert head.classes == ("a", "b", "c")
    assert head.palette[:3].tolist() == [list(c) for c in COLOURS]


def test_a_folder_of_images(net, pictures, tmp_path):
    out = tmp_path / "out"
    told = []
    tally = prediction.predict(net, listed(pictures), out, tell=told.append)
    assert (tally.done, tally.before, tally.failed) == (3, 0, [])
    for name in ("one", "two", "sub/one"):
        image = pixels(pictures / f"{name}.png")
        with Image.open(out / f"labels/{name}.png") as labels:
            np.testing.assert_array_equal(np.asarray(labels), net.predict(image))
            assert labels.getpalette()[:9] == [v for c in COLOURS for v in c]
        assert len(pixels(out / f"overlays/{name}.png")) > len(image)
    assert sorted(map(str, lines(out))) == sorted(map(str, told))
    by_name = {line["name"]: line for line in told}
    assert by_name["two"]["image"] == str((pictures / "two.png").resolve())
    assert (by_name["two"]["height"], by_name["two"]["width"]) == folders.SIZE
    assert sum(by_name["two"]["classes"].values()) == pytest.approx(1)
    names = {path.name for path in out.iterdir()}
    assert names == {"labels", "overlays", predicted.SETTINGS, predicted.LINES}


def test_labels_of_a_scene_have_its_coordinates(net, tmp_path):
    pixels_of = folders.photo()
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, kind, value in ((33550, 12, (0.5, 0.5, 0.0)), (34735, 3, (1, 1, 0, 0))):
        tags.tagtype[tag] = kind
        tags[tag] = value
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels_of).save(tmp_path / "in/scene.tif", tiffinfo=tags)
    folders.save(tmp_path / "in/plain.png", pixels_of)
    out = tmp_path / "out"
    prediction.predict(net, listed(tmp_path / "in"), out)
    labels = out / "labels"
    names = ["plain.png", "scene.png", "scene.tif"]
    assert sorted(path.name for path in labels.iterdir()) == names
    np.testing.assert_array_equal(
        pixels(labels / "scene.tif"), pixels(labels / "scene.png")
    )
    assert geotiff.coordinates(labels / "scene.tif")[33550][1] == (0.5, 0.5, 0.0)
    predicted.Predictions(out, net.heads, {}).remove()
    assert not list(labels.iterdir())


def test_a_bad_image_is_passed_over(net, pictures, tmp_path, capsys):
    (pictures / "three.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    out = tmp_path / "out"
    tally = prediction.predict(net, listed(pictures), out)
    assert tally.done == 3
    (message,) = tally.failed
    assert "three.png is no readable image" in message
    assert f"passed over: {message}" in capsys.readouterr().err
    assert not (out / "labels/three.png").exists()
    assert not (out / ".locks").exists()


def test_an_image_that_is_none_for_the_network_is_passed_over(
    net, pictures, tmp_path, monkeypatch, capsys
):
    """Such as one with fewer pixels than superpixels are asked for."""
    look = looking.looked_at

    def too_small(net, image, *rest):
        if image.shape[:2] == (6, 5):
            raise ValueError("the image has 6x5 = 30 pixels, fewer than")
        return look(net, image, *rest)

    monkeypatch.setattr(looking, "looked_at", too_small)
    folders.save(pictures / "tiny.png", np.zeros((6, 5, 3), np.uint8))
    tally = prediction.predict(net, listed(pictures), tmp_path / "out")
    assert tally.done == 3
    (message,) = tally.failed
    assert (
        message == f"{pictures / 'tiny.png'}: the image has 6x5 = 30 pixels, fewer than"
    )
    assert f"passed over: {message}" in capsys.readouterr().err
    assert not (tmp_path / "out/labels/tiny.png").exists()


@pytest.mark.parametrize("kind", predicted.PROBS)
def test_probabilities(net, pictures, tmp_path, kind):
    out = tmp_path / "out"
    options = looking.Options(probs=kind, overlays=False)
    prediction.predict(net, listed(pictures / "two.png"), out, options)
    assert not (out / "overlays").exists()
    expected = net.predict_probs(pixels(pictures / "two.png"))
    if kind == "npz":
        with np.load(out / "probs/two.npz") as found:
            assert found["classes"].tolist() == ["a", "b", "c"]
            assert found["probs"].dtype == np.float16
            np.testing.assert_allclose(found["probs"], expected, atol=1e-3)
        return
    for label, name in enumerate("abc"):
        grey = pixels(out / f"probs/two/{label:03d}_{name}.png")
        np.testing.assert_allclose(grey / 255, expected[..., label], atol=0.003)


def test_a_large_image_is_seen_by_tiles(net, tmp_path):
    folders.save(tmp_path / "a.png", folders.photo(size=(50, 70)))
    options = looking.Options(tile=32, overlap=0.5, probs="npz")
    seen = []
    by_tiles = type("Net", (), {})()
    by_tiles.__dict__.update(net.__dict__)
    by_tiles.predict_probs = lambda tile: (
        seen.append(tile.shape) or net.predict_probs(tile)
    )
    prediction.predict(by_tiles, listed(tmp_path / "a.png"), tmp_path / "out", options)
    assert len(seen) > 6
    assert {shape[:2] for shape in seen} == {(32, 32)}
    labels = pixels(tmp_path / "out/labels/a.png")
    with np.load(tmp_path / "out/probs/a.npz") as found:
        probs = found["probs"]
    assert labels.shape == probs.shape[:2] == (50, 70)
    np.testing.assert_allclose(probs.astype(np.float32).sum(-1), 1, atol=5e-3)
    assert (labels == probs.argmax(-1)).mean() > 0.99  # Ties of half precision.


def test_a_size_of_ones_own(net, tmp_path):
    image = folders.photo(size=(40, 80))
    folders.save(tmp_path / "a.png", image)
    options = looking.Options(size=40)
    prediction.predict(net, listed(tmp_path / "a.png"), tmp_path / "out", options)
    labels = pixels(tmp_path / "out/labels/a.png")
    assert labels.shape == (40, 80)
    half = np.asarray(Image.fromarray(image).resize((40, 20), Image.BILINEAR))
    small = net.predict(half)
    assert (labels[10:-10:2, 10:-10:2] == small[5:-5, 5:-5]).mean() > 0.8


def test_a_network_takes_files_and_images_of_pillow(net, pictures):
    image = pixels(pictures / "one.png")
    files_and_more = [str(pictures / "one.png"), Image.fromarray(image), image]
    for found in net.predict(files_and_more):
        np.testing.assert_array_equal(found, net.predict(image))
    probs = net.predict_probs(pictures / "one.png")
    np.testing.assert_array_equal(probs, net.predict_probs(image))


def test_near_sizes_share_a_compilation(net):
    """A canvas that was made is taken again, and says the same of an image."""
    fresh = type(net)(net.config, net.workdir)
    image = folders.photo(size=(40, 60))
    alone = fresh.predict_probs(image)
    again = type(net)(net.config, net.workdir)
    again.predict_probs(folders.photo(size=(60, 90)))
    np.testing.assert_allclose(again.predict_probs(image), alone, atol=1e-5)
    again.predict_probs(folders.photo(size=(64, 70)))
    assert len(again._probs) == 1


@pytest.mark.long
def test_views_of_an_image(workdir):
    image = folders.photo(size=(32, 32))
    plain, flipped = fcn_jax.load(workdir), fcn_jax.load(workdir, flip=True)
    expected = (
        plain.predict_probs(image) + plain.predict_probs(image[:, ::-1])[:, ::-1]
    ) / 2
    np.testing.assert_allclose(flipped.predict_probs(image), expected, atol=1e-5)
    scaled = fcn_jax.load(workdir, scales=(0.5, 1.0))
    assert scaled.predict_probs(image).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("tile", "size", "side"),
    [
        (None, (2000, 2000), None),
        (None, (2000, 2001), 1024),
        (None, (15_625, 1), None),
        (None, (1, 15_626), 1024),  # Whose padding is the larger part by far.
        (0, (9000, 9000), None),
        (64, (64, 64), None),
        (64, (10, 65), 64),
    ],
)
def test_which_images_are_seen_by_tiles(tile, size, side):
    tiles = looking.Options(tile=tile).tiles(*size)
    assert (tiles.side if tiles else None) == side


def test_a_file_of_a_crf_that_is_written_anew_is_another_crf(tmp_path):
    path = tmp_path / "crf.json"
    config = types.SimpleNamespace(
        eval_scale=1.0,
        crf=types.SimpleNamespace(parameters=str(path)),
        inference=types.SimpleNamespace(method="whole"),
    )
    net = types.SimpleNamespace(
        workdir=tmp_path, checkpoint=types.SimpleNamespace(step=1), config=config,
        scales=None, flip=False, head="",
    )  # fmt: skip
    found = []
    for name in ("wssl", "deeplab"):
        path.write_text(json.dumps({"parameters": crf.PARAMETERS[name]}))
        found.append(prediction.made(net, looking.Options()))
    assert found[0] != found[1]
    config.crf.parameters = "deeplab"
    assert prediction.made(net, looking.Options())["crf"] == "deeplab"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probs": "jpg"}, "probs='jpg' is not known; use one of npz, png"),
        ({"size": -1}, "size=-1, tile=None: sides are pixels, or 0 for none"),
        ({"overlap": 1.0}, r"tiles: side=1024, overlap=1.0; expected .*in \[0, 1\)"),
    ],
)
def test_options_without_sense(options, message):
    with pytest.raises(ValueError, match=message):
        looking.Options(**options)


@pytest.fixture
def lines_at_once(monkeypatch):
    """A clock by which half a minute passes between any two looks at it."""
    clock = itertools.count(0, 31).__next__
    counter = functools.partial(progress.Counter, clock=clock)
    monkeypatch.setattr(prediction, "Counter", counter)
    monkeypatch.setattr(evaluation, "Counter", counter)


def test_progress_is_told_where_there_is_no_terminal(
    net, tmp_path, capsys, lines_at_once
):
    folders.save(tmp_path / "a.png", folders.photo(size=(32, 56)))
    options = looking.Options(tile=32, overlays=False)
    prediction.predict(net, listed(tmp_path / "a.png"), tmp_path / "out", options)
    told = capsys.readouterr().err
    assert "0 of 1 images after 0:00:31; a: 50%\n" in told
    assert "1 of 1 images after" in told


def test_an_evaluation_tells_its_progress_too(workdir, capsys, lines_at_once):
    config = workdirs.config_of_run(workdir)
    evaluation.Evaluation(config, workdir, devices=jax.devices()[:1]).score()
    assert "2 of 2 images after 0:00:31, 0.065 a second, " in capsys.readouterr().err


def test_a_size_of_ones_own_by_tiles(net, tmp_path):
    """What the network sees at that size may be beyond a tile; it is held in strips."""
    image = folders.photo(size=(50, 90))
    folders.save(tmp_path / "a.png", image)
    seen = []
    by_tiles = type("Net", (), {})()
    by_tiles.__dict__.update(net.__dict__)
    by_tiles.predict_probs = lambda tile: (
        seen.append(tile.shape) or net.predict_probs(tile)
    )
    options = looking.Options(tile=32, size=60, probs="npz")
    prediction.predict(by_tiles, listed(tmp_path / "a.png"), tmp_path / "out", options)
    assert {shape[:2] for shape in seen} == {(32, 32)}
    with np.load(tmp_path / "out/probs/a.npz") as found:
        probs = found["probs"].astype(np.float32)
    assert probs.shape == (50, 90, 3)
    np.testing.assert_allclose(probs.sum(-1), 1, atol=5e-3)


def test_large_images_are_not_read_ahead(net, tmp_path, monkeypatch):
    """Many small ones are; of those that together are large, one at a time is held."""
    size = folders.SIZE[0] * folders.SIZE[1]
    for number in range(6):
        folders.save(tmp_path / f"in/{number}.png", folders.photo(number))
    most, held, now = [], set(), threading.Lock()

    def read(photo):
        with now:
            held.add(photo.name)
            most.append(len(held))
        return photos.read(photo)

    def write(self, photo, *rest):
        found = written(self, photo, *rest)
        with now:
            held.discard(photo.name)
        return found

    written = predicted.Predictions.write
    monkeypatch.setattr(predicted.Predictions, "write", write)
    reading = types.SimpleNamespace(**{**vars(photos), "read": read})
    monkeypatch.setattr(prediction, "photos", reading)
    for pixels, expected in ((1, 1), (2 * size, 2)):
        monkeypatch.setattr(prediction, "_MOST_AHEAD", pixels)
        most.clear()
        tally = prediction.predict(net, listed(tmp_path / "in"), tmp_path / f"{pixels}")
        assert tally.done == 6
        assert max(most) <= expected
