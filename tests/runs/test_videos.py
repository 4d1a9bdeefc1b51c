"""fcn_jax predict of videos: what is written, kept and said."""

import io
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_jax import __main__
from fcn_jax.data import label_sets, photos
from fcn_jax.data import videos as files_of_videos
from fcn_jax.data.contracts import Head
from fcn_jax.preprocessing import CAFFE
from fcn_jax.runs import looking, predicted, prediction, videos
from tests.support import clips, folders

pytest.importorskip("av", reason="needs PyAV, of the extra [video]")


def bright(image):
    """What the network of these tests says: 1 where it is bright."""
    return (image[..., 0] > 180).astype(np.uint8)


@pytest.fixture
def net(tmp_path):
    """A network with one head, as far as predicting asks of it."""
    simple = types.SimpleNamespace
    config = simple(
        eval_scale=1.0, crf=simple(parameters=""), inference=simple(method="whole")
    )
    return simple(
        heads=(Head("", ("dark", "bright"), label_sets.VOC.palette),),
        workdir=tmp_path / "run", checkpoint=simple(step=1), scales=None, flip=False,
        config=config, predict=bright, head="", preprocessing=CAFFE,
    )  # fmt: skip


@pytest.fixture
def predict(net, tmp_path):
    """Predicts videos into tmp_path/out."""

    def predict(*given, told=None, **options):
        frames = videos.Frames(**options)
        endings = files_of_videos.VIDEO_ENDINGS
        listed = photos.listed(map(str, given), io.BytesIO(), None, endings)
        tell = None if told is None else told.append
        return videos.predict(net, listed, tmp_path / "out", None, frames, tell)

    return predict


def read(path):
    with files_of_videos.Video(path) as video:
        return video.rate, list(video.frames())


def names(out):
    return sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())


def lines(out):
    text = (out / predicted.LINES).read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_an_overlay_of_the_same_speed_and_size(predict, tmp_path):
    path, told = clips.write(tmp_path / "clip.mp4"), []
    assert predict(path, told=told).done == 10
    out = tmp_path / "out"
    assert names(out) == ["overlays/clip.mp4", "predict.json", "predictions.jsonl"]
    rate, frames = read(out / "overlays/clip.mp4")
    assert (rate, len(frames)) == (10, 10)
    assert frames[0].image.shape == (*clips.SIZE, 3)
    # Where it is bright, the class's dark red lies over it.
    red, green, _ = frames[0].image[10, 10].astype(int)
    assert red > green + 50
    (line,) = lines(out)
    assert (line["name"], line["frames"], line["every"]) == ("clip", 10, 1)
    assert (line["height"], line["width"], line["broken"]) == (*clips.SIZE, False)
    assert [(each["frame"], each["name"]) for each in told[:2]] == [
        (0, "clip"),
        (1, "clip"),
    ]
    assert told[0]["classes"] == {"dark": 0.75, "bright": 0.25}


def test_labels_of_one_frame_in_some(predict, tmp_path):
    path, out = clips.write(tmp_path / "in/sub/clip.mkv"), tmp_path / "out"
    assert predict(tmp_path / "in", every=4, labels=True).done == 3
    labels = [f"labels/sub/clip/00000{n}.png" for n in (0, 4, 8)]
    assert names(out)[:4] == [*labels, "overlays/sub/clip.mp4"]
    with Image.open(out / labels[1]) as image:
        np.testing.assert_array_equal(image, bright(clips.picture(38)))
    _, frames = read(out / "overlays/sub/clip.mp4")
    assert len(frames) == 3
    assert path.exists()


def test_what_is_done_is_left_and_what_is_asked_for_anew_is_made(predict, tmp_path):
    path, out = clips.write(tmp_path / "clip.mp4"), tmp_path / "out"
    predict(path)
    again = predict(path)
    assert (again.done, again.before) == (0, 1)
    assert predict(path, labels=True).done == 10
    assert predict(path, labels=True).before == 1
    (out / "overlays/clip.mp4").unlink()
    assert predict(path).done == 10
    assert predict(path, every=2, labels=True).done == 5
    assert len(list((out / "labels/clip").iterdir())) == 5


def test_of_one_that_breaks_off_what_was_read_is_kept(predict, tmp_path, capsys):
    path = clips.write(tmp_path / "in/a.mp4", 40, noise=True, movflags="faststart")
    content = path.read_bytes()
    clips.cut(path, 0.6)
    clips.write(tmp_path / "in/b.mp4", count=2)
    (tmp_path / "in/c.mp4").write_bytes(b"nothing")
    tally, out = predict(tmp_path / "in", labels=True), tmp_path / "out"
    said = capsys.readouterr().err
    assert "passed over" in said
    kept = len(read(out / "overlays/a.mp4")[1])
    assert f"a.mp4 breaks off after {kept} frames" in said
    assert f"{kept} frames are kept" in said
    assert (len(tally.failed), tally.done) == (2, kept + 2)
    assert 0 < kept == len(list((out / "labels/a").iterdir())) < 40
    assert not [name for name in names(out) if "c." in name or ".part" in name]
    path.write_bytes(content)  # It was copied anew.
    assert predict(tmp_path / "in", labels=True).done == 40
    assert len(read(out / "overlays/a.mp4")[1]) == 40


