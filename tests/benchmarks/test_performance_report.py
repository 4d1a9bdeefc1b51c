"""The page of measurements, from canned ones, and the timing behind it."""

import functools
import time

import pytest

from benchmarks.common import rows, timing
from benchmarks.reports import gpu_report, performance_report

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
    line = "| FCN-8s, training step | torch.compile | 1 s | unmeasured: no compiler |"
    assert line in page
    assert "| DeconvNet, inference | unmeasured: not run | | | | 1, unmeasured" in (
        page.replace("  ", " ")
    )
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
    line = "proposals of a 375x500 image | eager | 2 s | 3 s | 1.50 | 1.2, met |"
    assert line in page
    assert "DeconvNet on proposals | ours 70 MiB, pytorch 60 MiB |" in page


def test_what_nobody_measured_is_called_so():
    page = performance_report.render({"cpu": {}, "gpu": {}})
    assert page.count("Unmeasured: no run on one yet.") == 2
    assert "| DeconvNet, 64 of 224x224, training step | <= 42 ms | unmeasured" in page
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


def alone(side, seconds, peak):
    """What a side says that has a process of its own."""
    return MADE_WITH | {
        "seconds": {side: seconds},
        "prepared_s": {side: 10 * seconds},
        "device_peak_mib": peak,
        "ratio": {},
        "unmeasured": {},
    }


STOPPED = {"unmeasured": "stopped after 100 s"}


def test_sides_of_a_gpu_are_measured_apart_and_joined():
    found = {
        "ours": alone("ours", 1.0, 100),
        "pytorch": alone("pytorch", 2.0, 300),
        "pytorch_compiled": STOPPED,
    }
    report = rows.joined(found)
    assert report["ratio"] == {"pytorch": 0.5}
    page = performance_report.render({"gpu": {"fcn8s_training": report}})
    assert "| FCN-8s, training step | eager | 1 s | 2 s | 2.00 |" in page
    line = "| torch.compile | 1 s | unmeasured: stopped after 100 s |  | 1.2, unm"
    assert line in page
    assert "| ours 100 MiB, eager 300 MiB, torch.compile unmeasured |" in page
    assert "had compiled and tuned | ours 10.0 s, eager 20.0 s |" in page


def test_pytorch_has_its_times_where_ours_has_none():
    found = {
        "ours": STOPPED,
        "pytorch": alone("pytorch", 2.0, 300),
        "pytorch_compiled": {"unmeasured": "status 1: no compiler"},
    }
    report = rows.joined(found)
    assert not rows.says_nothing(report)
    assert (report["commit"], report["ratio"]) == ("abc", {})
    page = performance_report.render({"gpu": {"fcn8s_training": report}})
    ours = "unmeasured: stopped after 100 s"
    assert f"| FCN-8s, training step | eager | {ours} | 2 s |  |  |" in page
    assert f"| torch.compile | {ours} | unmeasured: status 1: no compiler |" in page
    assert "cpu (a cpu, 2 cores), jax 1, torch 2, commit abc" in page
    assert f"training step | <= 25 ms | {ours} | unmeasured |" in page


def test_a_side_that_was_left_out_says_whether_it_could_be_there():
    found = {"ours": alone("ours", 1.0, 1), "pytorch": alone("ours", 1.0, 1)}
    assert rows.joined(found)["unmeasured"] == {"pytorch": "left out"}
    found["pytorch"]["torch"] = None
    why = {"pytorch": "PyTorch is not installed"}
    assert rows.joined(found)["unmeasured"] == why


def test_where_no_side_was_measured_there_is_the_first_reason():
    report = rows.joined(dict.fromkeys(("ours", "pytorch"), STOPPED))
    assert report == {"unmeasured": "ours: stopped after 100 s"}
    page = performance_report.render({"gpu": {"fcn8s_training": report}})
    assert "| FCN-8s, training step | unmeasured: ours: stopped after 100 s |" in page


def test_what_was_measured_is_not_lost_to_what_was_not():
    found = {"crf": {"total": 1}}
    told = rows.keep(found, "crf", {"unmeasured": "no time was left for it"})
    assert found == {"crf": {"total": 1}}
    stays = "what was measured before stays"
    assert told == f"unmeasured: no time was left for it; {stays}"
    rows.keep(found, "pooling", {"unmeasured": "stopped"})
    assert rows.keep(found, "pooling", {"stages": []}) == ""
    assert found["pooling"] == {"stages": []}


