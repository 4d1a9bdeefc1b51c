"""A directory of predictions: what is left, shared, refused, removed and made anew."""

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fcn_jax
from fcn_jax.data import photos
from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.runs import looking, predicted, prediction
from fcn_jax.storage import files
from tests.support import folders
from tests.support.patience import SECONDS
from tests.support.predicting import lines, listed, saved_workdir, write_pictures

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return saved_workdir(tmp_path_factory.mktemp("saved"))


@pytest.fixture(scope="module")
def net(workdir):
    return fcn_jax.load(workdir)


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path / "in")


def test_it_goes_on_where_it_stopped(net, pictures, tmp_path):
    out = tmp_path / "out"
    prediction.predict(net, listed(pictures / "one.png"), out)
    tally = prediction.predict(net, listed(pictures), out)
    assert (tally.done, tally.before) == (2, 1)  # sub/one is not one.
    tally = prediction.predict(net, listed(pictures), out, overwrite=True)
    assert (tally.done, tally.before) == (3, 0)


def test_an_image_that_another_process_has_is_waited_for(net, pictures, tmp_path):
    out = tmp_path / "out"
    claims = predicted.Claims(out)
    (photo,) = listed(pictures / "two.png")
    theirs = claims.take(photo)
    assert claims.take(photo) is None
    tallies = []

    def work():
        tallies.append(prediction.predict(net, listed(pictures), out))

    thread = threading.Thread(target=work)
    thread.start()
    while not (out / "labels/sub/one.png").exists():
        time.sleep(0.01)
    assert not (out / "labels/two.png").exists()
    theirs.release()  # It has ended, and has not predicted it.
    thread.join(timeout=SECONDS)
    assert [(tally.done, tally.before) for tally in tallies] == [(3, 0)]
    assert (out / "labels/two.png").exists()
    assert not (out / predicted.LOCKS).exists()


def test_two_at_once_share_the_images(net, tmp_path):
    for number in range(6):
        folders.save(tmp_path / f"in/{number}.png", folders.photo(number))
    out, tallies = tmp_path / "out", []

    def work():
        tallies.append(prediction.predict(net, listed(tmp_path / "in"), out))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(tally.done for tally in tallies) == 6
    assert sorted(line["name"] for line in lines(out)) == list("012345")


def test_the_first_line_of_another_is_not_torn(tmp_path, monkeypatch):
    """It came between a look at the size, which was 0, and one at the last byte."""
    path = tmp_path / "lines"
    path.write_bytes(b'{"name": "a"}\n')
    real = type(path).open

    class Empty:
        def __init__(self, file):
            self.file, self.write, self.read = file, file.write, file.read

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def seek(self, place, whence=0):
            return 0 if whence else self.file.seek(place)

    monkeypatch.setattr(type(path), "open", lambda *given: Empty(real(*given)))
    predicted.Lines(path).append({"name": "b", "image": "b.png"})
    monkeypatch.undo()
    assert path.read_bytes().splitlines()[1] == b'{"name": "b", "image": "b.png"}'


def test_another_image_by_the_same_name_is_refused(net, pictures, tmp_path):
    out = tmp_path / "out"
    prediction.predict(net, listed(pictures / "one.png"), out)
    other = listed(pictures / "sub/one.png")
    message = (
        "holds the prediction of .*in/one.png as one, which is the name of .*sub/one"
    )
    with pytest.raises(ValueError, match=message):
        prediction.predict(net, other, out)
    assert prediction.predict(net, other, out, overwrite=True).done == 1
    (line,) = lines(out)
    assert line["image"].endswith("sub/one.png")


def test_what_is_overwritten_is_removed_first(net, pictures, tmp_path, monkeypatch):
    """Else an overwriting that is interrupted would leave two kinds, taken for one."""
    out = tmp_path / "out"
    for kind in predicted.PROBS:
        options = looking.Options(probs=kind)
        prediction.predict(net, listed(pictures), out, options, overwrite=True)
    assert not list(out.glob("**/*.npz"))
    assert (out / "probs/two").is_dir()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(looking, "looked_at", stop)
    with pytest.raises(KeyboardInterrupt):
        prediction.predict(net, listed(pictures), out, overwrite=True)
    assert not list(out.glob("**/*.png"))
    monkeypatch.undo()
    assert prediction.predict(net, listed(pictures), out).done == 3


