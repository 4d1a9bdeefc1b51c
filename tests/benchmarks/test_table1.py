"""Table 1: its numbers, what each system is told, and the three forms."""

import functools
import json

import pytest

from benchmarks.table1 import __main__ as command
from benchmarks.table1 import published, running, systems, writing
from fcn_jax.config import named
from tests.support.paths import ROOT

# Table 1 of the paper, its last column.
MEANS = {
    "Hypercolumn": 59.2,
    "MSRA-CFM": 61.8,
    "FCN-8s": 62.2,
    "TTI-Zoomout-16": 64.4,
    "DeepLab-CRF": 71.6,
    "DeconvNet": 69.6,
    "DeconvNet+CRF": 70.5,
    "EDeconvNet": 71.7,
    "EDeconvNet+CRF": 72.5,
    "WSSL": 70.4,
    "BoxSup": 71.0,
}


def row(name, **changes):
    values = {
        "name": name,
        "mean_iu": 0.625,
        "iu": {"disc_1": 0.75, "square": 0.5, "star": None},
        "labels": "boxes",
        "note": "",
        "images": 13600,
        "train_seconds": 1234.5,
        "eval_seconds": 6.78,
        "memory": 900.0,
    }
    return running.Row(**values | changes)


def test_the_classes_of_a_published_row_have_its_mean():
    assert list(published.IU) == list(MEANS)
    for name, mean in MEANS.items():
        assert len(published.IU[name]) == len(published.CLASSES) == 21
        # The paper's own rounding: the classes are rounded before.
        assert published.mean_iu(name) == pytest.approx(mean, abs=0.08)


@pytest.mark.parametrize("data", systems.SYSTEMS)
def test_every_row_of_the_paper_is_trained_or_said_to_be_absent(data):
    given = [title for x in systems.SYSTEMS[data] for title in x.rows]
    absent = list(systems.ABSENT.get(data, {}))
    assert sorted(given + absent) == sorted(published.IU)
    for system in systems.SYSTEMS[data]:
        assert sum(part.share for part in system.parts) == pytest.approx(1)
        for part in system.parts:
            assert (ROOT / "configs" / f"{part.config}.py").exists()
            assert {part.mode, "smoke"} <= set(named.load(part.config).MODES)


@pytest.mark.parametrize("data", systems.SYSTEMS)
def test_what_a_last_part_keeps_frozen_was_trained_before(data):
    """Hypercolumn's classifier of boxes, which is in no file of an encoder."""
    for system in systems.SYSTEMS[data]:
        frozen = [
            "cls_score" in named.load(x.config).get_config(x.mode).optim.frozen
            for x in system.parts
        ]
        assert not frozen[0], system.name
    zoomout = next(x for x in systems.SYSTEMS[data] if x.name == "zoomout")
    (part,) = zoomout.parts
    config = named.load(part.config).get_config(part.mode)
    assert part.keys.get("model.name", config.model.name) == "zoomout_v1"


def test_what_is_made_of_images_outlives_a_call(tmp_path):
    keys = {
        name: list(running.places(named.load(name).get_config(), tmp_path))
        for name in ("shapes_fcn8s", "shapes_cfm", "shapes_wssl_bbox_seg")
    }
    assert [*keys.values()] == [[], ["data.objects.cache_dir"], ["data.box_cache_dir"]]
    boxsup = named.load("voc_boxsup").get_config("segments")
    assert [*running.places(boxsup, tmp_path)] == ["data.boxsup.cache_dir"]


def test_a_run_sees_the_images_of_the_budget():
    config = named.load("voc_deeplab_largefov").get_config()  # 6,000 steps of 30.
    assert running.steps(config, 0, {}) == {}
    found = running.steps(config, 18_000, {})
    assert found["num_steps"] == 600
    assert found["eval_every"] == found["checkpoint_every"] == 150
    # From steps 2,000 and 4,000 of 6,000.
    assert found["optim.schedule_options.boundaries"] == (200, 400)
    assert running.steps(config, 18_000, {"batch_size": 10})["num_steps"] == 1800


