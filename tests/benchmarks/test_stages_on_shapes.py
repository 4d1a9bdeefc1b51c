"""DeconvNet's stages on the shapes: which runs start from which, and what is kept."""

import json

import pytest

from benchmarks import stages_on_shapes

METHODS = ("deconvnet", "fcn8s", "ensemble")


@pytest.fixture
def commands(monkeypatch):
    """The commands that would be run; each leaves the file that says it is done."""
    made = []

    def run(script, *options):
        given = dict(option.removeprefix("--").split("=", 1) for option in options[:2])
        given |= dict(x.removeprefix("--").split("=", 1) for x in options if "=" in x)
        made.append((script, given))
        if script == "train.py":
            done = stages_on_shapes.Path(given["workdir"]) / "result.json"
        else:
            done = stages_on_shapes.Path(given["out"]) / "comparison.json"
        done.parent.mkdir(parents=True)
        sizes = {size: {"mean_iu": 0.5} for size in stages_on_shapes.SIZES}
        result = {"mean_iu": 0.25, "by_object_size": sizes}
        names = [f"{name}{end}" for name in METHODS for end in ("", "+CRF")]
        done.write_text(json.dumps(dict.fromkeys(names, result)))

    monkeypatch.setattr(stages_on_shapes, "run", run)
    return made


def _starts(commands, folder):
    """Config and start of every training, the directories as their names."""
    short = str(folder)
    return [
        (given["config"], given.get("config.init_from", "").removeprefix(short))
        for script, given in commands
        if script == "train.py"
    ]


@pytest.mark.parametrize("mode", ("from_fcn32s", "any_size"))
def test_each_run_starts_from_the_one_before(commands, tmp_path, mode):
    found = stages_on_shapes.one_seed(tmp_path / "0", 3, tmp_path / "p", mode, 2)
    demo = "full" if mode == "from_fcn32s" else mode
    assert _starts(commands, tmp_path / "0") == [
        (f"shapes_fcn8s:{demo}", ""),
        (f"shapes_fcn32s_objects:{demo}", "/fcn8s"),
        (f"shapes_deconvnet_stage1:{mode}", "/fcn32s"),
        (f"shapes_deconvnet_stage2:{mode}", "/stage1"),
    ]
    steps = [int(given["config.num_steps"]) for _, given in commands[:4]]
    assert steps == [1700, 1700, 1200, 1800]
    assert {given["config.seed"] for _, given in commands[:4]} == {"3"}
    assert [given["config.inference.method"] for _, given in commands[4:]] == [
        "whole", "window", "proposals"
    ]  # fmt: skip
    assert all(
        given["config.data.objects.cache_dir"] == str(tmp_path / "p")
        for _, given in commands[3:]
    )
    assert found["EDeconvNet, CRF"] == {"mean_iu": 0.25} | dict.fromkeys(
        stages_on_shapes.SIZES, 0.5
    )
    before = len(commands)
    stages_on_shapes.one_seed(tmp_path / "0", 3, tmp_path / "p", mode, 2)
    assert len(commands) == before  # All is there.


def test_from_scratch_there_is_no_fcn32s(commands, tmp_path):
    stages_on_shapes.one_seed(tmp_path / "0", 0, tmp_path / "p", "full", 1)
    assert _starts(commands, tmp_path / "0") == [
        ("shapes_fcn8s:full", ""),
        ("shapes_deconvnet_stage1:full", ""),
        ("shapes_deconvnet_stage2:full", "/stage1"),
    ]


def test_modes_and_lengths_have_runs_of_their_own(commands, tmp_path, capsys):
    for options in (["--mode=full"], ["--mode=any_size"], ["--longer=2"], ["--smoke"]):
        before = len(commands)
        stages_on_shapes.main(["--out", str(tmp_path), "--seeds", "1", *options])
        assert len(commands) > before
        report = json.loads(capsys.readouterr().out)
        assert (report["mode"], report["longer"]) == (
            {"--mode=full": "full", "--mode=any_size": "any_size", "--smoke": "smoke"}
            .get(options[0], "from_fcn32s"),
            2 if options == ["--longer=2"] else 1,
        )  # fmt: skip
        assert report["summary"]["FCN-8s"]["large"] == {"mean": 0.5, "std": None}
    smoke = [given for _, given in commands if given["config"].endswith(":smoke")]
    assert any(given.get("config.model.decoder_start") for given in smoke)