@pytest.mark.parametrize("overwrite", (True, False))
def test_a_label_without_its_line_is_made_anew(net, pictures, tmp_path, overwrite):
    """A process was killed between the two; the line it was at may be cut off."""
    out = tmp_path / "out"
    prediction.predict(net, listed(pictures), out)
    label = out / "labels/one.png"
    kept = [line for line in lines(out) if line["name"] != "one"]
    text = "".join(json.dumps(line) + "\n" for line in kept)
    (out / predicted.LINES).write_text(text + '{"name": "on')
    label.write_bytes(b"old")
    tally = prediction.predict(net, listed(pictures), out, overwrite=overwrite)
    assert tally.done == (3 if overwrite else 1)
    assert label.read_bytes() != b"old"
    whole = (out / predicted.LINES).read_text().splitlines()
    torn = [] if overwrite else ['{"name": "on']
    assert [line for line in whole if not line.endswith("}")] == torn
    assert prediction.predict(net, listed(pictures), out).before == 3


def test_what_fails_before_an_image_is_done_settles_nothing(net, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"")
    folders.save(tmp_path / "good.png", folders.photo())
    out = tmp_path / "out"
    options = looking.Options(overlays=False)
    prediction.predict(net, listed(tmp_path / "bad.png"), out, options)
    assert not (out / predicted.SETTINGS).exists()
    assert prediction.predict(net, listed(tmp_path / "good.png"), out).done == 1


def test_a_line_that_was_cut_off_is_no_record(net, pictures, tmp_path):
    out = tmp_path / "out"
    prediction.predict(net, listed(pictures), out)
    with (out / predicted.LINES).open("a") as file:
        file.write('[]\n{"name": "t')
    assert prediction.predict(net, listed(pictures), out).before == 3


def test_a_lock_whose_folder_goes_again_and_again(tmp_path, monkeypatch):
    def gone(*_, **__):
        raise FileNotFoundError("no folder")

    monkeypatch.setattr(predicted.filelock.FileLock, "acquire", gone)
    with pytest.raises(OSError, match=".locks/.* cannot be made; try again"):
        predicted.Claims(tmp_path).take(photos.Photo("a", None))


def test_predictions_made_otherwise_stay(net, pictures, tmp_path):
    out = tmp_path / "out"
    prediction.predict(net, listed(pictures), out)
    other = looking.Options(tile=64)
    with pytest.raises(
        ValueError, match=r"made otherwise \(tile: None there, 64 now\)"
    ):
        prediction.predict(net, listed(pictures), out, other)
    (out / predicted.SETTINGS).write_text("[")
    with pytest.raises(
        ValueError, match=r"predict.json is damaged \(JSONDecodeError\)"
    ):
        prediction.predict(net, listed(pictures), out)
    assert (
        prediction.predict(net, listed(pictures), out, other, overwrite=True).done == 3
    )


def test_one_head_and_all_heads_are_not_mixed(tmp_path):
    def of(*names, **made):
        heads = [Head(name, ("sky", "sea"), VOC.palette) for name in names]
        return predicted.Predictions(tmp_path, heads, {"run": "x", **made})

    def written(predictions):
        labels = {head.name: np.zeros((2, 2), np.uint8) for head in predictions.heads}
        picture = np.zeros((2, 2, 3), np.uint8)
        kinds = predicted.Kinds(overlays=False)
        photo = photos.Photo("a", None)
        predictions.write(photo, picture, predicted.Result(labels), kinds)
        return sorted(path.parent.name for path in tmp_path.rglob("a.png"))

    one, both = of("", head="sem"), of("sem", "geo")
    assert written(one) == ["labels"]
    with pytest.raises(ValueError, match=r"otherwise \(head: 'sem' there, None now\)"):
        both.check()
    both.remove()
    assert written(both) == ["geo", "sem"]
    one.remove()
    assert written(one) == ["labels"]


def test_a_full_disk_is_an_error(net, pictures, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(predicted.viz, "save_label_png", fail)
    with pytest.raises(OSError, match="No space left"):
        prediction.predict(net, listed(pictures), tmp_path / "out")


def test_parts_of_a_process_that_was_killed_are_removed(net, pictures, tmp_path):
    out = tmp_path / "out"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    part = files.part_of(out / "labels" / "one.png")
    part = part.with_name(part.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-"))
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    prediction.predict(net, listed(pictures), out)
    assert not list(out.rglob("*.part"))