def test_a_frame_that_is_none_for_the_network(predict, net, tmp_path, capsys):
    """What came before is kept, and the other videos are predicted all the same."""
    clips.write(tmp_path / "in/a.mp4", count=3)
    clips.write(tmp_path / "in/b.mp4", count=1)
    answers = iter([bright, None, bright])

    def some(image):
        if (answer := next(answers)) is None:
            raise ValueError("the image has 30 pixels, fewer than")
        return answer(image)

    net.predict = some
    tally = predict(tmp_path / "in")
    assert (tally.done, len(tally.failed)) == (2, 1)
    said = capsys.readouterr().err
    assert "in/a.mp4, frame 1: the image has 30 pixels, fewer than 1 frames are" in said
    assert len(read(tmp_path / "out/overlays/a.mp4")[1]) == 1


@pytest.mark.parametrize("stop", (KeyboardInterrupt, OSError))
def test_what_interrupts_it_leaves_nothing(predict, tmp_path, monkeypatch, net, stop):
    def predict_some(image):
        seen.append(1)
        if len(seen) > 3:
            raise stop("now")
        return bright(image)

    seen, path = [], clips.write(tmp_path / "clip.mp4")
    monkeypatch.setattr(net, "predict", predict_some)
    with pytest.raises(stop, match="now"):
        predict(path, labels=True)
    assert names(tmp_path / "out") == ["predict.json"]
    monkeypatch.setattr(net, "predict", bright)
    assert predict(path, labels=True).done == 10


def test_one_frame_is_held_beside_the_next_and_the_last(predict, tmp_path, monkeypatch):
    """Memory does not grow with the video."""
    alive, most = set(), []
    frames_of, add = files_of_videos.Video.frames, videos._Outputs.add

    def frames(self, every):
        for frame in frames_of(self, every):
            alive.add(frame.number)
            most.append(len(alive))
            yield frame

    def added(self, frame, result):
        add(self, frame, result)
        alive.discard(frame.number)

    monkeypatch.setattr(files_of_videos.Video, "frames", frames)
    monkeypatch.setattr(videos._Outputs, "add", added)
    predict(clips.write(tmp_path / "clip.mp4", count=20))
    assert max(most) <= 4


def test_options_without_sense(net, tmp_path):
    with pytest.raises(ValueError, match="every=0 is not positive; 1 takes each frame"):
        videos.Frames(every=0)
    with pytest.raises(ValueError, match="probs='npz' is for images; of videos overl"):
        videos.predict(net, [], tmp_path, looking.Options(probs="npz"))


def run(*arguments):
    argv = ["fcn_jax", "predict", *map(str, arguments)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", argv)
        try:
            __main__.main(argv)
        except SystemExit as ended:
            return ended.code or 0
    return 0


@pytest.fixture
def mixed(tmp_path):
    """A folder of an image and a video of one name, and one that is no video."""
    folders.save(tmp_path / "in/clip.png", clips.picture(10))
    clips.write(tmp_path / "in/clip.mp4", count=3)
    return tmp_path / "in"


def test_the_command(net, mixed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(prediction.photos, "pixels", lambda _: 1)
    monkeypatch.setattr("fcn_jax.runs.trained.load", lambda *_, **__: net)
    out = tmp_path / "out"
    assert run("run", mixed, f"--out={out}", "--json", "--frames") == 0
    told = capsys.readouterr()
    numbers = [json.loads(n).get("frame") for n in told.out.splitlines()]
    assert numbers == [None, 0, 1, 2]
    assert "4 images in" in told.err
    assert {"labels/clip.png.png", "labels/clip.mp4/000002.png"} <= set(names(out))
    (mixed / "bad.mp4").write_bytes(b"")
    assert run("run", mixed, f"--out={out}", "--frames") == 1
    told = capsys.readouterr().err
    assert "0 images in" in told
    assert "2 were there already; 1 passed over" in told
    assert run("run", mixed / "clip.mp4", f"--out={out}", "--overwrite") == 0
    assert names(out) == ["overlays/clip.mp4", "predict.json", "predictions.jsonl"]


def test_without_pyav_one_line_says_what_to_install(mixed, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    message = run("run", mixed, f"--out={tmp_path / 'out'}")
    assert "videos need PyAV: pip install av (the extra [video])" in str(message)
    assert not Path(tmp_path / "out").exists()
    message = run("run", mixed, f"--out={tmp_path / 'out'}", "--every=0")
    assert "--every=0 is not positive" in str(message)


def test_labels_of_frames_never_take_the_place_of_those_of_images(
    predict, net, tmp_path
):
    clip = clips.write(tmp_path / "in/clip.mp4", count=2)
    (tmp_path / "in/clip").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "in/clip/1.png")
    listed = photos.listed([str(tmp_path / "in")], io.BytesIO())
    prediction.predict(net, listed, tmp_path / "out")
    with pytest.raises(ValueError, match="take the place of labels/clip, where .* of "):
        predict(clip, labels=True)
    assert (tmp_path / "out/labels/clip/1.png").exists()
    assert predict(clip).done == 2  # Without them there is room for both.


def test_labels_of_frames_never_take_the_place_of_those_of_videos(predict, tmp_path):
    for name in ("a.mp4", "a/b.mp4"):
        clips.write(tmp_path / "in" / name, count=2)
    with pytest.raises(
        ValueError, match="take the place of labels/a, where .* a/b are"
    ):
        predict(tmp_path / "in", labels=True)
    assert not (tmp_path / "out").exists()
