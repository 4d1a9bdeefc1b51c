"""Videos read and written frame by frame."""

import sys
import types
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fcn_jax.data import videos
from tests.support import clips

av = pytest.importorskip("av", reason="needs PyAV, of the extra [video]")


def read(path, every=1):
    with videos.Video(path) as video:
        return list(video.frames(every))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.MKV", "libx264"), ("a.webm", "libvpx-vp9")],
)
def test_frames_in_turn(tmp_path, name, codec):
    path = clips.write(tmp_path / name, codec=codec)
    assert videos.is_video(path)
    frames = read(path)
    assert [frame.number for frame in frames] == list(range(10))
    for frame, level in zip(frames, clips.levels(10), strict=True):
        expected = clips.picture(level)
        assert np.abs(frame.image.astype(int) - expected).mean() < 3  # Compressed.


def test_one_frame_in_some(tmp_path):
    path = clips.write(tmp_path / "a.mp4")
    with videos.Video(path) as video:
        assert (video.rate, video.about) == (10, 10)
        frames = list(video.frames(4))
        seconds = [float(frame.time * video.time_base) for frame in frames]
    assert [frame.number for frame in frames] == [0, 4, 8]
    np.testing.assert_allclose(seconds, [0, 0.4, 0.8])


def test_it_is_turned_as_it_is_seen(tmp_path):
    path = clips.turn(clips.write(tmp_path / "a.mp4", count=2))
    (image, _) = (frame.image for frame in read(path))
    expected = np.rot90(clips.picture(10), -1)  # Clockwise.
    assert image.shape == expected.shape == (64, 48, 3)
    assert np.abs(image.astype(int) - expected).mean() < 3


@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", {"movflags": "faststart"}), ("a.mkv", {})]
)
def test_what_is_cut_off_is_read_as_far_as_it_goes(tmp_path, name, options):
    path = clips.cut(clips.write(tmp_path / name, count=40, noise=True, **options), 0.6)
    found = []
    with (
        videos.Video(path) as video,
        pytest.raises(
            videos.BrokenVideo, match=r"a\.\w+ breaks off after (\d+) frames"
        ),
    ):
        found.extend(frame.number for frame in video.frames())
    assert 0 < len(found) < 40


@pytest.mark.parametrize("content", (b"", b"no video"))
def test_what_is_no_video(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(
        videos.BrokenVideo, match="a.mp4 cannot be read as a video .Inv"
    ):
        videos.Video(tmp_path / "a.mp4")
    with pytest.raises(FileNotFoundError, match="b.mp4 does not exist"):
        videos.Video(tmp_path / "b.mp4")


def test_what_is_damaged_in_the_middle(tmp_path):
    path = clips.write(tmp_path / "a.avi", 40, codec="mpeg4", noise=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    with pytest.raises(
        videos.BrokenVideo, match=r"after \d+ frames .the next is damaged"
    ):
        read(path)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((), r"a.mp4 breaks off after 0 frames \(there is none\); copy it anew"),
        (((8, 16), (16, 16)), r"after 1 frames \(the next has another size\)"),
    ],
)
def test_frames_that_no_video_has(tmp_path, sizes, message):
    def decode(stream):
        for size in sizes:
            yield av.VideoFrame.from_ndarray(clips.picture(9, size), format="rgb24")

    with videos.Video(clips.write(tmp_path / "a.mp4", count=1)) as video:
        held = video._container  # That is to be closed.
        video._container = types.SimpleNamespace(decode=decode, close=held.close)
        with pytest.raises(videos.BrokenVideo, match=message):
            list(video.frames())


def test_sound_alone(tmp_path):
    container = av.open(str(tmp_path / "a.mkv"), "w")
    stream = container.add_stream("pcm_s16le", rate=8000)
    silence = np.zeros((1, 800), np.int16)
    frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
    frame.sample_rate = 8000
    container.mux(stream.encode(frame))
    container.close()
    with pytest.raises(
        videos.BrokenVideo, match="a.mkv holds no pictures; take it out"
    ):
        videos.Video(tmp_path / "a.mkv")


@pytest.mark.parametrize("size", (clips.SIZE, (47, 63)))
def test_what_is_written_is_read_again(tmp_path, size):
    """Sizes, odd ones too, and times: frames may be missing between them."""
    path, rate = tmp_path / "new/x.part", Fraction(30000, 1001)
    writer = videos.Writer(path, rate, 1 / rate)
    times = (0, 1, 2, 5, 6)
    for time in times:
        writer.add(clips.picture(10 * time, size), time)
    writer.close()
    with videos.Video(path) as video:
        frames = list(video.frames())
        found = [round(f.time * video.time_base * rate) for f in frames]
    assert found == list(times)
    assert [f.image.shape[:2] for f in frames] == [size] * 5
    wrong = np.abs(frames[3].image.astype(int) - clips.picture(50, size))
    assert wrong.mean() < 3


def test_without_pyav(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        ImportError, match=r"PyAV: pip install av \(the extra \[video\]"
    ):
        videos.Video(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", ("12:30.mp4", "http:a.mp4"))
def test_names_that_ffmpeg_would_take_for_addresses(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    clips.write(tmp_path / "a.mp4", count=2).rename(path)
    assert len(read(path)) == 2
    path.unlink()
    writer = videos.Writer(path, Fraction(10), Fraction(1, 10))
    writer.add(clips.picture(10), 0)
    writer.close()
    assert len(read(path)) == 1


def test_titles_that_are_no_utf8(tmp_path):
    path = tmp_path / "a.mkv"
    clips.write(path, count=2, metadata={"title": "Caf_XYZ"})
    content = path.read_bytes()
    assert b"Caf_XYZ" in content
    path.write_bytes(content.replace(b"Caf_XYZ", b"Caf\xe9XYZ"))
    assert len(read(path)) == 2


def test_lists_of_other_files_are_no_videos(tmp_path):
    clips.write(tmp_path / "other.mp4", count=2)
    (tmp_path / "a.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(videos.BrokenVideo, match="a.mp4 cannot be read as a video"):
        videos.Video(tmp_path / "a.mp4")
