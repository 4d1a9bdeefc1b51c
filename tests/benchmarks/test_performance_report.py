"""The page of measurements, from canned ones, and the timing behind it."""

import functools
import time

import pytest

from benchmarks import speed
from benchmarks.common import timing
from benchmarks.reports import performance_report

MADE_WITH = {
    "jax": "1",
    "torch": "2",
    "commit": "abc",
    "devices": ["cpu"],
    "cpu": "a cpu",
    "cores": 2,
    "load_average": 1.0,
}


def networks(ours, pytorch, unmeasured=None):
    return MADE_WITH | {
        "seconds": {"ours": ours, "pytorch": pytorch},
        "ratio": {"pytorch": ours / pytorch},
        "unmeasured": unmeasured or {},
    }


def test_times_as_fast_and_goals():
    measured = {
        "fcn8s_inference": networks(1.0, 0.5),
        "fcn8s_training": networks(1.0, 0.9, {"pytorch_compiled": "no compiler"}),
    }
    page = performance_report.render({"cpu": measured})
    assert "| FCN-8s, inference | eager | 1 s | 500 ms | 0.50 | 1, **missed** |" in page
    assert "| FCN-8s, training step | eager | 1 s | 900 ms | 0.90 | 0.8, met |" in page
    assert "| FCN-8s, training step, torch.compile | unmeasured: no compiler |" in page
    assert "| DeconvNet, inference | unmeasured: not run |" in page
    assert "Other work" not in page


def test_pooling_is_the_sum_of_its_maps():
    stages = [
        {"shape": [1], "ours_ms": 1.0, "copy_ms": 1.0, "pytorch_contiguous_ms": 6.0},
        {"shape": [1], "ours_ms": 3.0, "copy_ms": 1.0, "pytorch_contiguous_ms": 2.0},
    ]
    sides = performance_report.comparison({"stages": stages})
    assert sides["ours"] == (pytest.approx(0.004), None)
    assert sides["pytorch_contiguous"] == (pytest.approx(0.008), pytest.approx(2))
    page = performance_report.render(
        {"cpu": {"pooling": MADE_WITH | {"stages": stages}}}
    )
    assert "4 ms against 2 ms: 2.0 copies (goal 3, met)" in page


def test_proposals_are_those_of_the_largest_number():
    timed = networks(2.0, 3.0) | {"peak_mib_of": {"ours": 70, "pytorch": 60}}
    report = MADE_WITH | {"inference": {"10": networks(1.0, 9.0), "50": timed}}
    page = performance_report.render({"cpu": {"proposals": report}})
    assert "proposals of a 375x500 image | eager | 2 s | 3 s | 1.50 |" in page
    assert "DeconvNet on proposals | ours 70 MiB, pytorch 60 MiB |" in page


def test_what_nobody_measured_is_called_so():
    page = performance_report.render({"cpu": {}, "gpu": {}})
    assert page.count("Unmeasured: no run on one yet.") == 2
    assert "Unmeasured: not run." in page
    busy = {"fcn8s_inference": networks(1.0, 1.0) | {"load_average": 9.0}}
    page = performance_report.render({"cpu": busy})
    assert "load average up to 9.0" in page