def test_seconds_are_those_of_the_steps(tmp_path):
    lines = [
        {"kind": "train", "step": 10, "loss": 1.0, "images_per_second": 4.0},
        {"kind": "eval", "step": 10, "loss": 1.0},
        {"kind": "train", "step": 30, "loss": 1.0, "images_per_second": 8.0},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    assert running._seconds(tmp_path, 2) == 10 * 2 / 4 + 20 * 2 / 8


def test_markdown_has_published_numbers_beside_ours():
    rows = {"WSSL": row("WSSL", note="from boxes"), "BoxSup": row("BoxSup")}
    text = writing.markdown(rows, {"MSRA-CFM": "knows why"}, "shapes")
    assert (
        "| WSSL | 70.4 (extra data) | 62.5 | boxes | 13,600 | 1,234 | 6.8 | 900 |"
    ) in text
    assert "| FCN-8s | 62.2 | - | - | - | - | - | - |" in text
    assert "| method | disc_1 | square | star | mean |" in text
    assert "| BoxSup, ours | 75.0 | 50.0 | - | 62.5 |" in text
    assert "- WSSL: from boxes.\n" in text
    assert "- MSRA-CFM: not here; it knows why.\n" in text
    assert "- Not run yet: Hypercolumn, FCN-8s, TTI-Zoomout-16, DeepLab-CRF, " in text
    assert "published |" not in text.split("\n\n")[1]  # Other classes than VOC's.


def test_classes_of_voc_have_their_published_numbers():
    iu = dict.fromkeys(published.CLASSES, 0.5)
    text = writing.markdown({"FCN-8s": row("FCN-8s", iu=iu)}, {}, "voc2012")
    assert "| FCN-8s, published | 91.2 | 76.8 | 34.2 |" in text
    assert "| FCN-8s, ours | 50.0 | 50.0 |" in text


def test_latex_is_a_tabular_of_all_methods():
    text = writing.latex({"WSSL": row("WSSL")}, "shapes")
    assert r"method & published & disc\_1 & square & star & mean, shapes \\" in text
    assert r"WSSL & 70.4 & 75.0 & 50.0 & -- & 62.5 \\" in text
    assert r"FCN-8s & 62.2 & -- & -- & -- & -- \\" in text
    assert text.count("&") == 12 * 5
    assert text.startswith(r"\begin{tabular}{lrrrrr}")


def test_the_plot_is_written(tmp_path):
    writing.plot({"WSSL": row("WSSL")}, "shapes", tmp_path / "table.png")
    assert (tmp_path / "table.png").read_bytes().startswith(b"\x89PNG")


def kept(tmp_path, setting, name="fcn8s"):
    path = tmp_path / "rows" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    found = {"asked": setting.asked(), "rows": [vars(row("FCN-8s"))]}
    path.write_text(json.dumps(found))
    return path


def test_what_is_kept_is_not_run_again(tmp_path, monkeypatch, capsys):
    setting = running.Setting(tmp_path, images=13_600)
    kept(tmp_path, setting)
    monkeypatch.setattr("sys.argv", ["table1", f"--out={tmp_path}", "--minutes=0"])
    command.main()
    said = capsys.readouterr().out
    assert "| FCN-8s | 62.2 | 62.5 | boxes |" in said
    assert said.strip() in (tmp_path / "table1.md").read_text()
    for form in ("tex", "png"):
        assert (tmp_path / f"table1.{form}").exists()


def test_rows_of_another_setting_do_not_stand_in_the_table(tmp_path):
    path = kept(tmp_path, running.Setting(tmp_path, images=100))
    system = next(x for x in systems.SYSTEMS["shapes"] if x.name == "fcn8s")
    with pytest.raises(
        ValueError, match=r"was made with .*100.* expected .*200.* --out"
    ):
        running.rows_of(system, running.Setting(tmp_path, images=200))
    assert path.exists()


def test_runs_of_another_setting_are_not_taken_for_those_of_this(tmp_path, monkeypatch):
    """Rows were deleted, or their evaluation never came: the runs are there."""
    system = next(x for x in systems.SYSTEMS["shapes"] if x.name == "fcn8s")
    calls = []

    def stop(script, *rest):
        calls.append(script)
        raise RuntimeError("stopped")

    monkeypatch.setattr(running, "_run", stop)
    for _ in range(2):  # The same setting goes on.
        with pytest.raises(RuntimeError, match="stopped"):
            running.rows_of(system, running.Setting(tmp_path, images=100))
    with pytest.raises(
        ValueError,
        match=r"runs/fcn8s.json was made with .*100.* expected .*200.* "
        r"delete rows/fcn8s.json, runs/fcn8s.json, runs/fcn8s_\* and eval/fcn8s in",
    ):
        running.rows_of(system, running.Setting(tmp_path, images=200))
    assert calls == ["train.py"] * 2


def test_paths_are_from_where_it_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ["--out=out", "--root=images", "--encoder=nets/a.npz", "--data=camvid"]
    monkeypatch.setattr("sys.argv", ["table1", *given])

    def stop(system, setting):
        raise RuntimeError(setting.out, setting.keys, setting.encoder)

    monkeypatch.setattr(command, "rows_of", stop)
    with pytest.raises(RuntimeError) as caught:
        command.main()
    assert caught.value.args == (
        tmp_path / "out",
        {"data.root": tmp_path / "images"},
        str(tmp_path / "nets/a.npz"),
    )


def test_an_encoder_is_a_path_or_a_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    at = functools.partial(running.encoder_at, place=tmp_path)
    names = ("", "bvlc_alexnet", "shapes-fcn8s")
    assert [at(name) for name in names] == [*names]
    assert at("../a.npz") == str(tmp_path.parent / "a.npz")
    assert at("/a.npz") == "/a.npz"
    assert at("~/a.npz") == str(tmp_path / "home/a.npz")
    (tmp_path / "bvlc_alexnet").mkdir()  # A path comes first, as in training.
    assert at("bvlc_alexnet") == str(tmp_path / "bvlc_alexnet")


def test_rows_go_on_whose_encoder_was_taken_from_the_root(tmp_path):
    kept(tmp_path, running.Setting(tmp_path, encoder="nets/a.npz"))
    system = next(x for x in systems.SYSTEMS["shapes"] if x.name == "fcn8s")
    now = running.encoder_at("a.npz", ROOT / "nets")
    (found,) = running.rows_of(system, running.Setting(tmp_path, encoder=now))
    assert found.name == "FCN-8s"
    now = running.encoder_at("a.npz", tmp_path)
    with pytest.raises(ValueError, match=r"was made with .*nets/a\.npz"):
        running.rows_of(system, running.Setting(tmp_path, encoder=now))


# By which parameters each net of DeepLab is refined on VOC (docs/deeplab.md).
CRFS = {
    "deeplab": "deeplab_4x4",
    "deeplab_msc_largefov": "deeplab_msc_largefov",
}


def test_the_crf_is_that_of_the_net_that_it_refines():
    found = {}
    for system in systems.SYSTEMS["voc2012"]:
        last = system.parts[-1]
        net = named.load(last.config).get_config(last.mode).model.name
        if net.startswith("deeplab"):
            assert system.crf == CRFS[net], system.name
            found[system.name] = net
    assert [*found] == ["deeplab", "wssl", "boxsup"]


@pytest.mark.parametrize("data", ("shapes", "voc2012"))
def test_rows_of_pasted_regions_say_above_what(data):
    found = {}
    for system in systems.SYSTEMS[data]:
        settings = named.load(system.parts[-1].config).get_config().inference
        if settings.method in ("regions", "segments"):
            found[system.name] = f"a probability of {settings.background:g};"
            assert found[system.name] in system.note
    assert [*found] == ["hypercolumn", "cfm"]


def test_a_table_without_rows_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["table1", f"--out={tmp_path}", "--minutes=0"])
    with pytest.raises(SystemExit, match="has no row yet"):
        command.main()


@pytest.mark.long
def test_a_command_that_fails_is_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"train.py of .*run ended with 1 after"):
        running._run("train.py", "no_such_config:full", tmp_path / "run", {})


@pytest.mark.slow
def test_smoke(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["table1", f"--out={tmp_path}", "--smoke"])
    command.main()
    said = capsys.readouterr().out
    assert "Not run yet" not in said
