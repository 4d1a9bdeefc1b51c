"""Proposals on disk: hits, misses, damage, and the command that fills a directory."""

import inspect
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fcn_jax import __main__, proposals
from fcn_jax.proposals import cache as proposal_cache
from fcn_jax.proposals import opencv
from fcn_jax.proposals.cache import ProposalCache
from fcn_jax.proposals.segment_cache import SegmentCache
from tests.support.ended import Ended
from tests.support.paths import ROOT
from tests.support.patience import SECONDS
from tests.support.runs import make_folder

WINDOWS = {"method": "sliding_windows", "num": 9}


def picture(seed=0, size=(40, 50)):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.fixture
def computed(monkeypatch):
    """The sizes of the images that proposals were computed for."""
    sizes, compute = [], proposals.propose

    def counted(image, *args, **kwargs):
        sizes.append(image.shape[:2])
        return compute(image, *args, **kwargs)

    monkeypatch.setattr(proposals, "propose", counted)
    # Defaults are read off the function.
    counted.__signature__ = inspect.signature(compute)
    return sizes


def test_the_second_time_is_a_hit(tmp_path, computed):
    cache = ProposalCache(tmp_path, **WINDOWS)
    first = cache(picture(), "a")
    again = ProposalCache(tmp_path, **WINDOWS)(picture(), "a")
    assert computed == [(40, 50)]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    expected, _ = proposals.propose(picture(), "sliding_windows", num=9)
    np.testing.assert_array_equal(first[0], expected)
    np.testing.assert_array_equal(
        cache.boxes_of({"image": picture(), "id": "a"}), expected
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"num": 8},
        {"min_side": 17},
        {"seed": 1},
        {"stride": 0.3},
        {"aspects": (1.0,)},
    ],
)
def test_another_parameter_is_a_miss(tmp_path, computed, changed):
    ProposalCache(tmp_path, **WINDOWS)(picture(), "a")
    ProposalCache(tmp_path, **{**WINDOWS, **changed})(picture(), "a")
    assert len(computed) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_another_image_or_id_is_a_miss(tmp_path, computed):
    cache = ProposalCache(tmp_path, **WINDOWS)
    cache(picture(), "a")
    cache(picture(seed=1), "a")
    cache(picture(), "b")
    assert len(computed) == 3


def test_a_default_that_is_spelt_out_is_a_hit(tmp_path, computed):
    ProposalCache(tmp_path, **WINDOWS)(picture(), "a")
    ProposalCache(tmp_path, **WINDOWS, seed=0, blur=2.0)(picture(), "a")
    assert len(computed) == 1


def test_methods_differ(tmp_path):
    keys = {ProposalCache(tmp_path, method).key for method in proposals.METHODS}
    assert len(keys) == len(proposals.METHODS)


def test_files_are_written_whole_and_named_after_the_image(tmp_path, monkeypatch):
    cache = ProposalCache(tmp_path / "new", **WINDOWS)
    cache(picture(), "a/b c")
    (path,) = (tmp_path / "new").iterdir()
    assert path.name.startswith("a_b_c-")
    assert path.suffix == ".npz"

    def fail(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="no space left"):
        cache(picture(seed=1), "b")
    assert list((tmp_path / "new").iterdir()) == [path]


@pytest.mark.parametrize("content", (b"", b"PK\x03\x04 cut", b"no archive"))
def test_a_damaged_file_is_made_anew(tmp_path, computed, caplog, content):
    cache = ProposalCache(tmp_path, **WINDOWS)
    first = cache(picture(), "a")
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    again = cache(picture(), "a")
    np.testing.assert_array_equal(first[0], again[0])
    assert len(computed) == 2
    assert "cannot be read" in caplog.text
    assert "made anew" in caplog.text
    cache(picture(), "a")
    assert len(computed) == 2


def test_a_cut_file_is_made_anew(tmp_path, computed):
    cache = ProposalCache(tmp_path, **WINDOWS)
    cache(picture(), "a")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-40])
    cache(picture(), "a")
    assert len(computed) == 2


def test_an_error_names_the_image(tmp_path):
    cache = ProposalCache(tmp_path, **WINDOWS)
    with pytest.raises(ValueError, match="im7: proposals: the image is 9x50"):
        cache(picture(size=(9, 50)), "im7")
    assert not list(tmp_path.iterdir())


def test_unknown_methods_and_parameters_are_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="method 'edges' is not known; there are"):
        ProposalCache(tmp_path, "edges")
    with pytest.raises(ValueError, match="sliding_windows has no option 'alpha'; it"):
        ProposalCache(tmp_path, "sliding_windows", alpha=0.5)
    ProposalCache(tmp_path, "edge_boxes", alpha=0.5)