def test_a_plot_is_written(tmp_path):
    path = tmp_path / "speed.png"
    performance_report.plot({"cpu": {"fcn8s_inference": networks(1.0, 0.5)}}, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_side_that_fails_is_recorded_unless_it_is_ours():
    calls = []

    def make():
        return lambda: calls.append(1)

    def broken():
        raise RuntimeError("no compiler\nand more")

    report = timing.in_turns({"ours": make, "pytorch": broken}, 3, warm_up=2)
    assert len(calls) == 5
    assert report["unmeasured"] == {"pytorch": "RuntimeError: no compiler"}
    assert list(report["seconds"]) == ["ours"]
    with pytest.raises(RuntimeError, match="no compiler"):
        timing.in_turns({"ours": broken}, 1)


def test_sides_are_timed_apart():
    sleep = functools.partial(functools.partial, time.sleep)  # The call that it makes.
    makers = {
        "ours": functools.partial(sleep, 0.05),
        "pytorch": functools.partial(sleep, 0.01),
        "broken": functools.partial(int, "no number"),
    }
    report = timing.in_turns(makers, 3, apart=True)
    assert 1 < report["ratio"]["pytorch"] < 6
    assert len(report["rounds"]) == 3
    assert report["peak_mib_of"].keys() == {"ours", "pytorch"}
    assert min(report["peak_mib_of"].values()) > 1
    assert "ValueError: invalid literal" in report["unmeasured"]["broken"]
    with pytest.raises(timing._FailedApart, match="ValueError: invalid literal"):
        timing.in_turns({"ours": makers["broken"]}, 1, apart=True)


def test_the_products_of_a_layer_and_those_in_a_loop():
    rates = {"output": 100.0, "kernel_xla": 30.0, "kernel_ours": 90.0}
    measured = MADE_WITH | {
        "layers": [{"layer": [320, 3, 64], "gflop_rate": rates}],
        "in_loop": {
            "layer": [40, 64, 64],
            "gflop_rate": {"xla": 1.0, "ours": 55.0},
        },
    }
    page = performance_report.render({"cpu": {"convolutions": measured}})
    line = "| 320x320, 3 to 64 | 100 | unmeasured | unmeasured | unmeasured | 30 | 90 |"
    assert line in page
    assert "40x40, 64 to 64, output and both gradients: 1.0 left to XLA, 55 as" in page


def test_sides_of_a_gpu_are_measured_apart_and_joined():
    def alone(side, seconds, peak):
        return MADE_WITH | {
            "seconds": {side: seconds},
            "prepared_s": {side: 10 * seconds},
            "device_peak_mib": peak,
            "ratio": {},
            "unmeasured": {},
        }

    found = {
        "ours": alone("ours", 1.0, 100),
        "pytorch": alone("pytorch", 2.0, 300),
        "pytorch_compiled": {"unmeasured": "stopped after 100 s"},
    }
    report = speed.joined(found)
    assert report["ratio"] == {"pytorch": 0.5}
    page = performance_report.render({"gpu": {"fcn8s_training": report}})
    assert "| FCN-8s, training step | eager | 1 s | 2 s | 2.00 |" in page
    assert "torch.compile | unmeasured: stopped after 100 s |" in page
    assert "peak memory of the device | ours 100 MiB, eager 300 MiB |" in page
    assert "compilation and all | ours 10.0 s, eager 20.0 s |" in page


def test_without_our_side_there_is_no_ratio():
    nothing = {"unmeasured": "stopped after 100 s"}
    report = speed.joined(dict.fromkeys(speed.SIDES, nothing))
    assert report["unmeasured"] == "ours: stopped after 100 s"
    page = performance_report.render({"gpu": {"fcn8s_training": report}})
    assert "| FCN-8s, training step | unmeasured: ours: stopped after 100 s |" in page


def test_what_was_measured_is_not_lost_to_what_was_not(capsys):
    found = {"crf": {"total": 1}}
    speed.keep(found, "crf", {"unmeasured": "no time was left for it"})
    assert found == {"crf": {"total": 1}}
    assert capsys.readouterr().err == "crf: unmeasured: no time was left for it\n"
    speed.keep(found, "pooling", {"unmeasured": "stopped"})
    speed.keep(found, "pooling", {"stages": []})
    assert found["pooling"] == {"stages": []}


def test_ways_and_operations_have_tables_of_their_own():
    tried = MADE_WITH | {
        "candidates": {
            "as_is": {"ms": 30.0, "ratio": 1.0, "compile_s": 9.0},
            "rbg": {"unmeasured": "no time"},
        }
    }
    operation = {"ms": 1.5, "share": 0.25, "layer": "conv1_1", "name": "fusion.3"}
    profiled = MADE_WITH | {
        "step_ms": 6.0,
        "unaccounted_ms": 0.5,
        "operations": [operation],
    }
    measured = {"candidates_fcn8s": tried, "operations_fcn8s": profiled}
    page = performance_report.render({"gpu": measured})
    assert "| as_is | 30.00 ms | 1.0 | 9.0 s |" in page
    assert "| rbg | no time |" in page
    assert "| 1.500 ms | 25.0 % | conv1_1 | fusion.3 |" in page
