"""Every measurement runs, at tiny sizes, and prints JSON that names the machine."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

TINY = (
    "candidates",
    "convolutions",
    "crf",
    "deconvnet",
    "definition",
    "dense_scores",
    "determinism",
    "device_parity",
    "eval_memory",
    "fuzz_weights",
    "hosts",
    "input_pipeline",
    "input_rates",
    "kill_and_resume",
    "losses",
    "hypercolumn",
    "feature_masking",
    "mixed_sizes",
    "networks",
    "operations",
    "onnx_files",
    "overfit",
    "pooling",
    "predict_memory",
    "predict_speed",
    "pami_extras",
    "roofline.rates",
    "roofline.stages",
    "sampling",
    "startup",
    "tuning",
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", TINY)
def test_it_prints_json(name):
    answer = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--smoke"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(answer.stdout)
    assert report["jax"]
    assert report["devices"]
    assert report["cores"] > 0


def test_heads_are_compared_from_the_trunk_that_is_there(tmp_path):
    """Narrow nets, from random weights: what is measured of each form, and a table."""
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.heads", f"--out={tmp_path}", "--smoke"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(answer.stdout)
    assert report["missing"] == []
    assert all(row["seconds_per_step"] > 0 for row in report["rows"].values())
    assert (tmp_path / "heads.md").read_text().count("\n") == 2 + len(report["rows"])


def test_weak_labels_are_compared_and_what_is_done_stays(tmp_path):
    command = [sys.executable, "-m", "benchmarks.wssl", f"--out={tmp_path}", "--smoke"]
    for rows in ("rect,em_adapt", "rect,em_adapt"):
        answer = subprocess.run(
            [*command, f"--rows={rows}"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        lines = answer.stdout.splitlines()
        assert len(lines) == 4
        assert lines[2].startswith("| boxes | Bbox-Rect | 0.")
        assert lines[3].startswith("| classes | EM-Adapt | 0.")
    assert "$" not in answer.stderr  # Nothing is trained twice.
    report = json.loads((tmp_path / "wssl.json").read_text())
    assert 0.5 < report["rows"]["rect"]["labels"] < 1
    assert report["jax"]


def test_boxsup_stands_beside_rectangles_and_masks(tmp_path):
    command = [sys.executable, "-m", "benchmarks.boxsup", f"--out={tmp_path}"]
    answer = subprocess.run(
        [*command, "--smoke", "--rows=rectangles,boxsup,masks"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.count("\n") == 2 + 3
    rows = json.loads((tmp_path / "boxsup.json").read_text())["rows"]
    assert rows["masks"]["labels"] == 1
    assert rows["rectangles"]["labels"] < rows["boxsup"]["labels"] < 1
    assert len(list((tmp_path / "candidates").iterdir())) == 4


def test_ways_of_upsampling_are_compared_and_what_is_done_stays(tmp_path):
    ways = ("bilinear", "transposed, learned")
    command = [sys.executable, "-m", "benchmarks.upsampling", f"--out={tmp_path}"]
    for options in (
        ("--smoke", "--only", *ways),
        ("--smoke", "--table", "--only", *ways),
    ):
        answer = subprocess.run(
            [*command, *options],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        if "--table" not in options:
            rows = json.loads(answer.stdout)["rows"]
    assert list(rows) == list(ways)
    assert all(0 <= row["boundary_iu"] <= 1 for row in rows.values())
    assert answer.stdout.count("\n") == 2 + len(rows)


def test_speed_keeps_what_it_measured_and_writes_the_page(tmp_path):
    def run(*options):
        command = [sys.executable, "-m", "benchmarks.speed", "--out", tmp_path]
        answer = subprocess.run(
            [*command, *options],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(answer.stdout)

    smoke = ("--smoke", "--device", "cpu", "--only")
    first = run(*smoke, "pooling", "fcn8s_training")
    step = first["cpu"]["fcn8s_training"]
    assert step["task"] == "training"
    second = run(*smoke, "convolutions")
    assert second["cpu"]["pooling"] == first["cpu"]["pooling"]
    assert second["cpu"]["convolutions"]["layers"]
    page = (tmp_path / "performance.md").read_text()
    assert "| FCN-8s, training step, peak memory | ours " in page
    assert (tmp_path / "speed.png").exists()
    run("--render")
    assert (tmp_path / "performance.md").read_text() == page


def test_zoom_out_is_set_beside_a_net_without_regions(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.zoomout", f"--out={tmp_path}", "--smoke"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(answer.stdout)
    assert len(report["rows"]) == 3
    assert 0.5 < report["ceilings"][0]["mean_iu"] < 1
    assert (tmp_path / "zoomout.md").read_text().count("\n") == 5