class Pictures:
    """A source of what `precompute` needs."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"image": picture(index), "id": f"im{index}"}


def test_precompute_fills_the_cache(tmp_path, computed):
    cache = ProposalCache(tmp_path, **WINDOWS)
    assert list(proposal_cache.precompute(Pictures(), cache, workers=1)) == [9] * 5
    assert len(computed) == 5
    cache(picture(3), "im3")
    assert len(computed) == 5


def test_a_cache_can_be_sent_to_a_process(tmp_path):
    cache = pickle.loads(pickle.dumps(ProposalCache(tmp_path, **WINDOWS)))
    assert len(cache(picture(), "a")[0]) == 9


def test_precompute_without_opencv(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    cache = ProposalCache(tmp_path, "edge_boxes")
    with pytest.raises(ImportError, match=r"\(the extra \[proposals\]\)"):
        next(proposal_cache.precompute(Pictures(), cache))
    masks = SegmentCache(directory=tmp_path)
    with pytest.raises(ImportError, match=r"candidate masks need .*the method mcg"):
        next(proposal_cache.precompute(Pictures(), masks))


def test_a_process_that_is_ended_is_one_message(tmp_path):
    """An OSError, which a command prints in one line and answers with 1."""
    cache = ProposalCache(tmp_path, **WINDOWS)
    message = (
        r"one of the 2 processes that compute proposals was ended from outside, .*; "
        rf"what is done is kept in {tmp_path}: run the same command again, with fewer"
    )
    with pytest.raises(OSError, match=message):
        list(proposal_cache.precompute(Ended(), cache, workers=2))


def command(*arguments, path=""):
    path = os.pathsep.join(filter(None, (str(path), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", "fcn_jax", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": path},
        timeout=SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


def ended(*arguments):
    """What the command ends with in this process: a text has the status 1."""
    with pytest.raises(SystemExit) as end:
        __main__.main(["fcn_jax", *arguments])
    return end.value.code


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
def test_the_command_fills_a_directory_and_then_finds_it_full(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    folder = make_folder(tmp_path / "data")
    arguments = (
        "proposals",
        "--config=configs/camvid_fcn8s.py",
        f"--config.data.root={folder}",
        "--config.model.num_classes=3",
        "--config.data.objects.num_proposals=7",
        f"--out={tmp_path / 'out'}",
        "--method=sliding_windows",
        "--workers=2",
    )
    code, out, err = command(*arguments)
    assert (code, out.splitlines()) == (
        0,
        [
            "folder train: 4 images, 3 classes, masks stored as grey",
            f"28 proposals (sliding_windows) of 4 images are in {tmp_path / 'out'}; "
            f"train with --config.data.objects.cache_dir={tmp_path / 'out'} "
            f"--config.data.objects.proposal_method=sliding_windows",
        ],
    ), err
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert len(files) == 4
    assert ended(*arguments) in (None, 0)
    assert files == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), r"^usage: fcn_jax COMMAND (.*\n)*  proposals +compute object proposals"),
        (("propsals",), "'propsals' is not known; did you mean 'proposals'. usage"),
        (
            ("proposals", "--config=configs/shapes_fcn8s.py"),
            "^fcn_jax proposals: --out is missing; usage: fcn_jax proposals "
            "--config=NAME --out=DIR",
        ),
        (
            (
                "proposals",
                "--config=configs/shapes_fcn8s.py",
                "--out=unused",
                "--workers=0",
            ),
            "^error: --workers=0 is not positive",
        ),
    ],
)
def test_mistakes_are_one_message(arguments, message, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    said = ended(*arguments)
    assert re.search(message, said, re.MULTILINE), said
    assert capsys.readouterr() == ("", "")


@pytest.mark.long
def test_the_command_without_opencv(tmp_path):
    (tmp_path / "cv2.py").write_text("raise ImportError('blocked')")
    folder = make_folder(tmp_path / "data")
    code, _, err = command(
        "proposals",
        "--config=configs/camvid_fcn8s.py",
        f"--config.data.root={folder}",
        "--config.model.num_classes=3",
        f"--out={tmp_path / 'out'}",
        path=tmp_path,
    )
    assert code == 1
    assert re.search(
        r"^error: .*\(blocked\); pip install .* \(the extra \[proposals\]\)", err, re.M
    )
    assert "Traceback" not in err


def test_another_version_of_opencv_is_a_miss(tmp_path, monkeypatch):
    keys = set()
    for version in ("4.13.0", "5.0.0", ""):
        monkeypatch.setattr(opencv, "version", lambda version=version: version)
        keys.add(ProposalCache(tmp_path, "edge_boxes").key)
        keys.add(ProposalCache(tmp_path, **WINDOWS).key)
    assert len(keys) == 4  # Sliding windows do without OpenCV.


WORKERS = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from fcn_jax.proposals import cache


class Slow:
    def __len__(self):
        return 2

    def __getitem__(self, index):
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        Path(sys.argv[1], f"{os.getpid()}-{ignored}").touch()
        time.sleep(3600)


if __name__ == "__main__":
    kept = cache.ProposalCache(sys.argv[2], "sliding_windows", num=9)
    list(cache.precompute(Slow(), kept, workers=2))
"""


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")  # The dead are there until somebody asks.
    return not (status.exists() and status.read_text().split()[2] == "Z")


def wait_until(holds):
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_workers_end_with_their_parent(tmp_path):
    """Killed, it cannot tell them; Ctrl-C is its own to answer."""
    seen, script = tmp_path / "seen", tmp_path / "script.py"
    seen.mkdir()
    script.write_text(WORKERS)
    process = subprocess.Popen(
        [sys.executable, str(script), str(seen), str(tmp_path / "kept")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        wait_until(lambda: len(list(seen.iterdir())) == 1)  # Four images a turn.
    finally:
        process.kill()
        process.wait()
    pid, ignored = next(seen.iterdir()).name.split("-")
    assert ignored == "True"
    wait_until(lambda: not is_there(int(pid)))