def test_a_start_that_was_not_come_to_is_told():
    start = {"cold": {"seconds": 90.0}, "warm": {"unmeasured": "no time was left"}}
    found = {}
    told = rows.keep(found, "startup_fcn8s", MADE_WITH | start)
    assert told == "warm unmeasured: no time was left"
    page = performance_report.render({"gpu": found})
    assert "cold 90.0 s, with the compilation cache no time was left |" in page
    warm = "first step, warm | <= 8 s | unmeasured: not told | unmeasured |"
    assert warm not in page
    assert warm.replace("not told", "no time was left") in page


def test_our_side_is_not_lost_to_a_run_without_it():
    found = {"fcn8s_training": networks(1.0, 2.0)}
    without = rows.joined({"ours": STOPPED, "pytorch": alone("pytorch", 3.0, 1)})
    told = rows.keep(found, "fcn8s_training", without)
    assert found["fcn8s_training"]["seconds"]["ours"] == 1.0
    assert told.startswith("ours unmeasured: stopped after 100 s; what was measured")
    rows.keep(found, "deconvnet_training", without)
    assert found["deconvnet_training"]["seconds"] == {"pytorch": 3.0}


def test_candidates_of_two_runs_stand_together_where_both_were_made_alike():
    def run(commit, **ways):
        return MADE_WITH | {"commit": commit, "candidates": ways}

    late = {"unmeasured": "was not come to"}
    first = run("a", as_is={"ms": 2.0}, rbg={"ms": 1.0}, channels_8=late)
    second = run("a", as_is={"ms": 3.0}, rbg=late, channels_8=late)
    found = {}
    rows.keep(found, "candidates_fcn8s", first)
    told = rows.keep(found, "candidates_fcn8s", second)
    kept = found["candidates_fcn8s"]["candidates"]
    assert kept == {"as_is": {"ms": 3.0}, "rbg": {"ms": 1.0}, "channels_8": late}
    assert told.startswith("rbg unmeasured: was not come to")
    rows.keep(found, "candidates_fcn8s", run("b", as_is={"ms": 3.0}, rbg=late))
    assert found["candidates_fcn8s"]["candidates"]["rbg"] == late


def on_a_gpu():
    """Reports from which every goal of a GPU can be told."""
    step = alone("ours", 0.02, 100) | {
        "size": [500, 500],
        "batch": 8,
        "width": 1.0,
        "fc_features": 4096,
    }
    step = rows.joined({"ours": step, "pytorch": alone("pytorch", 0.03, 90)})
    starts = {"cold": {"seconds": 29.0}, "warm": {"seconds": 9.0}}
    return {
        "fcn8s_training": step,
        "deconvnet_training": step | {"size": [224, 224], "batch": 64},
        "rates": MADE_WITH
        | {"flop_rate": 7e14, "bandwidth": 3e12, "side": 8192, "dtype": "bfloat16"},
        "startup_fcn8s": MADE_WITH | starts,
        "startup_deconvnet": MADE_WITH | starts,
        "crf": MADE_WITH
        | {
            "by_bandwidths": {},
            "iterations": 10,
            "batches": {"images": 8, "80/13": 4.5},
        },
        "input_pipeline": MADE_WITH
        | {
            "kinds": {"flip_scale_crop": {"images_per_second": 1200}},
            "limited_by": "decode_jpeg",
        },
        "camvid": MADE_WITH | {"images_per_second": 200.0, "waiting": 0.04, "step": 9},
    }


def test_goals_of_a_gpu():
    page = performance_report.render({"gpu": on_a_gpu()})
    net = "FCN-8s, 8 of 500x500"
    assert f"| {net}, training step | <= 25 ms | 20 ms | met |" in page
    share = f"| {net}, training step, of the rate of a matrix product | >= 45 % | "
    # 8.67 TFLOP, margin included, in 20 ms are 434 of the 700 TFLOP/s.
    assert f"{share}62 % | met |" in page
    memory = "peak memory of the device over PyTorch's least | <= 1 | 1.11 | **missed**"
    assert memory in page
    assert f"| {net}, first step, cold | <= 30 s | 29 s | met |" in page
    assert f"| {net}, first step, warm | <= 8 s | 9 s | **missed** |" in page
    assert "10 iterations | <= 4 ms | 4.5 ms | **missed** |" in page
    assert "crop to 352x480 | >= 1000 images/s | 1.2e+03 images/s | met |" in page
    assert "| waiting for input, FCN-8s on CamVid | <= 5 % | 4 % | met |" in page


