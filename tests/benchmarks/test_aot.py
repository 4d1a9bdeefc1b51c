"""benchmarks.aot: what it compiles, refuses and prints, with a CPU for the chip."""

import argparse
import json

import jax
import jax.numpy as jnp
import pytest

from benchmarks import candidates
from benchmarks.aot import __main__ as main
from benchmarks.aot import chips, reading

# A net of 32 x 32 images.
TINY = ("--batch", "1", "--size", "32", "32", "--width", "0.03125")


@pytest.fixture
def a_cpu(monkeypatch):
    """CPU devices for those that are not there."""
    monkeypatch.setattr(chips, "check", lambda name, count: None)
    monkeypatch.setattr(chips, "devices", lambda name, count: jax.devices()[:count])


@pytest.fixture
def called(monkeypatch, capsys):
    """Calls the command; the objects that it prints."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["aot", *arguments])
        main.main()
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


@pytest.fixture
def square():
    return jax.jit(lambda x: x @ x).lower(jnp.ones((8, 8)))


class Lowered:
    """A step that keeps what it is compiled with."""

    def __init__(self, lowered):
        self.lowered = lowered
        self.options = []

    def compile(self, options=None):
        self.options.append(options)
        return self.lowered.compile()

    def as_text(self):
        return self.lowered.as_text()


def test_a_step_compiled_and_described(a_cpu, called, tmp_path):
    (found,) = called(
        *("tpu", "--nets", "fcn32s", "--tasks", "inference", *TINY),
        *("--text", str(tmp_path / "texts"), "--convolutions"),
    )
    assert (found["net"], found["task"]) == ("fcn32s", "inference")
    assert (found["batch"], found["size"], found["width"]) == (1, [32, 32], 1 / 32)
    assert found["fits"]
    assert found["tflop"] >= 0
    assert found["lowered_branches"] > found["branches"] == 0
    assert found["all_reduces"] == {"count": 0, "gb": 0, "beside_other_work": 0}
    assert found["largest_writes"]
    assert found["convolutions"] is not None
    (text,) = (tmp_path / "texts").iterdir()
    assert text.name == "tpu_fcn32s_inference_as_is.txt"
    assert "ENTRY" in text.read_text()


def test_candidates_are_compiled_with_their_options(a_cpu, called, square, monkeypatch):
    step = Lowered(square)
    monkeypatch.setattr(candidates, "traced", lambda *arguments: (None, step))
    names = ("as_is", "latency_hiding", "no_autotuning")
    given = ("--nets", "fcn8s", "--tasks", "training", "--candidates", *names)
    found = called("cuda", *given)
    assert [each["candidate"] for each in found] == list(names)
    expected = [dict(candidates.CANDIDATES[name].compiler) for name in names]
    assert [each["options"] for each in found] == expected
    assert step.options == [None, *expected[1:]]
    assert all(expected[1:])


def test_the_compilers_effort_is_one_of_its_options(a_cpu, called, square, monkeypatch):
    step = Lowered(square)
    monkeypatch.setattr(candidates, "traced", lambda *arguments: (None, step))
    given = ("--nets", "fcn8s", "--tasks", "training", "--effort", "-1")
    (found,) = called("cuda", *given, "--candidates", "deterministic")
    assert step.options == [found["options"]]
    assert found["options"] == {
        "xla_gpu_deterministic_ops": True,
        "exec_time_optimization_effort": -1,
    }


def test_nets_that_cannot_be_computed_so_are_left_out(
    a_cpu, called, square, monkeypatch
):
    monkeypatch.setattr(candidates, "traced", lambda *_: (None, Lowered(square)))
    found = called("cuda", "--tasks", "training", "--candidates", "full_margin")
    assert [each["net"] for each in found] == ["fcn8s"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("cuda", "--devices", "4"),
            "--devices=4: an H100 is compiled for alone, --devices=1; steps of 4, 256 "
            "chips are compiled for tpu",
        ),
        (
            ("tpu", "--devices", "8"),
            "--devices=8: v5e is compiled for with one of 1, 4, 256",
        ),
        (
            ("cuda", "--nets", "deconvnet", "--candidates", "full_margin"),
            "full_margin: deconvnet cannot be computed so; fcn8s can: name one in",
        ),
        (
            ("tpu", "--effort", "-1.5"),
            "--effort -1.5: give a number from -1 to 1",
        ),
        (
            ("tpu", "--candidates", "latency_hiding"),
            "xla_gpu_enable_latency_hiding_scheduler is an option of XLA for GPUs "
            "alone; compile for cuda, or leave latency_hiding out",
        ),
    ],
)
def test_what_cannot_be_compiled_is_said(
    arguments, message, called, capsys, monkeypatch
):
    monkeypatch.setattr(chips, "_COMPILERS", {"cuda": "jax", "tpu": "jax"})
    with pytest.raises(SystemExit, match="2"):
        called(*arguments)
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("cuda", 4, "--devices=4: an H100 is compiled for alone, --devices=1; .* tpu"),
        ("tpu", 2, "--devices=2: v5e is compiled for with one of 1, 4, 256"),
    ],
)
def test_chips_there_are_not_so_many_of(name, count, message):
    with pytest.raises(ValueError, match=message):
        chips.devices(name, count)


def test_a_compiler_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(chips, "_COMPILERS", {"tpu": "no_such_compiler"})
    with pytest.raises(
        ModuleNotFoundError,
        match="no_such_compiler is not installed, by which tpu is .* make aot makes",
    ):
        chips.devices("tpu", 1)


def test_a_missing_compiler_ends_the_command(monkeypatch):
    monkeypatch.setattr(chips, "_COMPILERS", {"tpu": "no_such_compiler"})
    given = argparse.Namespace(chip="tpu", devices=1)
    assert "no_such_compiler is not installed" in main.refusal(given)


class Analysed:
    """A compiled step of which the sizes are known."""

    def __init__(self, cost):
        self.cost = cost

    def memory_analysis(self):
        return argparse.Namespace(
            argument_size_in_bytes=4 << 30,
            output_size_in_bytes=3 << 30,
            alias_size_in_bytes=2 << 30,
            temp_size_in_bytes=8 << 30,
            generated_code_size_in_bytes=1 << 30,
        )

    def cost_analysis(self):
        return self.cost


@pytest.mark.parametrize(("gigabytes", "fits"), [(14, True), (13.9, False)])
def test_outputs_that_take_the_place_of_arguments_count_once(gigabytes, fits):
    chip = chips.Chip("tpu", 1, 1, gigabytes * 2**30)
    found = reading.memory_of(Analysed(None), chip)
    assert found == {
        "memory_gib": {
            "arguments": 4,
            "outputs": 1,
            "temporaries": 8,
            "code": 1,
            "total": 14,
        },
        "fits": fits,
    }


@pytest.mark.parametrize(
    ("cost", "flops"),
    [({"flops": 6.0}, 6), ([{"flops": 6.0}], 6), ({}, 0), (None, 0)],
)
def test_the_compilers_own_count_of_flops(cost, flops):
    assert reading.flops_of(Analysed(cost)) == flops


CONVOLUTION = """
ENTRY %main (x: bf16[8,4,4,3], k: bf16[64,3,3,3]) -> bf16[8,4,4,64] {
  %x = bf16[8,4,4,3]{3,2,1,0} parameter(0)
  %k = bf16[64,3,3,3]{3,2,1,0} parameter(1)
  ROOT %conv = bf16[8,4,4,64]{3,2,1,0:T(8,128)} custom-call(%x, %k), \
window={size=3x3}, custom_call_target="__cudnn$convForward", \
metadata={op_name="jit(f)/conv1_1/conv_general_dilated"}
}
"""


@pytest.mark.parametrize("flops", [0, 1e6])
def test_the_least_time_by_the_data_sheet(flops):
    chip = chips.Chip("cuda", flops=1e9, bandwidth=1e6, memory=1)
    found = reading.read(CONVOLUTION, flops, chip)
    written, counted = 8 * 4 * 4 * 64 * 2, 2 * 8 * 4 * 4 * 64 * 27
    assert found["least_ms"] == {
        "by_flops": round((flops or counted) / 1e6, 2),
        "by_writes": round(written / 1e3, 2),
        "by_bytes": round((written + 8 * 4 * 4 * 3 * 2 + 64 * 27 * 2) / 1e3, 2),
    }
    assert (found["num_convolutions"], found["largest_window"]) == (1, 3)
    kernel = "bf16[8, 4, 4, 64]{3,2,1,0:T(8,128)}"
    assert found["convolutions"] == [["conv1_1", "convForward", "3x3", kernel, 1]]
    assert found["largest_writes"] == [["conv1_1", "conv", [kernel], written]]
