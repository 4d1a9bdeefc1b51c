"""python -m benchmarks.aot, for an H100 that is not there, from start to end."""

import importlib.util
import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.aot
if importlib.util.find_spec("jax_cuda13_plugin") is None:
    pytest.skip("needs the CUDA plugin (make aot)", allow_module_level=True)

# A small net of small images.
TINY = ("--batch", "1", "--size", "64", "64", "--width", "0.125")
WAYS = ("as_is", "deterministic")


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return tmp_path_factory.mktemp("texts")


@pytest.fixture(scope="module")
def ended(texts):
    command = (sys.executable, "-m", "benchmarks.aot", "cuda", "--nets", "fcn32s")
    return subprocess.run(
        (
            *(*command, "--tasks", "training", *TINY, "--candidates", *WAYS),
            *("--text", str(texts), "--convolutions"),
        ),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def printed(ended):
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_each_way_is_compiled_by_its_options(printed):
    assert [each["candidate"] for each in printed] == list(WAYS)
    assert [each["options"] for each in printed] == [
        {},
        {"xla_gpu_deterministic_ops": True},
    ]
    assert {each["device"] for each in printed} == {"1 x NVIDIA H100 80GB HBM3"}


def test_what_is_printed_of_a_step(printed, texts):
    found, _ = printed
    assert (found["net"], found["task"]) == ("fcn32s", "training")
    assert found["width"] == 1 / 8
    assert (found["batch"], found["size"]) == (1, [64, 64])
    assert found["fits"]
    assert found["memory_gib"]["total"] > found["memory_gib"]["temporaries"] > 0
    assert found["compile_cpu_s"] > 0
    assert 3 <= found["largest_window"] <= 7
    counted = [count for *_, count in found["convolutions"]]
    assert sum(counted) == found["num_convolutions"] >= found["distinct_convolutions"]
    assert found["collectives"] == {}
    assert found["fusions"]["count"] > found["fusions"]["distinct"] > 0
    assert found["lowered_branches"] > found["branches"] == 0
    named = sorted(each.name for each in texts.iterdir())
    assert named == [f"cuda_fcn32s_training_{way}.txt" for way in WAYS]


def test_nothing_else_is_said(ended):
    assert "Traceback" not in ended.stderr
    assert "ERROR" not in ended.stderr
