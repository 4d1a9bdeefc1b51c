"""fcn_jax report and fcn_jax eval --report, as they are started."""

import sys
import types

import pytest

from fcn_jax import __main__
from fcn_jax.commands import eval as eval_command
from fcn_jax.commands import report
from fcn_jax.runs import examination


@pytest.fixture
def started(monkeypatch):
    """The command, as far as the work; the arguments that this would get."""
    calls = []

    def instead(*arguments):
        calls.append(arguments)
        return type("Path", (), {"stat": lambda _: type("S", (), {"st_size": 1e6})})()

    monkeypatch.setattr(examination, "report", instead)
    monkeypatch.setattr(report.command_line, "with_config", lambda argv, weights: argv)
    return calls


def start(monkeypatch, *arguments):
    monkeypatch.setattr(
        "absl.app.run", lambda main, argv, flags_parser: main(flags_parser(argv))
    )
    monkeypatch.setattr("fcn_jax.runtime.prepare", lambda: None)
    __main__.main(["fcn_jax", "report", *arguments])


def test_the_flags_become_options(started, monkeypatch, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    given = [str(tmp_path), str(other), "--out=p.html", "--scales=0.5,1", "--images=3"]
    start(monkeypatch, *given, "--split=test", "--root=data", "--flip", "--step=4")
    assert started == [
        (
            (str(tmp_path), str(other)),
            "p.html",
            examination.Options("test", 4, "data", (0.5, 1.0), True, 3),
        )
    ]
    assert "(1.0 MB)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("operands", "match"),
    (
        (
            (),
            r"fcn_jax report: a run is missing; usage: fcn_jax report RUN \[RUN ...\]",
        ),
        (("nowhere",), "nowhere does not exist; give the directory of a run"),
        ((__file__,), "test_report.py is a file; give the directory of a run"),
        ((".", "."), "a run is given twice; a comparison needs different ones"),
    ),
)
def test_what_is_no_run_is_one_line(started, monkeypatch, operands, match):
    with pytest.raises(SystemExit, match=match) as refused:
        start(monkeypatch, *operands)
    assert "\n" not in str(refused.value)
    assert not started


def test_a_directory_that_is_no_run_is_one_line(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="^error: .*is not the directory of a run"):
        start(monkeypatch, str(tmp_path))


def test_without_the_extra_it_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(SystemExit, match="^error: an HTML report needs jinja2: pip in"):
        start(monkeypatch, str(tmp_path))


class Values:
    """Of the flags of eval."""

    report, resolutions, compare, split, step, out = True, None, False, None, None, None
    scales, with_run, combine, flip = None, None, "mean_prob", True
    labels = overlays = False
    rows, workdir = 6, "run"
    coordinator, process, processes, join_timeout, head = None, None, None, 1, ""

    def __getitem__(self, name):
        return types.SimpleNamespace(value=getattr(self, name))


@pytest.mark.parametrize("beside", ("resolutions", "compare"))
def test_eval_refuses_a_report_of_what_makes_none(monkeypatch, beside):
    monkeypatch.setattr(eval_command.command_line, "config_of_flags", dict)
    values = type("Given", (Values,), {beside: "1"})()
    with pytest.raises(
        ValueError, match="--report goes with neither --resolutions nor"
    ):
        eval_command.run_flags(values)


def test_eval_writes_the_page_too(monkeypatch, capsys):
    done = []
    run = type("Run", (), {"source": type("Source", (), {"split": "val"})})
    monkeypatch.setattr(eval_command.command_line, "config_of_flags", dict)
    monkeypatch.setattr(eval_command, "Evaluation", lambda *_, **__: run)
    monkeypatch.setattr(eval_command, "evaluate", lambda *_: done.append("evaluated"))
    monkeypatch.setattr(
        examination, "report_of", lambda *given: done.append(given) or given[1]
    )
    monkeypatch.setattr(examination, "check_one_head", lambda *_: None)
    eval_command.run_flags(Values())
    assert done[0] == "evaluated"
    assert done[1][0] is run
    assert done[1][2] == examination.Options(flip=True)
    assert capsys.readouterr().out.strip().endswith("run/eval/val/report.html")