def test_a_page_has_every_goal_and_every_row_of_a_gpu():
    """Where nothing was measured, what there is to measure is still named."""
    page = performance_report.render({"gpu": {"crf": STOPPED}})
    gpu = page.split("## GPU")[1].split("## Where XLA")[0]
    for row in (
        "| two runs of one config | unmeasured: not run |",
        "| logits of FCN-8s beside the CPU's | unmeasured: not run |",
        "| FCN-8s, training step, peak memory | unmeasured: not run |",
        "| DeconvNet, 64 of 224x224, first step, cold | <= 30 s | unmeasured: not run",
        "10 iterations | <= 4 ms | unmeasured: stopped after 100 s (crf) | unm",
        "| FCN-8s, inference | unmeasured: not run |  |  |  | 1.2, unmeasured |",
        "### Ways to compute it: DeconvNet\n\nUnmeasured: not run.",
        "### Operations: FCN-8s\n\nUnmeasured: not run.",
        "### Flags of autotuning: FCN-8s\n\nUnmeasured: not run.",
    ):
        assert row in gpu
    assert performance_report.render({"gpu": {}}).count("| unmeasured |") > 12


def test_goals_of_a_cpu():
    step = networks(1.0, 0.9) | {"peak_mib_of": {"ours": 300, "pytorch": 200}}
    page = performance_report.render({"cpu": {"fcn8s_training": step}})
    assert "peak memory over PyTorch's least | <= 1 | 1.5 | **missed** |" in page
    assert "| FCN-8s, training step, peak memory | ours 300 MiB, eager 200 MiB" in page
    ours = networks(1.0, 0.9) | {"sides": ["ours"], "peak_mib": 70}
    page = performance_report.render({"cpu": {"deconvnet_training": ours}})
    assert "| DeconvNet, training step, peak memory | ours 70 MiB |" in page
    slow = {"deconvnet_training": networks(1.0, 0.9), "proposals": STOPPED}
    page = performance_report.render({"cpu": slow})
    assert "| DeconvNet, training step | eager | 1 s | 900 ms | 0.90 | 1, **m" in page
    assert "image | unmeasured: stopped after 100 s |  |  |  | 1.2, unmeasured" in page


def test_flags_have_a_table_that_says_which_are_best():
    report = MADE_WITH | {
        "best": "unchecked",
        "ways": {
            "unchecked": {"flags": "--level=1", "ms": 30.0, "prepared_s": 9.0},
            "as_is": {"flags": "", "unmeasured": "stopped after 100 s"},
        },
    }
    page = performance_report.render({"gpu": {"tuning": report}})
    assert "| **unchecked** | `--level=1` | 30.00 ms | 9.0 s |" in page
    assert "| as_is | none | unmeasured: stopped after 100 s |" in page


def test_ways_and_operations_have_tables_of_their_own():
    tried = MADE_WITH | {
        "candidates": {
            "as_is": {"ms": 30.0, "compile_s": 9.0, "from_cache": False, "tuned": 53},
            "channels_8": {"ms": 33.0, "ratio": 1.1, "compile_s": 1, "from_cache": 1},
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
    assert "| as_is | 30.00 ms |  | 9.0 s, 53 operations tuned |" in page
    assert "| channels_8 | 33.00 ms | 1.1 | 1 s, from the cache |" in page
    assert "| rbg | unmeasured: no time |" in page
    assert "is comparable with no start" in page
    assert "| 1.500 ms | 25.0 % | conv1_1 | fusion.3 |" in page


def test_a_run_that_was_killed_is_told_by_its_bits():
    _, said = gpu_report.LINES["kill_and_resume"]
    assert said({"bit_identical": True, "kills": 3}) == "the same bits after 3 kills"
    assert said({"bit_identical": False, "kills": 1}) == "other bits after 1 kills"
